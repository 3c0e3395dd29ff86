-- The wide table of scripts/bench-peers.sh: the 50 columns of bench-wide.sql and ten whose values are altered easily on the
-- way: numbers with more digits than a double has, texts with what CSV must quote, bytes, arrays. About 700 bytes a row as CSV.
--
--   psql -v ON_ERROR_STOP=1 -v rows=1000000 -f sql/demo/bench-wide-60.sql

\ir bench-wide.sql

BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE IF EXISTS wide_60;
CREATE TABLE wide_60 (
    LIKE wide,
    exact numeric NOT NULL, share numeric(30, 20), seconds interval, opens_at time, digest bytea NOT NULL,
    lines text, path text, marker text NOT NULL, amounts integer[], raw json
);
INSERT INTO wide_60
SELECT w.*, id * 1000000007.000000000000000123, CASE WHEN id % 3 > 0 THEN (id % 997) / 996.00000000000000000000 END,
       CASE WHEN id % 4 = 0 THEN id % 90000 * interval '1.5 seconds' END, time '06:30' + id % 600 * interval '61.5 seconds',
       decode(md5(id::text), 'hex'), E'one, "two"\nthree\t' || id % 1000, CASE WHEN id % 5 > 0 THEN E'C:\\new\\' || id % 100 END,
       (ARRAY['\N', 'NULL', '', ' ', 'null', '{}'])[1 + id % 6], CASE WHEN id % 6 = 0 THEN ARRAY[id % 10, NULL, 7]::integer[] END,
       CASE WHEN id % 7 > 0 THEN ('{"b": ' || id % 10 || ', "a":  1.10}')::json END
FROM wide w ORDER BY id;
ALTER TABLE wide_60 ADD PRIMARY KEY (id);
DROP TABLE wide;
COMMIT;
VACUUM (ANALYZE) wide_60;
