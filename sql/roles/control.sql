-- The role of the control database, where runs, tasks, attempts and locks are kept. It has two
-- schemas, production's and test mode's, and no right on anything else. Only for a control database of its own: when [control]
-- is left out, the warehouse's role makes the schema in the warehouse and this file is not needed.
-- Run it in the control database, as a superuser or as the owner of that database. Safe to run again.
--
-- :role      the role's name             :database  the control database
-- :schema    barncat_control                       :test_schema  barncat_control_test
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
-- Owned by whoever runs this, for the role alone: so no membership in the role is needed to make it.
CREATE SCHEMA IF NOT EXISTS :"schema";
GRANT USAGE, CREATE ON SCHEMA :"schema" TO :"role";
CREATE SCHEMA IF NOT EXISTS :"test_schema";
GRANT USAGE, CREATE ON SCHEMA :"test_schema" TO :"role";
