-- Views of Redshift's catalog, as far as a loader reads them (§6.1). Columns that the facts do not name are
-- from general knowledge: those of datashares, policies, materialized views, transactions.

CREATE OR REPLACE FUNCTION redshift_double.is_superuser() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user $$;
CREATE OR REPLACE FUNCTION redshift_double.sees(owner text) RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT owner = current_user OR redshift_double.is_superuser() $$;
CREATE OR REPLACE FUNCTION redshift_double.is_cluster() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT coalesce(current_setting('redshift_double.serverless', true), 'false') <> 'true' $$;

-- Types as Redshift names them.
CREATE OR REPLACE FUNCTION redshift_double.format_type(type oid, modifier integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE type
        WHEN 'redshift_double.super'::regtype THEN 'super'
        WHEN 'redshift_double.varbyte'::regtype THEN 'binary varying' || CASE WHEN modifier > 4 THEN format('(%s)', modifier - 4) ELSE '' END
        ELSE pg_catalog.format_type(type, modifier) END
$$;

-- A view's query, with what only Redshift reserves (§4) in quotes before and after a dot. In a literal too, which no
-- test has.
CREATE OR REPLACE FUNCTION redshift_double.pg_get_viewdef(view oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT regexp_replace(regexp_replace(pg_catalog.pg_get_viewdef(view), E'\\m(' || words || E')\\.', E'"\\1".', 'g'),
        E'\\.(' || words || E')\\M', E'."\\1"', 'g')
    FROM (SELECT 'aes128|aes256|allowoverwrite|az64|backup|blanksasnull|bytedict|bzip2|credentials|current_user_id|'
        || 'deflate|defrag|delta|delta32k|disable|emptyasnull|enable|encode|encrypt|encryption|explicit|'
        || 'globaldict256|globaldict64k|gzip|identity|ignore|language|lun|luns|lzo|lzop|minus|mostly16|mostly32|'
        || 'mostly8|new|nulls|off|offline|oid|old|open|parallel|partition|percent|permissions|pivot|raw|'
        || 'readratio|recover|rejectlog|resort|respect|restore|snapshot|sysdate|system|tag|tdes|text255|text32k|'
        || 'timestamp|top|truncatecolumns|unpivot|wallet' AS words) AS reserved
$$;

-- ---- pg_* with Redshift's own columns, and without what only the double has -----------------------------
CREATE OR REPLACE VIEW redshift_double.pg_attribute AS
SELECT a.attrelid, a.attname, a.atttypid, a.attstattarget, a.attlen, a.attnum, a.attndims, a.attcacheoff,
    CASE WHEN c.length IS NULL THEN a.atttypmod ELSE c.length + 4 END AS atttypmod,
    a.attbyval, a.attstorage, a.attalign, a.attnotnull, a.atthasdef, a.attisdropped, a.attislocal, a.attinhcount,
    coalesce(t.distkey = a.attnum, false) AS attisdistkey,
    -- Of an interleaved key every other column has a negative place ("PG_TABLE_DEF" in the Database Developer Guide).
    coalesce(array_position(t.sortkey, a.attnum)
        * CASE WHEN t.interleaved AND array_position(t.sortkey, a.attnum) % 2 = 0 THEN -1 ELSE 1 END, 0) AS attsortkeyord
FROM pg_catalog.pg_attribute a
LEFT JOIN redshift_double.columns c ON c.relid = a.attrelid AND c.attnum = a.attnum
LEFT JOIN redshift_double.tables t ON t.relid = a.attrelid;

CREATE OR REPLACE VIEW redshift_double.pg_constraint AS
SELECT conname, connamespace, contype::text AS contype, condeferrable, condeferred, conrelid, contypid, confrelid, conkey, confkey
FROM pg_catalog.pg_constraint WHERE conname NOT LIKE 'redshift\_double\_%'
UNION ALL
SELECT k.name::name, c.relnamespace, k.kind, false, false, k.relid, 0::oid, 0::oid, k.columns, NULL
FROM redshift_double.keys k JOIN pg_catalog.pg_class c ON c.oid = k.relid;

-- 0 EVEN, 1 KEY, 8 ALL, 10 to 12 AUTO ("Viewing distribution styles").
CREATE OR REPLACE VIEW redshift_double.pg_class_info AS
SELECT c.oid AS reloid, c.relname, c.relnamespace, c.relowner, c.relkind,
    CASE t.diststyle WHEN 'even' THEN 0 WHEN 'key' THEN 1 WHEN 'all' THEN 8 ELSE 10 END::smallint AS releffectivediststyle
FROM pg_catalog.pg_class c LEFT JOIN redshift_double.tables t ON t.relid = c.oid;

CREATE OR REPLACE VIEW redshift_double.pg_views AS
SELECT v.schemaname, v.viewname, v.viewowner,
    CASE WHEN l.relid IS NULL THEN v.definition
        ELSE format('CREATE VIEW %I.%I AS %s WITH NO SCHEMA BINDING;', v.schemaname, v.viewname, l.definition) END AS definition
FROM pg_catalog.pg_views v
JOIN pg_catalog.pg_namespace n ON n.nspname = v.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = v.viewname
LEFT JOIN redshift_double.late_views l ON l.relid = c.oid
WHERE v.schemaname <> 'redshift_double';

-- ---- columns and tables -----------------------------------------------------------------------------------
CREATE OR REPLACE VIEW redshift_double.user_columns AS
SELECT n.nspname, c.oid AS relid, c.relname, c.relkind, a.attname, a.attnum, a.attnotnull, a.atttypid, a.atttypmod,
    redshift_double.format_type(a.atttypid, a.atttypmod) AS type,
    redshift_double.format_type(a.atttypid, NULL) AS bare_type,
    coalesce(k.encoding, 'none') AS encoding, a.attisdistkey, a.attsortkeyord,
    pg_get_expr(d.adbin, d.adrelid) AS column_default, col_description(c.oid, a.attnum) AS remarks
FROM redshift_double.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v', 'm')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('redshift_double', 'pg_catalog', 'information_schema', 'pg_toast')
LEFT JOIN redshift_double.columns k ON k.relid = a.attrelid AND k.attnum = a.attnum
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped;

-- Only of schemas in the search path (§6.1).
CREATE OR REPLACE VIEW redshift_double.pg_table_def AS
SELECT nspname AS schemaname, relname AS tablename, attname AS "column", type, encoding, attisdistkey AS distkey,
    attsortkeyord AS sortkey, attnotnull AS "notnull"
FROM redshift_double.user_columns WHERE relkind = 'r' AND nspname = ANY (current_schemas(false)) ORDER BY 1, 2, attnum;

CREATE OR REPLACE VIEW redshift_double.svv_columns AS
SELECT current_database() AS table_catalog, nspname AS table_schema, relname AS table_name, attname AS column_name,
    attnum AS ordinal_position, column_default, CASE WHEN attnotnull THEN 'NO' ELSE 'YES' END AS is_nullable, bare_type AS data_type,
    CASE WHEN bare_type IN ('character varying', 'character') THEN atttypmod - 4 END AS character_maximum_length,
    CASE WHEN bare_type = 'numeric' THEN (atttypmod - 4) >> 16 END AS numeric_precision,
    CASE WHEN bare_type = 'numeric' THEN (atttypmod - 4) & 65535 END AS numeric_scale, remarks
FROM redshift_double.user_columns;

CREATE OR REPLACE VIEW redshift_double.svv_all_columns AS
SELECT table_catalog AS database_name, table_schema AS schema_name, table_name, column_name, ordinal_position, column_default,
    is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, remarks
FROM redshift_double.svv_columns;

CREATE OR REPLACE VIEW redshift_double.svv_redshift_columns AS
SELECT current_database() AS database_name, nspname AS schema_name, relname AS table_name, attname AS column_name,
    attnum AS ordinal_position, type AS data_type, column_default, CASE WHEN attnotnull THEN 'NO' ELSE 'YES' END AS is_nullable,
    encoding, attisdistkey AS distkey, attsortkeyord AS sortkey, NULL::varchar AS column_acl, remarks
FROM redshift_double.user_columns;

CREATE OR REPLACE VIEW redshift_double.user_relations AS
SELECT c.oid AS relid, n.nspname, c.relname, c.relkind, c.relowner, c.relacl,
    CASE WHEN c.relkind = 'r' THEN 'TABLE' ELSE 'VIEW' END AS kind, obj_description(c.oid, 'pg_class') AS remarks
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('redshift_double', 'pg_catalog', 'information_schema', 'pg_toast');

CREATE OR REPLACE VIEW redshift_double.svv_tables AS
SELECT current_database() AS table_catalog, nspname AS table_schema, relname AS table_name,
    CASE kind WHEN 'TABLE' THEN 'BASE TABLE' ELSE kind END AS table_type, remarks
FROM redshift_double.user_relations;

CREATE OR REPLACE VIEW redshift_double.svv_redshift_tables AS
SELECT current_database() AS database_name, nspname AS schema_name, relname AS table_name, kind AS table_type,
    relacl::text AS table_acl, remarks
FROM redshift_double.user_relations;

CREATE OR REPLACE VIEW redshift_double.svv_redshift_schemas AS
SELECT current_database() AS database_name, nspname AS schema_name, nspowner::integer AS schema_owner, 'local'::varchar AS schema_type,
    nspacl::text AS schema_acl, NULL::varchar AS schema_option
FROM pg_catalog.pg_namespace WHERE nspname <> 'redshift_double' AND nspname NOT LIKE 'pg\_t%';

CREATE OR REPLACE FUNCTION redshift_double.count_rows(relation regclass) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s', relation) INTO found;
    RETURN found;
END $$;

-- Without empty tables; for superusers alone unless it is granted (§6.1).
CREATE OR REPLACE VIEW redshift_double.svv_table_info AS
SELECT current_database() AS database, r.nspname AS schema, r.relid::integer AS table_id, r.relname AS "table",
    CASE WHEN EXISTS (SELECT FROM redshift_double.columns c WHERE c.relid = r.relid AND c.encoding <> 'none') THEN 'Y' ELSE 'N' END AS encoded,
    CASE t.diststyle WHEN 'key' THEN format('KEY(%s)', d.attname) WHEN 'auto' THEN 'AUTO(ALL)' ELSE upper(t.diststyle) END AS diststyle,
    coalesce(s.attname::text, 'AUTO(SORTKEY)') AS sortkey1, coalesce(cardinality(t.sortkey), 0) AS sortkey_num,
    pg_total_relation_size(r.relid) / 1048576 + 1 AS size, 0 AS unsorted, 0 AS stats_off,
    redshift_double.count_rows(r.relid) AS tbl_rows, redshift_double.count_rows(r.relid) AS estimated_visible_rows
FROM redshift_double.user_relations r
LEFT JOIN redshift_double.tables t ON t.relid = r.relid
LEFT JOIN pg_catalog.pg_attribute d ON d.attrelid = r.relid AND d.attnum = t.distkey
LEFT JOIN pg_catalog.pg_attribute s ON s.attrelid = r.relid AND s.attnum = t.sortkey[1]
WHERE r.relkind = 'r' AND redshift_double.count_rows(r.relid) > 0;

-- ---- rights -------------------------------------------------------------------------------------------------
CREATE OR REPLACE VIEW redshift_double.svv_relation_privileges AS
SELECT r.nspname AS namespace_name, r.relname AS relation_name, a.privilege_type, a.grantee::integer AS identity_id,
    coalesce(g.rolname, 'public') AS identity_name,
    CASE WHEN a.grantee = 0 THEN 'public' ELSE coalesce(i.kind, CASE WHEN g.rolcanlogin THEN 'user' ELSE 'group' END) END AS identity_type,
    a.is_grantable AS admin_option
FROM redshift_double.user_relations r
CROSS JOIN LATERAL aclexplode(r.relacl) AS a
LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
LEFT JOIN redshift_double.identities i ON i.name = g.rolname
WHERE redshift_double.is_superuser() OR pg_has_role(r.relowner, 'member') OR a.grantee = 0 OR pg_has_role(a.grantee, 'member');

-- ---- what a swap would lose: a test fills the tables as it needs them ------------------------------------------
CREATE TABLE IF NOT EXISTS redshift_double.svv_datashare_objects (
    share_type varchar, share_name varchar, object_type varchar, object_name varchar, producer_account varchar,
    producer_namespace varchar, include_new boolean);
CREATE TABLE IF NOT EXISTS redshift_double.svv_rls_attached_policy (
    relschema varchar, relname varchar, relkind varchar, polname varchar, grantor varchar, grantee varchar, granteekind varchar,
    is_pol_on boolean, is_rls_on boolean, rls_conjunction_type varchar);
CREATE TABLE IF NOT EXISTS redshift_double.svv_attached_masking_policy (
    policy_name varchar, schema_name varchar, table_name varchar, table_type varchar, grantor varchar, grantee varchar,
    grantee_type varchar, priority integer, input_columns varchar, output_columns varchar);
-- Of materialized views upon others alone, says its page.
CREATE OR REPLACE VIEW redshift_double.svv_mv_dependency AS
SELECT DISTINCT current_database() AS database_name, m.nspname AS schema_name, m.relname AS name,
    current_database() AS dependent_database_name, r.nspname AS dependent_schema_name, r.relname AS dependent_name
FROM redshift_double.user_relations m
JOIN pg_catalog.pg_rewrite w ON w.ev_class = m.relid
JOIN pg_catalog.pg_depend d ON d.objid = w.oid AND d.classid = 'pg_rewrite'::regclass
JOIN redshift_double.user_relations r ON r.relid = d.refobjid AND r.relid <> m.relid AND r.relkind = 'm'
WHERE m.relkind = 'm';
CREATE OR REPLACE VIEW redshift_double.svv_mv_info AS
SELECT current_database() AS database_name, nspname AS schema_name, pg_get_userbyid(relowner) AS user_name, relname AS name,
    'f'::char(1) AS is_stale, 1 AS state, 'f'::char(1) AS autorewrite, 'f'::char(1) AS autorefresh
FROM redshift_double.user_relations WHERE relkind = 'm';

-- ---- the cluster -----------------------------------------------------------------------------------------------
CREATE OR REPLACE VIEW redshift_double.stv_slices AS
SELECT 0 AS node, s AS slice, s AS localslice, 'D'::char(1) AS type FROM pg_catalog.generate_series(0, 1) AS s WHERE redshift_double.is_cluster();
CREATE OR REPLACE VIEW redshift_double.stv_db_isolation_level AS
SELECT current_database() AS db_name,
    CASE current_setting('default_transaction_isolation') WHEN 'serializable' THEN 'Serializable' ELSE 'Snapshot Isolation' END AS isolation_level;
CREATE OR REPLACE VIEW redshift_double.svv_transactions AS
SELECT a.usename AS txn_owner, a.datname AS txn_db, a.backend_xid::text::bigint AS xid, a.pid, a.xact_start AS txn_start,
    l.mode AS lock_mode, l.locktype AS lockable_object_type, l.relation::integer AS relation, l.granted
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE a.datname = current_database() AND l.locktype IN ('relation', 'transactionid');

-- ---- loads: STL tables are of clusters alone, and show the user's own rows (§1.7) --------------------------------
CREATE OR REPLACE VIEW redshift_double.stl_load_errors AS
SELECT 100 AS userid, 0 AS slice, tbl, starttime, session, query, filename::char(256) AS filename, line_number,
    colname::char(127) AS colname, type::char(10) AS type, col_length::char(10) AS col_length, position,
    raw_line::char(1024) AS raw_line, raw_field_value::char(1024) AS raw_field_value, err_code,
    err_reason::char(100) AS err_reason, 0 AS is_partial, 0 AS start_offset
FROM redshift_double.load_errors
WHERE NOT serverless AND redshift_double.is_cluster() AND redshift_double.sees(usename);
CREATE OR REPLACE VIEW redshift_double.sys_load_error_detail AS
SELECT 100 AS user_id, query::bigint AS query_id, transaction_id, session AS session_id, 'dev'::char(64) AS database_name,
    tbl AS table_id, starttime AS start_time, filename::char(256) AS file_name, line_number, colname::char(127) AS column_name,
    type::char(10) AS column_type, col_length::char(10) AS column_length, position, err_code AS error_code,
    err_reason::char(512) AS error_message
FROM redshift_double.load_errors WHERE redshift_double.sees(usename);
CREATE OR REPLACE VIEW redshift_double.stl_load_commits AS
SELECT 100 AS userid, query, 0 AS slice, filename::char(256) AS filename, lines_scanned, curtime
FROM redshift_double.load_commits
WHERE NOT serverless AND redshift_double.is_cluster() AND redshift_double.sees(usename);
CREATE OR REPLACE VIEW redshift_double.sys_load_history AS
SELECT 100 AS user_id, query_id, transaction_id, session_id, 'dev'::text AS database_name, status, table_name, data_source,
    loaded_rows, file_count AS source_file_count, errors AS error_count, end_time
FROM redshift_double.load_history WHERE redshift_double.sees(usename);

GRANT SELECT ON ALL TABLES IN SCHEMA redshift_double TO PUBLIC;
REVOKE SELECT ON redshift_double.svv_table_info, redshift_double.stv_db_isolation_level FROM PUBLIC;
