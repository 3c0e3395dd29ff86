-- The internals of the double, in a schema of their own; run at every start.
CREATE SCHEMA IF NOT EXISTS redshift_double;
GRANT USAGE ON SCHEMA redshift_double TO PUBLIC;

-- What Postgres' catalog has no place for. Columns go by their numbers, so that renames change nothing.
CREATE TABLE IF NOT EXISTS redshift_double.tables (
    relid oid PRIMARY KEY, diststyle text NOT NULL, distkey smallint, sortkey smallint[] NOT NULL,
    interleaved boolean NOT NULL, backup boolean NOT NULL);
CREATE TABLE IF NOT EXISTS redshift_double.columns (
    relid oid, attnum smallint, encoding text NOT NULL, length integer, PRIMARY KEY (relid, attnum));
CREATE TABLE IF NOT EXISTS redshift_double.keys (
    relid oid, name text, kind text NOT NULL, columns smallint[] NOT NULL, PRIMARY KEY (relid, name));
CREATE TABLE IF NOT EXISTS redshift_double.late_views (relid oid PRIMARY KEY, definition text NOT NULL);
CREATE TABLE IF NOT EXISTS redshift_double.identities (name name PRIMARY KEY, kind text NOT NULL);
-- What COPYs did: written in sessions of the double's own, so that it survives a rollback (§1.7).
CREATE TABLE IF NOT EXISTS redshift_double.load_errors (
    usename text NOT NULL, serverless boolean NOT NULL, starttime timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    tbl integer, session integer, query integer, transaction_id bigint, filename text, line_number bigint, colname text,
    type text, col_length text, position integer, raw_line text, raw_field_value text, err_code integer, err_reason text);
CREATE TABLE IF NOT EXISTS redshift_double.load_commits (
    usename text NOT NULL, serverless boolean NOT NULL, curtime timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    query integer, filename text, lines_scanned bigint);
