-- The role that fills the warehouse. It is no superuser: it owns what it creates (the schemas
-- barncat, barncat_staging and those of the tables) and has no right on anything else.
-- Run it in the warehouse's database, as a superuser or as the owner of that database. Safe to run again.
--
-- :role      the role's name             :database  the warehouse's database
--
-- No password is set here: ALTER ROLE … PASSWORD, or \password in psql, or IAM.
--
-- Where a table of another owner is taken over, that owner is carried over at each publish; this
-- needs GRANT <owner> TO <role>, which only you can decide upon. `barncat doctor` names such owners.

SELECT set_config('barncat.role', :'role', false);
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_setting('barncat.role')) THEN
        EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS',
                       current_setting('barncat.role'));
    END IF;
END $$;

-- CREATE is the right to make schemas in this database.
GRANT CONNECT, CREATE ON DATABASE :"database" TO :"role";

-- A reader whose snapshot is older than the new rows would find a swapped table empty, so a publish
-- waits for such readers. pg_stat_activity shows everybody's backend_xmin, state and application
-- name only to members of this role; they are read, nothing can be changed with them.
GRANT pg_read_all_stats TO :"role";
