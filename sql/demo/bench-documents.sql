-- A table that is mostly jsonb: about 1.5 kB a row as CSV, with numbers that no double holds, escapes, nested and empty
-- values, JSON's null beside SQL's.
--
--   psql -v ON_ERROR_STOP=1 -v rows=500000 -f sql/demo/bench-documents.sql

\set ON_ERROR_STOP on
BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE IF EXISTS documents;
CREATE TABLE documents (
    id bigint NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    settings jsonb,
    events jsonb,
    created_at timestamptz NOT NULL
);
INSERT INTO documents
SELECT i, 'kind ' || i % 13,
       jsonb_build_object('id', i, 'uuid', md5(i::text), 'exact', ('12345678901234567890.' || lpad((i % 100000)::text, 5, '0') || '10')::numeric,
           'customer', jsonb_build_object('name', 'Zoë "the" Müller', 'email', 'c' || i % 70001 || '@example.com', 'note', E'one\ntwo\\ 😀',
               'address', jsonb_build_object('street', i % 300 || ' High Street', 'city', 'London', 'geo', jsonb_build_array(51.5 + i % 7, -0.12))),
           'lines', (SELECT jsonb_agg(jsonb_build_object('sku', md5((i * 7 + n)::text), 'quantity', 1 + n % 3, 'price', 10.10 + n, 'gift', n = 2,
               'text', repeat('a line of what was ordered ', 2) || n)) FROM generate_series(1, 5) AS n)),
       CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 'null' WHEN 2 THEN '{}' ELSE jsonb_build_object('on', true, 'limit', i % 40, 'tags', '[]'::jsonb) END,
       CASE WHEN i % 3 > 0 THEN jsonb_build_array(jsonb_build_object('at', '2026-01-01T00:00:00Z', 'what', 'placed'), jsonb_build_object('at', NULL, 'what', '')) END,
       timestamptz '2020-01-01 00:00+00' + i * interval '37.013 seconds'
FROM generate_series(1::bigint, :rows) AS i;
ALTER TABLE documents ADD PRIMARY KEY (id);
COMMIT;
VACUUM (ANALYZE) documents;
