-- The 300 tables of scripts/bench.sh --night: large_1 to large_3 of `rows` rows with a moment that every change moves,
-- middle_01 to middle_27 of a twentieth of it, small_001 to small_270 of up to 1,000 rows.
--
--   psql -v ON_ERROR_STOP=1 -v rows=1000000 -f sql/demo/bench-night.sql

\ir bench-changing.sql
\set tables 270
\set middle_rows :rows / 20
\set large_rows :rows
\set rows 1000
\ir bench-small.sql

SET client_min_messages = warning;
SELECT format('DROP TABLE IF EXISTS %I', name), format('CREATE TABLE %I (LIKE changing)', name),
    format('INSERT INTO %I SELECT * FROM changing WHERE id <= %s ORDER BY id', name, rows), format('ALTER TABLE %I ADD PRIMARY KEY (id)', name),
    CASE WHEN is_large THEN format('CREATE INDEX ON %I (updated_at)', name) END, format('VACUUM (ANALYZE) %I', name)
FROM (SELECT 'large_' || n AS name, :large_rows AS rows, true AS is_large FROM generate_series(1, 3) AS n
    UNION ALL SELECT 'middle_' || lpad(n::text, 2, '0'), :middle_rows, false FROM generate_series(1, 27) AS n) AS t
\gexec
DROP TABLE changing;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO barncat_source;
