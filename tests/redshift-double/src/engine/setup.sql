-- The internals of the double, in a schema of their own; run at every start.
CREATE SCHEMA IF NOT EXISTS redshift_double;
GRANT USAGE ON SCHEMA redshift_double TO PUBLIC;
