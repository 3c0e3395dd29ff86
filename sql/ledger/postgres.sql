-- The ledger: which load each table of this warehouse shows. It is written by the transaction that
-- publishes, so it is right whatever crashes. Everybody may be granted SELECT on it; only barncat
-- writes it. Safe to run again.
--
-- :ledger is the schema's name, quoted: "barncat", in test mode "barncat_test".

CREATE TABLE IF NOT EXISTS :ledger.loads (
    load          text        NOT NULL,
    table_schema  text        NOT NULL,
    table_name    text        NOT NULL,
    previous      text,
    project       text        NOT NULL,
    run           text        NOT NULL,
    strategy      text        NOT NULL,
    publish       text        NOT NULL CONSTRAINT loads_publish_check CHECK (publish IN ('swap', 'replace', 'insert', 'merge')),
    source        text        NOT NULL,
    source_schema text        NOT NULL,
    source_table  text        NOT NULL,
    system        text,
    lsn           pg_lsn,
    as_of         timestamptz NOT NULL,
    snapshot      text        NOT NULL,
    schema_hash   text        NOT NULL,
    schema        jsonb       NOT NULL,
    content_hash  text,
    manifest      text,
    rows          bigint      NOT NULL CONSTRAINT loads_rows_check CHECK (rows >= 0),
    bytes         bigint      NOT NULL CONSTRAINT loads_bytes_check CHECK (bytes >= 0),
    watermark     text,
    table_rows    bigint      NOT NULL CONSTRAINT loads_table_rows_check CHECK (table_rows >= 0),
    late_rows     bigint,
    deleted_rows  bigint,
    state         jsonb       NOT NULL,
    published_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT loads_pkey PRIMARY KEY (load)
);

-- The compare-and-set: two loads cannot follow the same one. The second publisher waits here until
-- the first has ended, and then fails or goes on.
CREATE UNIQUE INDEX IF NOT EXISTS loads_previous_key
    ON :ledger.loads (table_schema, table_name, (coalesce(previous, '')));

COMMENT ON TABLE :ledger.loads IS
    'One row a publish, written by the transaction that published it. Kept by barncat.';
COMMENT ON COLUMN :ledger.loads.load IS 'The load''s id, a ULID: it sorts by time.';
COMMENT ON COLUMN :ledger.loads.table_schema IS 'The schema of the table that was published.';
COMMENT ON COLUMN :ledger.loads.table_name IS 'The table that was published.';
COMMENT ON COLUMN :ledger.loads.previous IS 'The load that this one follows; NULL for a table''s first.';
COMMENT ON COLUMN :ledger.loads.project IS 'The project that published it; no other may publish the table.';
COMMENT ON COLUMN :ledger.loads.run IS 'The run that published it.';
COMMENT ON COLUMN :ledger.loads.strategy IS 'How rows were brought: full, append, merge, backfill, restore, adopt.';
COMMENT ON COLUMN :ledger.loads.publish IS 'How they became visible: swap (renamed in), replace (all rows, in place), insert or merge (some).';
COMMENT ON COLUMN :ledger.loads.source IS 'The source''s name in the project.';
COMMENT ON COLUMN :ledger.loads.source_schema IS 'The schema of the table that was read.';
COMMENT ON COLUMN :ledger.loads.source_table IS 'The table that was read.';
COMMENT ON COLUMN :ledger.loads.system IS 'The source''s system identifier; positions compare only within one.';
COMMENT ON COLUMN :ledger.loads.lsn IS 'The source''s write-ahead log position that the rows show.';
COMMENT ON COLUMN :ledger.loads.as_of IS 'The moment that the rows show.';
COMMENT ON COLUMN :ledger.loads.snapshot IS 'The source''s snapshot; tables with the same one match each other.';
COMMENT ON COLUMN :ledger.loads.schema_hash IS 'SHA-256 over the source''s schema, with its version.';
COMMENT ON COLUMN :ledger.loads.schema IS 'The source''s schema, canonical.';
COMMENT ON COLUMN :ledger.loads.content_hash IS 'SHA-256 over the SHA-256s of the load''s parts.';
COMMENT ON COLUMN :ledger.loads.manifest IS 'The key of the load''s manifest in the stage.';
COMMENT ON COLUMN :ledger.loads.rows IS 'Rows of the load; not all of them need be new.';
COMMENT ON COLUMN :ledger.loads.bytes IS 'Bytes of the load in the stage.';
COMMENT ON COLUMN :ledger.loads.watermark IS 'How far the cursor has been loaded.';
COMMENT ON COLUMN :ledger.loads.table_rows IS 'Rows of the table with this load, but for those that are marked as deleted.';
COMMENT ON COLUMN :ledger.loads.late_rows IS 'Rows below the watermark of before that this load caught; NULL for whole loads.';
COMMENT ON COLUMN :ledger.loads.deleted_rows IS 'Rows that were gone from the source, deleted or marked; NULL where all rows of the table were replaced.';
COMMENT ON COLUMN :ledger.loads.state IS 'What the next load must remember.';
COMMENT ON COLUMN :ledger.loads.published_at IS 'When it was published, by this server''s clock.';

-- The last load of a table is the one that no other follows.
CREATE OR REPLACE VIEW :ledger.tables AS
    SELECT l.table_schema, l.table_name, l.load, l.as_of, l.lsn, l.published_at, l.rows, l.table_rows, l.bytes,
           l.strategy, l.publish, l.source, l.source_schema, l.source_table, l.snapshot, l.watermark, l.run
    FROM :ledger.loads l
    WHERE NOT EXISTS (
        SELECT FROM :ledger.loads n
        WHERE n.table_schema = l.table_schema AND n.table_name = l.table_name
          AND coalesce(n.previous, '') = l.load)
      AND EXISTS (
        SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
        WHERE s.nspname = l.table_schema AND c.relname = l.table_name);

COMMENT ON VIEW :ledger.tables IS
    'One row a table that is there: its last published load, and the moment of the source that it shows.';
COMMENT ON COLUMN :ledger.tables.as_of IS 'The moment that the table''s rows show.';
COMMENT ON COLUMN :ledger.tables.lsn IS 'The source''s write-ahead log position that they show.';
COMMENT ON COLUMN :ledger.tables.published_at IS 'When they were published, by this server''s clock.';
