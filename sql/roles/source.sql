-- The role that reads a source. It may log in, see one schema and SELECT its tables: nothing else.
-- Run it on the *primary*, as a superuser or as the owner of the tables; a standby gets it by
-- replication, and barncat creates nothing there. Safe to run again. Once for each schema.
--
-- :role      the role's name             :database  the database with the tables
-- :schema    the schema of the tables    :owner     the role that creates tables there (migrations)
--
-- No password is set here: ALTER ROLE … PASSWORD, or \password in psql, or IAM.

SELECT set_config('barncat.role', :'role', false);
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_setting('barncat.role')) THEN
        EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS',
                       current_setting('barncat.role'));
    END IF;
END $$;

GRANT CONNECT ON DATABASE :"database" TO :"role";
GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"role";

-- Tables that :owner creates later. Without it a new table fails until somebody grants it.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT SELECT ON TABLES TO :"role";
