-- Many small tables, small_001 to small_<tables>: every tenth has `rows` rows, the others a twentieth to nine of it (is_equal=1: all
-- have as many).
--
--   psql -v ON_ERROR_STOP=1 -v tables=200 -v rows=1000 -f sql/demo/bench-small.sql

\set ON_ERROR_STOP on
\if :{?is_equal}
\else
\set is_equal 0
\endif
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT format('DROP TABLE IF EXISTS small_%1$s; CREATE TABLE small_%1$s (id integer NOT NULL, name text NOT NULL, kind varchar(20),
        price numeric(10, 2) NOT NULL, is_active boolean NOT NULL, created_at timestamptz NOT NULL, note text);
    INSERT INTO small_%1$s SELECT i, ''name '' || i, CASE WHEN i %% 5 > 0 THEN ''kind '' || i %% 7 END, i %% 10007 / 100.0, i %% 3 > 0,
        timestamptz ''2024-01-01 00:00+00'' + i * interval ''61.5 seconds'', CASE i %% 3 WHEN 0 THEN NULL WHEN 1 THEN '''' ELSE ''note '' || i END
    FROM generate_series(1, %2$s) AS i;
    ALTER TABLE small_%1$s ADD PRIMARY KEY (id); ANALYZE small_%1$s', lpad(n::text, greatest(3, length(n::text)), '0'),
    CASE WHEN n % 10 = 0 OR :is_equal = 1 THEN :rows ELSE greatest(:rows * (n % 10) / 20, 3) END)
FROM generate_series(1, :tables) AS n
\gexec
COMMIT;
