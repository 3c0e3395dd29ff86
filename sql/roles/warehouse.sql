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
-- waits for such readers and names the one it waits for. Without this membership pg_stat_activity
-- hides other sessions' state, application name and kind (PostgreSQL 15 still shows backend_xmin,
-- managed services may not). It only reads: nothing can be changed with it.
GRANT pg_read_all_stats TO :"role";
