-- One more day of the demo's business, from a day before :until to :until: new customers and orders with all that belongs to
-- them, orders of before that move on, late tips, ratings and refunds, the next day's rates. Fridays and Saturdays are
-- busiest, and the shop grows. Every value is a function of the day and of its row's number.
--
--   psql -v ON_ERROR_STOP=1 -v until='2026-11-01 05:00+00' -f sql/demo/day.sql

\set ON_ERROR_STOP on

BEGIN;
SET LOCAL TimeZone = 'UTC';
SET LOCAL client_min_messages = warning;

CREATE FUNCTION pg_temp.pick(row_number bigint, salt integer, choices integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ((hashint8extended(row_number, salt) & 9223372036854775807) % choices)::integer $$;

-- What the day is like. A day's share of the week begins with Monday; the noise is of up to six percent.
CREATE TEMPORARY TABLE today ON COMMIT DROP AS
SELECT since, until, n,
       150 * exp(0.004 * n) * (ARRAY[0.85, 0.84, 0.9, 1, 1.25, 1.35, 1.05])[extract(isodow FROM since)::int]
           * (0.94 + pg_temp.pick(n, 900, 1201) / 10000.0) AS busy
FROM (SELECT :'until'::timestamptz - interval '1 day' AS since, :'until'::timestamptz AS until,
             :'until'::date - date '2026-11-01' AS n) d;
SELECT since, until, n, round(busy)::int AS orders, round(busy / 14)::int AS customers,
       coalesce((SELECT max(id) FROM orders), 0) AS last_order, (SELECT max(id) FROM customers) AS last_customer
FROM today \gset

-- The rates of the day that has begun somewhere by then: around what they were in the last weeks.
INSERT INTO fx_rates (day, currency, per_euro, provider)
SELECT :'until'::date, currency,
       CASE WHEN currency = 'EUR' THEN 1
            ELSE round(avg(per_euro) * (1 + (pg_temp.pick(:n * 100 + min(ascii(currency) * 26 + ascii(substr(currency, 3))), 901, 4001) - 2000) / 200000.0), 8) END,
       'central bank'
FROM fx_rates WHERE day >= :'until'::date - 40 GROUP BY currency;

-- New customers, of names that others have too.
INSERT INTO customers (id, email, password_hash, full_name, nickname, phone, birthday, address, city_id, newsletter, preferences,
                       referred_by, created_at, updated_at)
SELECT i, format('customer.%s@example.com', i), md5(i::text), a.full_name, a.nickname,
       CASE WHEN pg_temp.pick(i, 910, 6) > 0 THEN format('+%s %s', 1 + pg_temp.pick(i, 911, 98), 1000000 + pg_temp.pick(i, 912, 8999999)) END,
       CASE WHEN pg_temp.pick(i, 913, 3) > 0 THEN date '1931-05-17' + pg_temp.pick(i, 914, 28000) END,
       b.address, b.city_id, CASE pg_temp.pick(i, 915, 3) WHEN 0 THEN NULL WHEN 1 THEN true ELSE false END, b.preferences,
       CASE WHEN pg_temp.pick(i, 916, 5) = 0 THEN 1 + pg_temp.pick(i, 917, 40) END, joined, joined
FROM generate_series(:last_customer + 1, :last_customer + :customers) AS i
JOIN customers a ON a.id = 1 + pg_temp.pick(i, 918, 40)
JOIN customers b ON b.id = 1 + pg_temp.pick(i, 919, 40),
     LATERAL (SELECT :'since'::timestamptz + pg_temp.pick(i, 920, 86000000) * interval '1 millisecond' AS joined) j;

-- Some change what is known of them.
UPDATE customers SET newsletter = NOT coalesce(newsletter, false),
                     updated_at = :'since'::timestamptz + pg_temp.pick(id, 921, 86000) * interval '1 second'
WHERE id <= :last_customer AND pg_temp.pick(id * 1000 + :n, 922, 100) = 0;

-- The day's orders: of a city's customer, at lunch and in the evening of the city's own clock.
CREATE TEMPORARY TABLE drafts ON COMMIT DROP AS
SELECT :last_order + row_number() OVER (ORDER BY ordered_at, i) AS id, i AS seed, customer, city, currency, timezone, ordered_at,
       ordered_at + waited AS picked_up_at, ordered_at + waited + ridden AS delivered_at, waited, ridden
FROM (SELECT i, c.id AS customer, t.id AS city, t.currency, t.timezone,
             -- The local time falls on one moment of the day that is played.
             CASE WHEN local < :'since' THEN local + interval '1 day' WHEN local >= :'until' THEN local - interval '1 day' ELSE local END AS ordered_at,
             (10 + pg_temp.pick(i, 932, 30)) * interval '1 minute' AS waited,
             pg_temp.pick(i, 933, 3600000) * interval '1 millisecond' AS ridden
      FROM generate_series(:n * 100000::bigint + 1, :n * 100000::bigint + :orders) AS i
      JOIN customers c ON c.id = 1 + pg_temp.pick(i, 930, (:last_customer + :customers)::int)
      JOIN cities t ON t.id = c.city_id,
           LATERAL (SELECT (:'since'::date
               + (ARRAY[time '11:40', '12:15', '13:05', '18:20', '19:00', '19:30', '20:10', '21:45', '23:20'])[1 + pg_temp.pick(i, 931, 9)]
               + pg_temp.pick(i, 934, 1800000) * interval '1 millisecond') AT TIME ZONE t.timezone AS local) l) AS o;

CREATE TEMPORARY TABLE items ON COMMIT DROP AS
SELECT d.id AS order_id, line, d.seed * 8 + line AS seed, 1 + pg_temp.pick(d.seed * 8 + line, 940, 3) AS quantity,
       round((3 + pg_temp.pick(d.seed * 8 + line, 941, 1900) / 100.0) * f.per_euro, least(2, u.minor_units)) AS unit_price
FROM drafts d JOIN currencies u ON u.code = d.currency JOIN fx_rates f ON f.currency = d.currency AND f.day = '2026-01-01',
     generate_series(1, 1 + pg_temp.pick(d.seed, 942, 4)) AS line;

INSERT INTO orders (id, customer_id, restaurant_id, rider_id, status, ordered_at, ordered_local, currency, subtotal,
                    delivery_fee, tip, discount, channel, tags, note, updated_at)
SELECT d.id, d.customer, r.id, CASE WHEN s.status IN ('delivered', 'refunded', 'picked up') THEN w.id END, s.status, d.ordered_at,
       d.ordered_at AT TIME ZONE d.timezone, d.currency, t.subtotal,
       round((pg_temp.pick(d.seed, 950, 400) / 100.0) * f.per_euro, least(2, u.minor_units)),
       CASE pg_temp.pick(d.seed, 951, 3) WHEN 0 THEN NULL WHEN 1 THEN 0
           ELSE round((pg_temp.pick(d.seed, 952, 500) / 100.0) * f.per_euro, least(2, u.minor_units)) END,
       CASE WHEN pg_temp.pick(d.seed, 953, 8) = 0 THEN t.subtotal * pg_temp.pick(d.seed, 954, 30) / 100 END,
       (ARRAY['app', 'app', 'app', 'web', 'web', 'phone', 'partner: "Schlemmer"'])[1 + pg_temp.pick(d.seed, 955, 7)],
       CASE pg_temp.pick(d.seed, 956, 6) WHEN 0 THEN ARRAY['first order', NULL] WHEN 1 THEN ARRAY['gift 🎁'] WHEN 2 THEN '{}'::text[] END,
       CASE pg_temp.pick(d.seed, 957, 8) WHEN 0 THEN 'Ring twice.' WHEN 1 THEN '' END,
       CASE s.status WHEN 'cancelled' THEN d.ordered_at + interval '9 minutes' WHEN 'placed' THEN d.ordered_at
           WHEN 'picked up' THEN d.picked_up_at WHEN 'accepted' THEN d.ordered_at + interval '1 minute'
           ELSE d.delivered_at END
FROM drafts d
JOIN LATERAL (SELECT CASE WHEN d.picked_up_at >= :'until' THEN (ARRAY['placed', 'accepted'])[1 + (d.ordered_at + interval '1 minute' < :'until')::int]
                          WHEN d.delivered_at >= :'until' THEN 'picked up'
                          WHEN pg_temp.pick(d.seed, 960, 100) < 92 THEN 'delivered'
                          WHEN pg_temp.pick(d.seed, 960, 100) < 98 THEN 'cancelled' ELSE 'refunded' END::order_status AS status) s ON true
JOIN (SELECT order_id, sum(quantity * unit_price) AS subtotal FROM items GROUP BY order_id) t ON t.order_id = d.id
JOIN currencies u ON u.code = d.currency
JOIN fx_rates f ON f.currency = d.currency AND f.day = '2026-01-01'
JOIN LATERAL (SELECT id FROM restaurants WHERE city_id = d.city ORDER BY pg_temp.pick(d.seed, 961, 1000000) * id % 1000003 LIMIT 1) r ON true
JOIN LATERAL (SELECT id FROM riders WHERE city_id = d.city ORDER BY pg_temp.pick(d.seed, 962, 1000000) * id % 1000003 LIMIT 1) w ON true
ORDER BY d.id;

INSERT INTO order_items (order_id, line, dish, quantity, unit_price, options)
SELECT order_id, line, (SELECT dish FROM order_items ORDER BY order_id, line LIMIT 1 OFFSET pg_temp.pick(seed, 943, 200)), quantity, unit_price,
       CASE WHEN pg_temp.pick(seed, 944, 5) = 0 THEN '{"size": "L"}'::jsonb END
FROM items ORDER BY order_id, line;

-- Orders of before that were under way arrive, or are given up.
CREATE TEMPORARY TABLE moved ON COMMIT DROP AS
SELECT o.id, CASE WHEN pg_temp.pick(o.id, 970, 20) > 0 AND o.ordered_at > :'since'::timestamptz - interval '3 hours' THEN 'delivered' ELSE 'cancelled' END::order_status AS status,
       :'since'::timestamptz + (45 + pg_temp.pick(o.id, 971, 40)) * interval '1 minute' AS at, coalesce(o.rider_id, w.id) AS rider_id
FROM orders o JOIN restaurants r ON r.id = o.restaurant_id
JOIN LATERAL (SELECT id FROM riders WHERE city_id = r.city_id ORDER BY id LIMIT 1) w ON true
WHERE o.id <= :last_order AND o.ordered_at < :'since' AND o.status IN ('placed', 'accepted', 'cooking', 'picked up');
UPDATE orders o SET status = m.status, updated_at = m.at, rider_id = CASE m.status WHEN 'delivered' THEN m.rider_id END
FROM moved m WHERE m.id = o.id;
DELETE FROM deliveries d USING moved m WHERE m.id = d.order_id AND m.status = 'cancelled';
UPDATE deliveries d SET delivered_at = m.at, duration = m.at - d.picked_up_at FROM moved m WHERE m.id = d.order_id;

-- Some of the last days' customers thought of a tip afterwards, some have their money back.
UPDATE orders SET tip = coalesce(tip, 0) + greatest(1, round(delivery_fee)),
                  updated_at = :'since'::timestamptz + pg_temp.pick(id, 972, 80000) * interval '1 second'
WHERE id <= :last_order AND ordered_at >= :'since'::timestamptz - interval '3 days' AND status = 'delivered'
  AND pg_temp.pick(id * 1000 + :n, 973, 40) = 0;
CREATE TEMPORARY TABLE refunded ON COMMIT DROP AS
SELECT id, :'since'::timestamptz + pg_temp.pick(id, 974, 80000) * interval '1 second' AS at FROM orders
WHERE id <= :last_order AND ordered_at >= :'since'::timestamptz - interval '3 days' AND status = 'delivered'
  AND id NOT IN (SELECT id FROM moved) AND pg_temp.pick(id * 1000 + :n, 975, 200) = 0;
UPDATE orders o SET status = 'refunded', updated_at = r.at FROM refunded r WHERE r.id = o.id;

INSERT INTO deliveries (id, order_id, rider_id, picked_up_at, delivered_at, duration, distance_m, track, doorstep_photo_sha256, stars, feedback)
SELECT md5('delivery ' || o.id)::uuid, o.id, o.rider_id, p.picked_up_at, p.delivered_at, p.delivered_at - p.picked_up_at,
       200 + pg_temp.pick(o.id, 980, 80000) / 10.0,
       CASE pg_temp.pick(o.id, 981, 3) WHEN 0 THEN NULL ELSE ARRAY[51.5, NULL, -0.12] END,
       CASE WHEN pg_temp.pick(o.id, 982, 4) = 0 THEN sha256(int8send(o.id)) END,
       CASE WHEN pg_temp.pick(o.id, 983, 4) = 0 THEN 1 + pg_temp.pick(o.id, 984, 5) END,
       CASE WHEN pg_temp.pick(o.id, 985, 20) = 0 THEN 'Still warm, thank you' END
FROM orders o,
     LATERAL (SELECT d.picked_up_at, CASE WHEN o.status <> 'picked up' THEN d.delivered_at END AS delivered_at FROM drafts d WHERE d.id = o.id
              UNION ALL SELECT m.at - interval '15 minutes', m.at FROM moved m WHERE m.id = o.id) p
WHERE o.rider_id IS NOT NULL AND NOT EXISTS (SELECT FROM deliveries d WHERE d.order_id = o.id);
-- Stars come late, too.
UPDATE deliveries SET stars = 1 + pg_temp.pick(order_id, 986, 5)
WHERE stars IS NULL AND picked_up_at >= :'since'::timestamptz - interval '2 days' AND picked_up_at < :'since'
  AND pg_temp.pick(order_id * 1000 + :n, 987, 15) = 0;

INSERT INTO order_events (id, order_id, status, happened_at, actor, details)
SELECT (SELECT max(id) FROM order_events) + row_number() OVER (ORDER BY happened_at, order_id, status), order_id, status, happened_at, actor,
       CASE pg_temp.pick(order_id * 8 + extract(minute FROM happened_at)::int, 990, 4) WHEN 0 THEN '{"app": "4.7", "ok": true}'::jsonb WHEN 1 THEN '[]'::jsonb END
FROM (SELECT id AS order_id, 'placed'::order_status AS status, ordered_at AS happened_at, 'customer' AS actor FROM drafts
      UNION ALL SELECT d.id, 'picked up', d.picked_up_at, 'rider' FROM drafts d JOIN orders o USING (id)
                WHERE o.status = 'picked up' OR (o.rider_id IS NOT NULL AND pg_temp.pick(d.seed, 991, 3) = 0)
      UNION ALL SELECT d.id, 'delivered', d.delivered_at, 'rider' FROM drafts d JOIN orders o USING (id) WHERE o.status IN ('delivered', 'refunded')
      UNION ALL SELECT d.id, o.status, o.updated_at, CASE o.status WHEN 'refunded' THEN 'support' WHEN 'cancelled' THEN 'customer' ELSE 'restaurant' END
                FROM drafts d JOIN orders o USING (id) WHERE o.status IN ('cancelled', 'accepted', 'refunded')
      UNION ALL SELECT id, status, at, CASE status WHEN 'delivered' THEN 'rider' ELSE 'customer' END FROM moved
      UNION ALL SELECT id, 'refunded', at, 'support' FROM refunded) AS e;

-- Now and then one wants all traces of an order gone. Events are kept: they say nothing of a person.
CREATE TEMPORARY TABLE forgotten ON COMMIT DROP AS
SELECT id FROM orders WHERE :n % 5 = 3 AND id <= :last_order AND status = 'cancelled' ORDER BY ordered_at DESC LIMIT 1;
DELETE FROM order_items WHERE order_id IN (SELECT id FROM forgotten);
DELETE FROM orders WHERE id IN (SELECT id FROM forgotten);

SELECT setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders)),
       setval(pg_get_serial_sequence('customers', 'id'), (SELECT max(id) FROM customers))
\g /dev/null
COMMIT;
