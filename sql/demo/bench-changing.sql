-- The columns of `orders`, with a moment that every change moves and an index on it: for loads of new rows.
--
--   psql -v ON_ERROR_STOP=1 -v rows=1000000 -f sql/demo/bench-changing.sql

\ir bench-orders.sql

BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE IF EXISTS changing;
CREATE TABLE changing (LIKE orders, updated_at timestamptz NOT NULL);
INSERT INTO changing SELECT o.*, ordered_at FROM orders o ORDER BY id;
ALTER TABLE changing ADD PRIMARY KEY (id);
CREATE INDEX changing_updated_at ON changing (updated_at);
DROP TABLE orders;
COMMIT;
VACUUM (ANALYZE) changing;
