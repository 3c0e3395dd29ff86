-- The benchmark's source: one table `orders`, 13 columns of mixed types, about 215 bytes a row as CSV
-- (5 million rows: 1.1 GB). Every value is a function of the row's number.
--
--   psql -v ON_ERROR_STOP=1 -v rows=5000000 -f sql/demo/bench-orders.sql

\set ON_ERROR_STOP on
\if :{?rows}
\else
\set rows 5000000
\endif

BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE IF EXISTS orders;
CREATE TABLE orders (
    id bigint NOT NULL,
    public_id uuid NOT NULL,
    customer_id integer NOT NULL,
    restaurant_id integer NOT NULL,
    rider_id integer,
    status text NOT NULL,
    ordered_at timestamptz NOT NULL,
    delivered_on date,
    total numeric(12, 2) NOT NULL,
    distance_m double precision,
    first_order boolean NOT NULL,
    note text,
    details jsonb
);

INSERT INTO orders
SELECT i, md5(i::text)::uuid, i % 700001, i % 9973, CASE WHEN i % 17 > 0 THEN i % 12007 END,
       (ARRAY['placed', 'accepted', 'picked up', 'delivered', 'delivered', 'cancelled'])[1 + i % 6],
       timestamptz '2020-01-01 00:00+00' + i * interval '37.013 seconds',
       CASE WHEN i % 6 IN (3, 4) THEN date '2020-01-01' + (i / 2400)::int END,
       (i % 1000003) / 100.0 + 5, CASE WHEN i % 5 > 0 THEN (i % 90001) / 7.0 END, i % 23 = 0,
       CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'Ring twice, then wait – “Müller”, 3rd floor'
                  ELSE 'Please leave it with the neighbour, gate code ' || i % 10000 END,
       jsonb_build_object('channel', 'app', 'version', i % 40, 'items', jsonb_build_array(i % 89, i % 97))
FROM generate_series(1::bigint, :rows) AS i;

ALTER TABLE orders ADD PRIMARY KEY (id);
COMMIT;
-- Hint bits and the visibility map are set once, not by whichever run reads the table first.
VACUUM (ANALYZE) orders;