CREATE TABLE IF NOT EXISTS redshift_double.load_history (
    usename text NOT NULL, query_id bigint, transaction_id bigint, session_id integer, table_name text, status text,
    data_source text, loaded_rows bigint, file_count bigint, errors bigint,
    end_time timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'));
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA redshift_double TO PUBLIC;

-- SUPER: a value of at most 16 MB, and no text in it over 65,535 bytes (§4).
CREATE OR REPLACE FUNCTION redshift_double.fits_super(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT octet_length(value::text) <= 16777216 AND NOT EXISTS (
        SELECT FROM jsonb_path_query(value, 'strict $.** ? (@.type() == "string")') AS leaf
        WHERE octet_length(leaf #>> '{}') > 65535)
$$;
DO $$ BEGIN
    IF to_regtype('redshift_double.super') IS NULL THEN
        CREATE DOMAIN redshift_double.super AS jsonb
            CONSTRAINT redshift_double_super CHECK (redshift_double.fits_super(VALUE));
        CREATE DOMAIN redshift_double.varbyte AS bytea;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION redshift_double.numbers(relation oid, names text[]) RETURNS smallint[] LANGUAGE plpgsql AS $$
DECLARE found smallint[];
BEGIN
    SELECT coalesce(array_agg(a.attnum ORDER BY n.at), '{}') INTO found
    FROM unnest(names) WITH ORDINALITY AS n(name, at)
    JOIN pg_attribute a ON a.attrelid = relation AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped;
    IF cardinality(found) <> cardinality(names) THEN
        RAISE EXCEPTION USING ERRCODE = '42703', MESSAGE = format('column named in key of relation "%s" does not exist', relation::regclass);
    END IF;
    RETURN found;
END $$;

CREATE OR REPLACE FUNCTION redshift_double.number(relation oid, name text) RETURNS smallint LANGUAGE sql AS $$
    SELECT (redshift_double.numbers(relation, ARRAY[name]))[1]
$$;

-- LIKE: the parent's layout, column by column; its keys are not copied (§3).
CREATE OR REPLACE FUNCTION redshift_double.copy_layout(relation oid, parent oid) RETURNS void LANGUAGE sql AS $$
    WITH pairs AS (
        SELECT old.attnum AS old, new.attnum AS new
        FROM pg_attribute old JOIN pg_attribute new USING (attname)
        WHERE old.attrelid = parent AND new.attrelid = relation AND old.attnum > 0 AND NOT old.attisdropped),
    columns AS (
        INSERT INTO redshift_double.columns
        SELECT relation, p.new, c.encoding, c.length
        FROM redshift_double.columns c JOIN pairs p ON p.old = c.attnum WHERE c.relid = parent
        ON CONFLICT DO NOTHING)
    INSERT INTO redshift_double.tables
    SELECT relation, t.diststyle, (SELECT new FROM pairs WHERE old = t.distkey),
        ARRAY(SELECT p.new FROM unnest(t.sortkey) WITH ORDINALITY AS s(number, at) JOIN pairs p ON p.old = s.number ORDER BY at),
        t.interleaved, t.backup
    FROM redshift_double.tables t WHERE t.relid = parent
    ON CONFLICT DO NOTHING
$$;

-- A query's columns get types that Redshift has, with the rules of columns that were declared.
CREATE OR REPLACE FUNCTION redshift_double.adopt_columns(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE c record; kind text; rule text; bytes integer;
BEGIN
    FOR c IN SELECT attnum, quote_ident(attname) AS name, atttypid::regtype::text AS type, atttypmod AS modifier
             FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped LOOP
        kind := NULL;
        IF c.type IN ('text', 'character varying', 'name', 'unknown') THEN
            bytes := CASE WHEN c.type = 'character varying' AND c.modifier > 4 THEN c.modifier - 4 ELSE 65535 END;
            kind := format('varchar(%s)', bytes);
            rule := format('octet_length(%s) <= %s', c.name, bytes);
        ELSIF c.type = 'jsonb' THEN kind := 'redshift_double.super'; rule := NULL;
        ELSIF c.type = 'bytea' THEN kind := 'redshift_double.varbyte'; rule := NULL;
        ELSIF c.type = 'numeric' AND c.modifier < 0 THEN kind := 'numeric(38,10)'; rule := NULL;
        END IF;
        IF kind IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %s TYPE %s', relation, c.name, kind);
            IF rule IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %s ADD CONSTRAINT redshift_double_bytes_%s CHECK (%s)', relation, c.attnum, rule);
            END IF;
        END IF;
        INSERT INTO redshift_double.columns VALUES (relation, c.attnum, 'lzo', NULL) ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

-- §5: DROP COLUMN fails on the columns of the layout.
CREATE OR REPLACE FUNCTION redshift_double.check_drop(relation regclass, name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE number smallint := redshift_double.number(relation, name);
BEGIN
    IF EXISTS (SELECT FROM redshift_double.tables WHERE relid = relation AND distkey = number) THEN
        RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = format('cannot drop distkey column "%s"', name);
    ELSIF EXISTS (SELECT FROM redshift_double.tables WHERE relid = relation AND number = ANY (sortkey)) THEN
        RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = format('cannot drop sortkey column "%s"', name);
    END IF;
    DELETE FROM redshift_double.keys WHERE relid = relation AND number = ANY (columns);
END $$;

-- §5: a text's or bytes' length changes, if nothing stands against it.
CREATE OR REPLACE FUNCTION redshift_double.resize(relation regclass, name text, to_type text, bytes integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    number smallint := redshift_double.number(relation, name);
    col pg_attribute; used text; too_long boolean; old name;
BEGIN
    SELECT * INTO col FROM pg_attribute WHERE attrelid = relation AND attnum = number;
    SELECT encoding INTO used FROM redshift_double.columns WHERE relid = relation AND attnum = number;
    IF (to_type = 'varchar' AND col.atttypid <> 'varchar'::regtype)
        OR (to_type = 'varbyte' AND col.atttypid <> 'redshift_double.varbyte'::regtype) OR to_type NOT IN ('varchar', 'varbyte') THEN
        RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = 'ALTER COLUMN TYPE is only supported for columns of type VARCHAR or VARBYTE';
    ELSIF used IN ('bytedict', 'runlength', 'text255', 'text32k') THEN
        RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = format('cannot alter column "%s", column encoding is %s', name, used);
    ELSIF col.atthasdef THEN
        RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = format('cannot alter column "%s", column has a default', name);
    ELSIF EXISTS (SELECT FROM redshift_double.keys WHERE relid = relation AND number = ANY (columns)) THEN
        RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = format('cannot alter column "%s", column is part of a key', name);
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE octet_length(%I) > %s)', relation, name, bytes) INTO too_long;
    IF too_long THEN
        RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = format('cannot alter column "%s", values are longer', name);
    END IF;
    FOR old IN SELECT conname FROM pg_constraint
               WHERE conrelid = relation AND contype = 'c' AND conkey = ARRAY[number] AND conname LIKE 'redshift\\_double\\_bytes%' LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', relation, old);
    END LOOP;
    IF to_type = 'varchar' THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE varchar(%s)', relation, name, bytes);
    END IF;
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT redshift_double_bytes_%s CHECK (octet_length(%I) <= %s)', relation, number, name, bytes);
    UPDATE redshift_double.columns SET length = bytes WHERE relid = relation AND attnum = number AND length IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION redshift_double.drop_key(relation regclass, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM redshift_double.keys WHERE relid = relation AND name = key;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('constraint "%s" of relation "%s" does not exist', key, relation);
    END IF;
END $$;

-- A late-binding view reads through this: its names are resolved then (§3).
CREATE OR REPLACE FUNCTION redshift_double.late(query text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE query; END $$;

-- The lock of a writer (§2.3), whatever rights the user has on the table: those are for the statement to ask.
CREATE OR REPLACE FUNCTION redshift_double.lock_for_write(relation regclass) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', relation); END $$;
