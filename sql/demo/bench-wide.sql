-- The benchmark's wide table: 50 columns of the types that applications use, about 560 bytes a row as
-- CSV. Every value is a function of the row's number.
--
--   psql -v ON_ERROR_STOP=1 -v rows=1000000 -f sql/demo/bench-wide.sql

\set ON_ERROR_STOP on
\if :{?rows}
\else
\set rows 1000000
\endif

BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE IF EXISTS wide;
CREATE TABLE wide (
    id bigint NOT NULL, public_id uuid NOT NULL, account_id bigint NOT NULL, parent_id bigint, session_id uuid,
    kind smallint NOT NULL, state smallint NOT NULL, priority integer NOT NULL, attempts integer NOT NULL, position integer,
    quantity integer NOT NULL, weight_g integer, distance_m integer, duration_s integer, visits bigint NOT NULL,
    is_active boolean NOT NULL, is_test boolean NOT NULL, is_paid boolean NOT NULL, is_guest boolean, is_refunded boolean,
    net numeric(12, 2) NOT NULL, tax numeric(12, 2) NOT NULL, gross numeric(12, 2) NOT NULL, discount numeric(10, 2),
    fee numeric(10, 4), rate numeric(18, 8), latitude double precision, longitude double precision, score real,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, paid_at timestamptz, shipped_at timestamptz,
    deleted_at timestamptz, local_time timestamp, ordered_on date NOT NULL, due_on date,
    email varchar(120) NOT NULL, name varchar(80) NOT NULL, phone varchar(20), currency char(3) NOT NULL, country varchar(2) NOT NULL,
    city text NOT NULL, street text, status text NOT NULL, note text, user_agent text, referrer text,
    tags text[], details jsonb
);

INSERT INTO wide
SELECT i, md5(i::text)::uuid, i % 70001, CASE WHEN i % 9 = 0 THEN i / 2 END, CASE WHEN i % 3 > 0 THEN md5('s' || i / 7)::uuid END,
       i % 7, i % 5, i % 10, i % 3, CASE WHEN i % 4 > 0 THEN i % 1000 END,
       1 + i % 12, CASE WHEN i % 6 > 0 THEN i % 30011 END, i % 50021, CASE WHEN i % 8 > 0 THEN i % 7201 END, i * 3,
       i % 2 = 0, i % 41 = 0, i % 3 = 0, CASE WHEN i % 5 > 0 THEN i % 7 = 0 END, CASE WHEN i % 11 = 0 THEN i % 2 = 0 END,
       (i % 1000003) / 100.0, (i % 200003) / 100.0, (i % 1200007) / 100.0, CASE WHEN i % 10 = 0 THEN (i % 5003) / 100.0 END,
       (i % 90001) / 10000.0, (i % 900000001) / 100000000.0, 51.5 + (i % 90001) / 700000.0, -0.12 + (i % 80021) / 900000.0, (i % 1009) / 8.0,
       t, t + i % 86400 * interval '1 second', CASE WHEN i % 3 = 0 THEN t + interval '61.25 seconds' END,
       CASE WHEN i % 5 < 3 THEN t + interval '2 days' END, CASE WHEN i % 50 = 0 THEN t + interval '40 days' END,
       (t AT TIME ZONE 'Europe/London'), (t AT TIME ZONE 'UTC')::date, CASE WHEN i % 4 = 0 THEN (t AT TIME ZONE 'UTC')::date + 30 END,
       'customer' || i % 70001 || '@example.com', (ARRAY['Ada Lovelace', 'Zoë Müller', 'José da Silva', 'Ng Wei'])[1 + i % 4],
       CASE WHEN i % 3 > 0 THEN '+44 20 ' || 1000000 + i % 8999999 END, (ARRAY['EUR', 'GBP', 'USD'])[1 + i % 3], (ARRAY['GB', 'DE', 'FR', 'PT'])[1 + i % 4],
       (ARRAY['London', 'Köln', 'Paris', 'Lisboa', 'Manchester'])[1 + i % 5], CASE WHEN i % 7 > 0 THEN i % 300 || ' High Street' END,
       (ARRAY['placed', 'accepted', 'picked up', 'delivered', 'cancelled'])[1 + i % 5],
       CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'Ring twice, then wait – “Müller”, 3rd floor' ELSE 'Gate code ' || i % 10000 END,
       'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/' || 500 + i % 40, CASE WHEN i % 3 = 0 THEN 'https://example.com/c/' || i % 503 END,
       CASE WHEN i % 4 = 0 THEN ARRAY['new', 'vip', 'a' || i % 10] END,
       jsonb_build_object('channel', 'app', 'version', i % 40, 'items', jsonb_build_array(i % 89, i % 97))
FROM generate_series(1::bigint, :rows) AS i, LATERAL (SELECT timestamptz '2020-01-01 00:00+00' + i * interval '37.013 seconds') AS o(t);

ALTER TABLE wide ADD PRIMARY KEY (id);
COMMIT;
-- Hint bits and the visibility map are set once, not by whichever run reads the table first.
VACUUM (ANALYZE) wide;
