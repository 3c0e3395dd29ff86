-- The user of Redshift that fills the warehouse. It is no superuser: it owns what it creates (the schema
-- barncat and those of the tables) and has no right on anything else.
-- Run it in the warehouse's database, as a superuser.
--
-- :role      the user's name             :database  the warehouse's database
--
-- It has no password: give it one with ALTER USER … PASSWORD, or let IAM give logins for it. Users that
-- Redshift makes for roles of IAM (IAMR:…) are there after their first login; then only the GRANT is needed.

CREATE USER :"role" PASSWORD DISABLE;

-- CREATE is the right to make schemas in this database.
GRANT CREATE, TEMPORARY ON DATABASE :"database" TO :"role";
