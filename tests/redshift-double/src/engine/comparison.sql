-- Redshift compares VARCHAR without regard to blanks at the end, as it does CHAR (§4). Postgres does that for
-- CHAR alone, so its functions for CHAR are used for VARCHAR: the two are stored alike. Operators are found by
-- the search path; this schema, which has nothing else in it, stands at its end in every session.
CREATE SCHEMA IF NOT EXISTS redshift_double_operators;
GRANT USAGE ON SCHEMA redshift_double_operators TO PUBLIC;
DO $$
DECLARE
    name text; symbol text; opposite text; mirrored text;
BEGIN
    IF to_regoperator('redshift_double_operators.=(varchar,varchar)') IS NOT NULL THEN RETURN; END IF;
    FOR name, symbol, opposite, mirrored IN VALUES
        ('bpchareq', '=', '<>', '='), ('bpcharne', '<>', '=', '<>'), ('bpcharlt', '<', '>=', '>'),
        ('bpcharle', '<=', '>', '>='), ('bpchargt', '>', '<=', '<'), ('bpcharge', '>=', '<', '<=') LOOP
        EXECUTE format('CREATE FUNCTION redshift_double.%s(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS %L', name, name);
        EXECUTE format('CREATE OPERATOR redshift_double_operators.%s (FUNCTION = redshift_double.%s, LEFTARG = varchar, RIGHTARG = varchar,
            COMMUTATOR = OPERATOR(redshift_double_operators.%s), NEGATOR = OPERATOR(redshift_double_operators.%s), RESTRICT = %s, JOIN = %s%s)',
            symbol, name, mirrored, opposite,
            CASE symbol WHEN '=' THEN 'eqsel' WHEN '<>' THEN 'neqsel' WHEN '<' THEN 'scalarltsel' WHEN '<=' THEN 'scalarlesel' WHEN '>' THEN 'scalargtsel' ELSE 'scalargesel' END,
            CASE symbol WHEN '=' THEN 'eqjoinsel' WHEN '<>' THEN 'neqjoinsel' WHEN '<' THEN 'scalarltjoinsel' WHEN '<=' THEN 'scalarlejoinsel' WHEN '>' THEN 'scalargtjoinsel' ELSE 'scalargejoinsel' END,
            CASE symbol WHEN '=' THEN ', HASHES, MERGES' ELSE '' END);
    END LOOP;
    CREATE FUNCTION redshift_double.bpcharcmp(varchar, varchar) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharcmp';
    CREATE FUNCTION redshift_double.hashbpchar(varchar) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashbpchar';
    CREATE FUNCTION redshift_double.hashbpcharextended(varchar, bigint) RETURNS bigint LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashbpcharextended';
    CREATE OPERATOR CLASS redshift_double.varchar_order DEFAULT FOR TYPE varchar USING btree AS
        OPERATOR 1 redshift_double_operators.<, OPERATOR 2 redshift_double_operators.<=, OPERATOR 3 redshift_double_operators.=,
        OPERATOR 4 redshift_double_operators.>=, OPERATOR 5 redshift_double_operators.>,
        FUNCTION 1 redshift_double.bpcharcmp(varchar, varchar);
    CREATE OPERATOR CLASS redshift_double.varchar_hash DEFAULT FOR TYPE varchar USING hash AS
        OPERATOR 1 redshift_double_operators.=,
        FUNCTION 1 redshift_double.hashbpchar(varchar), FUNCTION 2 redshift_double.hashbpcharextended(varchar, bigint);
END $$;
