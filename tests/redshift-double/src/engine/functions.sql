-- Functions that Redshift has and Postgres has not.
CREATE OR REPLACE FUNCTION redshift_double.getdate() RETURNS timestamp LANGUAGE sql STABLE AS
    $$ SELECT date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC') $$;
-- That of the transaction, and finer.
CREATE OR REPLACE FUNCTION redshift_double.sysdate() RETURNS timestamp LANGUAGE sql STABLE AS
    $$ SELECT transaction_timestamp() AT TIME ZONE 'UTC' $$;
CREATE OR REPLACE FUNCTION redshift_double.len(text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT char_length($1) $$;
CREATE OR REPLACE FUNCTION redshift_double.nvl(anycompatible, anycompatible) RETURNS anycompatible LANGUAGE sql IMMUTABLE AS
    $$ SELECT coalesce($1, $2) $$;
CREATE OR REPLACE FUNCTION redshift_double.nvl2(anyelement, anycompatible, anycompatible) RETURNS anycompatible LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN $1 IS NOT NULL THEN $2 ELSE $3 END $$;
CREATE OR REPLACE FUNCTION redshift_double.sha2(text, integer) RETURNS varchar LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(CASE $2 WHEN 224 THEN sha224($1::bytea) WHEN 384 THEN sha384($1::bytea) WHEN 512 THEN sha512($1::bytea)
        ELSE sha256($1::bytea) END, 'hex')
$$;
CREATE OR REPLACE FUNCTION redshift_double.strtol(text, integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE result numeric := 0; digit integer;
BEGIN
    -- Of the digits of a hash, quickly.
    IF $2 = 16 AND $1 ~ '^[0-9a-fA-F]{1,15}$' THEN
        RETURN ('x' || lpad($1, 16, '0'))::bit(64)::bigint;
    END IF;
    FOR at IN 1..char_length($1) LOOP
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', lower(substr($1, at, 1))) - 1;
        IF digit < 0 OR digit >= $2 THEN
            RAISE EXCEPTION 'The input % is not valid to be converted to base %', $1, $2;
        END IF;
        result := result * $2 + digit;
    END LOOP;
    RETURN result;
END $$;
CREATE OR REPLACE FUNCTION redshift_double.from_hex(text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT decode($1, 'hex') $$;
CREATE OR REPLACE FUNCTION redshift_double.from_varbyte(bytea, text) RETURNS varchar LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE lower($2) WHEN 'hex' THEN encode($1, 'hex') WHEN 'base64' THEN encode($1, 'base64') ELSE convert_from($1, 'UTF8') END
$$;
CREATE OR REPLACE FUNCTION redshift_double.to_varbyte(text, text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE lower($2) WHEN 'hex' THEN decode($1, 'hex') WHEN 'base64' THEN decode($1, 'base64') ELSE convert_to($1, 'UTF8') END
$$;
CREATE OR REPLACE FUNCTION redshift_double.json_parse(text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT $1::jsonb $$;
CREATE OR REPLACE FUNCTION redshift_double.is_valid_json(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM $1::jsonb;
    RETURN true;
EXCEPTION WHEN invalid_text_representation THEN RETURN false;
END $$;
-- Without blanks between, as Redshift writes it.
CREATE OR REPLACE FUNCTION redshift_double.json_serialize(value jsonb) RETURNS varchar LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE jsonb_typeof(value)
        WHEN 'object' THEN (SELECT '{' || coalesce(string_agg(to_json(m.key)::text || ':' || redshift_double.json_serialize(m.value), ','), '') || '}'
            FROM jsonb_each(value) AS m)
        WHEN 'array' THEN (SELECT '[' || coalesce(string_agg(redshift_double.json_serialize(e.value), ',' ORDER BY e.at), '') || ']'
            FROM jsonb_array_elements(value) WITH ORDINALITY AS e(value, at))
        ELSE value::text END;
END $$;
CREATE OR REPLACE FUNCTION redshift_double.dateadd(part text, amount bigint, moment timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS
    $$ SELECT moment + amount * ('1 ' || part)::interval $$;
CREATE OR REPLACE FUNCTION redshift_double.datediff(part text, low timestamp, high timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN part ~ '^y' THEN extract(year FROM high) - extract(year FROM low)
        WHEN part ~ '^mon' THEN (extract(year FROM high) - extract(year FROM low)) * 12 + extract(month FROM high) - extract(month FROM low)
        WHEN part ~ '^(d|day)' THEN high::date - low::date
        WHEN part ~ '^h' THEN extract(epoch FROM date_trunc('hour', high) - date_trunc('hour', low)) / 3600
        WHEN part ~ '^min|^m$' THEN extract(epoch FROM date_trunc('minute', high) - date_trunc('minute', low)) / 60
        ELSE extract(epoch FROM date_trunc('second', high) - date_trunc('second', low)) END::bigint
$$;
-- Of the session: the engine keeps them in settings.
CREATE OR REPLACE FUNCTION redshift_double.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS
    $$ SELECT coalesce(nullif(current_setting('redshift_double.last_copy_count', true), ''), '0')::bigint $$;
CREATE OR REPLACE FUNCTION redshift_double.pg_last_copy_id() RETURNS integer LANGUAGE sql STABLE AS
    $$ SELECT coalesce(nullif(current_setting('redshift_double.last_copy_id', true), ''), '-1')::integer $$;
CREATE OR REPLACE FUNCTION redshift_double.pg_last_query_id() RETURNS integer LANGUAGE sql STABLE AS
    $$ SELECT coalesce(nullif(current_setting('redshift_double.last_query_id', true), ''), '-1')::integer $$;
-- DG:r_VERSION, its sample.
CREATE OR REPLACE FUNCTION redshift_double.version() RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.12103' $$;
