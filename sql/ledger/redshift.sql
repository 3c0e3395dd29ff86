-- The ledger in Redshift: which load each table of this warehouse shows. It is written by the batch that
-- publishes, so it is right whatever crashes. Everybody may be granted SELECT on it; only barncat writes it.
-- Each statement ends at the end of a line. Safe to run again.
--
-- :ledger is the schema's name, quoted: "barncat", in test mode "barncat_test". Redshift holds nobody to a
-- key: that no two loads follow the same one is checked by the publish itself, against a table of the
-- published table's own, `head_…`, whose one row is its last load. `loads` is only inserted into, last, and not
-- read by a publish, so that publishes of different tables neither wait for each other nor end in error 1023.

CREATE TABLE IF NOT EXISTS :ledger.loads (
    load          varchar(32)    NOT NULL,
    table_schema  varchar(127)   NOT NULL,
    table_name    varchar(127)   NOT NULL,
    previous      varchar(32),
    project       varchar(1024)  NOT NULL,
    run           varchar(32)    NOT NULL,
    strategy      varchar(32)    NOT NULL,
    publish       varchar(32)    NOT NULL,
    source        varchar(1024)  NOT NULL,
    source_schema varchar(1024)  NOT NULL,
    source_table  varchar(1024)  NOT NULL,
    "system"      varchar(64),
    lsn           varchar(32),
    as_of         timestamptz    NOT NULL,
    "snapshot"    varchar(256)   NOT NULL,
    schema_hash   varchar(128)   NOT NULL,
    schema_id     varchar(64)    NOT NULL,
    content_hash  varchar(128),
    manifest      varchar(4096),
    rows          bigint         NOT NULL,
    bytes         bigint         NOT NULL,
    watermark     varchar(65535),
    table_rows    bigint         NOT NULL,
    late_rows     bigint,
    deleted_rows  bigint,
    state         varchar(65535) NOT NULL,
    published_at  timestamptz    NOT NULL
) DISTSTYLE ALL SORTKEY (table_schema, table_name, load);

CREATE TABLE IF NOT EXISTS :ledger.schemas (
    id    varchar(64)    NOT NULL,
    piece integer        NOT NULL,
    json  varchar(32768) NOT NULL
) DISTSTYLE ALL SORTKEY (id, piece);

CREATE OR REPLACE VIEW :ledger.tables AS
    SELECT l.table_schema, l.table_name, l.load, l.as_of, l.lsn, l.published_at, l.rows, l.table_rows, l.bytes,
           l.strategy, l.publish, l.source, l.source_schema, l.source_table, l."snapshot", l.watermark, l.run
    FROM :ledger.loads l
    LEFT JOIN :ledger.loads n
        ON n.table_schema = l.table_schema AND n.table_name = l.table_name AND n.previous = l.load
    WHERE n.load IS NULL;

COMMENT ON TABLE :ledger.loads IS 'One row a publish, written by the batch that published it. Kept by barncat.';
COMMENT ON TABLE :ledger.schemas IS 'The schemas of the source''s tables that loads name by `schema_id`, in pieces.';
