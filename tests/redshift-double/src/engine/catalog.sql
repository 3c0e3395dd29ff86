-- Views of Redshift's catalog, as far as a loader reads them. STL tables are the user's own rows, and of
-- clusters alone (§1.7).
CREATE OR REPLACE FUNCTION redshift_double.sees(owner text) RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT owner = current_user OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) $$;
CREATE OR REPLACE FUNCTION redshift_double.is_cluster() RETURNS boolean LANGUAGE sql STABLE AS
    $$ SELECT coalesce(current_setting('redshift_double.serverless', true), 'false') <> 'true' $$;

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
