-- Fills the demo's source. Every value is a function of its row's number, so two runs of one scale
-- give the same rows on any machine. One transaction: what is there is whole.
--
--   psql -v ON_ERROR_STOP=1 -v scale=1 -f sql/demo/generate.sql
--
-- :scale  1 makes about 1.4 million rows, 0.01 about 25 thousand (rates and cities do not shrink)

\set ON_ERROR_STOP on
\if :{?scale}
\else
\set scale 1
\endif

BEGIN;
SET LOCAL TimeZone = 'UTC';
SET LOCAL client_min_messages = warning;

-- The generator's own functions, dropped at the end.
CREATE SCHEMA demo;

-- A number from 0 to choices - 1, by row and by what it is for (salt). Simple enough for the planner
-- to inline, which is what makes millions of calls cheap.
CREATE FUNCTION demo.pick(row_number bigint, salt integer, choices integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ((hashint8extended(row_number, salt) & 9223372036854775807) % choices)::integer $$;

CREATE FUNCTION demo.one_of(row_number bigint, salt integer, choices text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT choices[1 + ((hashint8extended(row_number, salt) & 9223372036854775807) % cardinality(choices))::integer] $$;

CREATE FUNCTION demo.uuid_of(row_number bigint, salt integer) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (lpad(to_hex(hashint8extended(row_number, salt)), 16, '0')
           || lpad(to_hex(hashint8extended(row_number, salt + 1000)), 16, '0'))::uuid $$;

\ir schema.sql
\ir cities.sql

SELECT greatest(1, round(100 * :scale))::int AS restaurants_a_city,
       greatest(1, round(150 * :scale))::int AS riders_a_city,
       greatest(40, round(60000 * :scale))::int AS customers,
       greatest(100, round(200000 * :scale))::int AS orders \gset

SELECT $$ {Ada,Amélie,Anaïs,Aoife,Björk,Chloé,Çağla,Đức,Élodie,Fatıma,François,Giulia,Hanna,Ingrid,Jürgen,
José,João,Łukasz,Maël,Márta,Nguyễn,Noor,Øyvind,Priya,Renée,Rosa,Seán,Søren,Thị,Ülkü,Zoë,Žofie,Ирина,Мария,
Ελένη,محمد,ليلى,नेहा,अर्जुन,さくら,健太,小明,王芳,민준,서연,สมชาย,"Jean-Luc","Mary Ann","D'Arcy","Q"} $$ AS first_names,
$$ {"O'Brien","O'Neill","D'Souza",Müller,Strauß,Çelik,Gonçalves,Nuñez,García,"van der Berg","de la Cruz",Łabędź,
Dvořák,Håkansson,Jørgensen,Ólafsdóttir,Rossi,Papadopoulos,Παπαδόπουλος,Кузнецова,Smith,Jones,Kim,김,이,Lý,Trần,
山田,佐藤,陳,李,शर्मा,Sharma,Iyer,السيد,"Al-Sayed",ศรีสุข,Okafor,Nkosi,Dlamini,Silva,"Smith-Jones","St. John",
"Null",True,Möller,"Ng","Xu","Taylor 3rd"} $$ AS last_names,
$$ {Acacia,"King's",Église,Goethe,Mühlen,Linden,Garibaldi,Verdi,Marszałkowska,Náměstí,Østre,Vesturgata,Atatürk,
Gandhi,"Lê Lợi",中山,桜,新橋,강남,สุขุมวิท,Mill,Station,Church,"St. James’s",Liberdade,"Nuevo León",Sauchiehall,Queen,
"Rock & Roll",Harbour} $$ AS streets,
$$ {Pizza,Sushi,Curry,Tacos,Phở,Döner,Smørrebrød,Burgers,Ramen,Dim Sum,Pierogi,Falafel,Crêpes,Bibimbap,Tapas,
Moussaka,Feijoada,Poutine,Biryani,"Fish & Chips"} $$ AS kitchens,
$$ {"%s Palace","Chez %s","The \"%s\" House","%s 2 Go","Little %s","%s & Sons","Mama's %s","%s — since 1987","100% %s",
"%s/Bar","El %s","%s 🍽","%s\\Grill"} $$ AS restaurant_names,
$$ {"Margherita","Quattro stagioni","Nigiri (8)","カツ丼","担担麺","北京烤鸭","비빔밥","Phở bò tái","Bánh mì","Pad Thai ผัดไทย",
"Döner \"spezial\"","Käsespätzle","Crème brûlée","Jalapeño poppers","Smørrebrød","Żurek","Fish & chips","Dal makhani",
"मसाला डोसा","Falafel (vegan 🌱)","Caesar's salad","Soupe à l'oignon","Açaí","Mango lassi","Espresso","Still water 0,5 l",
"Ice cream 🍦","Chef's surprise","50/50 burger","Poké"} $$ AS dishes,
$$ {"Ring twice.","No onions, please","Gate code 4711#","Leave it with the neighbour: \"Müller\"","C:\\doors\\left","\\N",
NULL,"null"," ","It's my birthday 🎂🎉","請放在門口","Par l'arrière, s.v.p.","100% allergic to nuts; really!",
"<b>bold</b> & 'quoted'","a,b;c|d","👩‍👩‍👧‍👦 family order","naïve café — “quotes”","\\."} $$ AS remarks
\gset
-- What an array's text cannot say by itself: true newlines, tabs, a lone end-of-data mark.
SELECT ((:'remarks')::text[] || ARRAY[E'two\nlines', E'tab\tbed', E'\\.\n', E'carriage\r\nreturn', E'"\n""', E'\\\\server\\share', ''])::text
  AS remarks \gset

INSERT INTO restaurants (id, public_id, city_id, name, description, cuisines, address, phone, opens_at, closes_at,
                         last_order_before, commission, rating, accepts_cash, menu, logo, created_at, closed_at)
SELECT i, demo.uuid_of(i, 100), c.id,
       replace(demo.one_of(i, 101, :'restaurant_names'), '%s', demo.one_of(i, 102, :'kitchens')),
       CASE demo.pick(i, 103, 5) WHEN 0 THEN NULL WHEN 1 THEN '' ELSE
           format(E'%s and %s,\nby %s''s family since %s.', demo.one_of(i, 102, :'kitchens'), demo.one_of(i, 104, :'dishes'),
                  demo.one_of(i, 105, :'first_names'), 1950 + demo.pick(i, 106, 75)) END,
       CASE demo.pick(i, 107, 12) WHEN 0 THEN NULL WHEN 1 THEN '{}'::text[]
           WHEN 2 THEN ARRAY[demo.one_of(i, 102, :'kitchens'), NULL]
           ELSE ARRAY[demo.one_of(i, 102, :'kitchens'), demo.one_of(i, 108, :'kitchens')] END,
       format(c.address_format, demo.one_of(i, 109, :'streets'), 1 + demo.pick(i, 110, 199)),
       CASE WHEN demo.pick(i, 111, 10) > 0 THEN format('+%s %s', 1 + demo.pick(i, 112, 98), 1000000 + demo.pick(i, 113, 8999999)) END,
       time '10:00' + demo.pick(i, 114, 8) * interval '15 minutes',
       CASE demo.pick(i, 115, 6) WHEN 0 THEN time '24:00' WHEN 1 THEN time '02:30' ELSE time '22:15' END,
       demo.pick(i, 116, 4) * interval '15 minutes',
       (12 + demo.pick(i, 117, 1800) / 100.0) / 100,
       CASE WHEN demo.pick(i, 118, 15) > 0 THEN 2.5 + demo.pick(i, 119, 26) / 10.0 END,
       CASE demo.pick(i, 120, 3) WHEN 0 THEN NULL WHEN 1 THEN true ELSE false END,
       jsonb_build_object('currency', c.currency, 'dishes', jsonb_build_array(
           jsonb_build_object('name', demo.one_of(i, 121, :'dishes'), 'price', round(5 + demo.pick(i, 122, 2000) / 100.0, 2), 'vegan', demo.pick(i, 123, 2) = 1),
           jsonb_build_object('name', demo.one_of(i, 124, :'dishes'), 'price', 12345678901234567890.00001, 'vegan', NULL)),
           'said', E'the "best"\nin town \\ 🌍'),
       CASE WHEN demo.pick(i, 125, 3) > 0 THEN '\x89504e470d0a1a0a00'::bytea || int8send(hashint8extended(i, 126)) END,
       timestamptz '2019-03-31 01:00+00' + demo.pick(i, 127, 200000000) * interval '1 second',
       CASE WHEN demo.pick(i, 128, 25) = 0 THEN timestamptz '2026-11-01 23:59:59.999999+00' END
FROM generate_series(1, 40 * :restaurants_a_city) AS i
JOIN cities c ON c.id = 1 + (i - 1) % 40
ORDER BY i;

INSERT INTO riders (id, city_id, full_name, vehicle, iban, languages, weekly_hours, shift_starts, active, hired_on,
                    left_on, last_ip, equipment)
SELECT i, 1 + (i - 1) % 40,
       demo.one_of(i, 200, :'first_names') || ' ' || demo.one_of(i, 201, :'last_names'),
       (enum_range(NULL::vehicle))[1 + demo.pick(i, 202, 5)],
       CASE WHEN demo.pick(i, 203, 9) > 0 THEN format('XX%s%s', 10 + demo.pick(i, 204, 89), lpad(demo.pick(i, 205, 2000000000)::text, 16, '0')) END,
       CASE demo.pick(i, 206, 4) WHEN 0 THEN '{}'::text[] WHEN 1 THEN ARRAY['en', NULL] ELSE ARRAY['pt-BR', '中文', 'en'] END,
       CASE WHEN demo.pick(i, 207, 8) > 0 THEN make_interval(hours => 8 + demo.pick(i, 208, 33), mins => 30 * demo.pick(i, 209, 2)) END,
       CASE WHEN demo.pick(i, 210, 4) > 0 THEN
           timetz '09:00:00+00' AT TIME ZONE make_interval(mins => 15 * (demo.pick(i, 211, 104) - 48)) END,
       demo.pick(i, 212, 7) > 0,
       date '2018-01-01' + demo.pick(i, 213, 2800),
       CASE WHEN demo.pick(i, 212, 7) = 0 THEN date '2026-11-01' + demo.pick(i, 214, 20) END,
       CASE demo.pick(i, 215, 4) WHEN 0 THEN NULL WHEN 1 THEN '2001:db8::1'::inet + demo.pick(i, 216, 1000000)
           ELSE '10.0.0.0'::inet + demo.pick(i, 216, 16000000) END,
       CASE WHEN demo.pick(i, 217, 3) > 0 THEN jsonb_build_object('bag', demo.pick(i, 218, 900), 'helmet', demo.pick(i, 219, 2) = 0,
           'sizes', jsonb_build_array('M', NULL, 42.5), 'note', demo.one_of(i, 220, :'remarks')) END
FROM generate_series(1, 40 * :riders_a_city) AS i
ORDER BY i;

INSERT INTO customers (id, email, password_hash, full_name, nickname, phone, birthday, address, city_id, newsletter,
                       preferences, referred_by, last_ip, created_at, updated_at)
SELECT i, format('customer.%s@%s', i, demo.one_of(i, 300, '{example.com,example.org,bücher.example,例え.example}')),
       encode(sha256(int8send(hashint8extended(i, 301))), 'hex'),
       demo.one_of(i, 302, :'first_names') || ' ' || demo.one_of(i, 303, :'last_names'),
       CASE demo.pick(i, 304, 4) WHEN 0 THEN NULL WHEN 1 THEN '' ELSE demo.one_of(i, 302, :'first_names') || ' 🐈' END,
       CASE WHEN demo.pick(i, 305, 6) > 0 THEN format('+%s %s', 1 + demo.pick(i, 306, 98), 1000000 + demo.pick(i, 307, 8999999)) END,
       CASE WHEN demo.pick(i, 308, 3) > 0 THEN date '1931-05-17' + demo.pick(i, 309, 28000) END,
       CASE WHEN demo.pick(i, 310, 12) > 0 THEN
           format(c.address_format, demo.one_of(i, 311, :'streets'), 1 + demo.pick(i, 312, 299)) END,
       c.id,
       CASE demo.pick(i, 313, 3) WHEN 0 THEN NULL WHEN 1 THEN true ELSE false END,
       CASE demo.pick(i, 314, 5) WHEN 0 THEN NULL WHEN 1 THEN '{}'::jsonb WHEN 2 THEN 'null'::jsonb ELSE
           jsonb_build_object('locale', lower(c.country), 'allergies', jsonb_build_array(demo.one_of(i, 315, :'dishes'), NULL),
                              'limit', demo.pick(i, 316, 100000) / 1000.0, 'note', demo.one_of(i, 317, :'remarks')) END,
       CASE WHEN i > 100 AND demo.pick(i, 318, 5) = 0 THEN 1 + demo.pick(i, 319, 100) END,
       CASE demo.pick(i, 320, 5) WHEN 0 THEN NULL WHEN 1 THEN set_masklen('2001:db8::'::inet + demo.pick(i, 321, 1000000), 64)
           ELSE '192.0.0.0'::inet + demo.pick(i, 321, 16000000) END,
       joined, joined + demo.pick(i, 322, 20000000) * interval '1 second'
FROM generate_series(1, :customers) AS i
JOIN cities c ON c.id = 1 + (i - 1) % 40,
     LATERAL (SELECT timestamptz '2020-02-29 23:59:59.123456+00' + demo.pick(i, 323, 175000000) * interval '1 second' AS joined) AS j
ORDER BY i;

-- An order is of its customer's city: restaurants and riders of city c have the numbers c, c + 40, …
-- The whole year in order of id, a day's orders at lunch and in the evening of the city's own clock.
CREATE TEMPORARY TABLE drafts ON COMMIT DROP AS
SELECT i AS id, customer, city, 1 + demo.pick(i, 401, 4) AS lines,
       city + 40 * demo.pick(i, 402, :restaurants_a_city) AS restaurant,
       city + 40 * demo.pick(i, 403, :riders_a_city) AS rider,
       -- 0 to 91 of 100 are delivered, some are cancelled or refunded, the last ones are under way.
       CASE WHEN i > :orders - 40 THEN (enum_range(NULL::order_status))[1 + demo.pick(i, 404, 4)]
            WHEN demo.pick(i, 405, 100) < 92 THEN 'delivered'
            WHEN demo.pick(i, 405, 100) < 98 THEN 'cancelled' ELSE 'refunded' END::order_status AS status,
       date '2025-11-01' + (i * 364 / :orders)::int
           + (ARRAY[time '11:40', '12:15', '13:05', '18:20', '19:00', '19:30', '20:10', '21:45', '23:50'])[1 + demo.pick(i, 406, 9)]
           + demo.pick(i, 407, 1800000) * interval '1 millisecond' AS local_time
FROM generate_series(1::bigint, :orders) AS i,
     LATERAL (SELECT 1 + demo.pick(i, 400, :customers) AS customer) AS k,
     LATERAL (SELECT 1 + (customer - 1) % 40 AS city) AS p;

-- Prices are in euro until here, and rounded as the city's currency is: no cents in Tokyo.
CREATE TEMPORARY TABLE prices ON COMMIT DROP AS
SELECT c.id AS city, c.currency, c.timezone, f.per_euro AS per_euro, least(2, u.minor_units) AS decimals
FROM cities c JOIN currencies u ON u.code = c.currency
JOIN fx_rates f ON f.currency = c.currency AND f.day = '2026-01-01';

CREATE TEMPORARY TABLE items ON COMMIT DROP AS
SELECT d.id AS order_id, line, 1 + demo.pick(d.id * 8 + line, 500, 3) AS quantity,
       round((3 + demo.pick(d.id * 8 + line, 501, 1900) / 100.0) * p.per_euro, p.decimals) AS unit_price
FROM drafts d JOIN prices p ON p.city = d.city, generate_series(1, d.lines) AS line;

INSERT INTO orders (id, customer_id, restaurant_id, rider_id, status, ordered_at, ordered_local, currency, subtotal,
                    delivery_fee, tip, discount, channel, tags, note, updated_at)
SELECT d.id, d.customer, d.restaurant, CASE WHEN d.status IN ('delivered', 'refunded', 'picked up') THEN d.rider END,
       d.status, d.local_time AT TIME ZONE p.timezone, d.local_time, p.currency, t.subtotal,
       round((demo.pick(d.id, 410, 400) / 100.0) * p.per_euro, p.decimals),
       CASE demo.pick(d.id, 411, 3) WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE round((demo.pick(d.id, 412, 500) / 100.0) * p.per_euro, p.decimals) END,
       CASE WHEN demo.pick(d.id, 413, 8) = 0 THEN t.subtotal * demo.pick(d.id, 414, 30) / 100 END,
       demo.one_of(d.id, 415, '{app,app,app,web,web,phone,"partner: \"Schlemmer\""}'),
       CASE demo.pick(d.id, 416, 6) WHEN 0 THEN ARRAY['first order', NULL] WHEN 1 THEN ARRAY['gift 🎁', 'it''s "late"', 'a,b', '{}'] WHEN 2 THEN '{}'::text[] END,
       CASE WHEN demo.pick(d.id, 417, 4) = 0 THEN demo.one_of(d.id, 418, :'remarks') END,
       d.local_time AT TIME ZONE p.timezone + (20 + demo.pick(d.id, 419, 100)) * interval '1 minute'
FROM drafts d JOIN prices p ON p.city = d.city
JOIN (SELECT order_id, sum(quantity * unit_price) AS subtotal FROM items GROUP BY order_id) t ON t.order_id = d.id
ORDER BY d.id;

INSERT INTO order_items (order_id, line, dish, quantity, unit_price, options)
SELECT order_id, line, demo.one_of(order_id * 8 + line, 502, :'dishes'), quantity, unit_price,
       CASE demo.pick(order_id * 8 + line, 503, 5)
           WHEN 0 THEN jsonb_build_object('size', demo.one_of(order_id, 504, '{S,M,L,XXL}'), 'extra', jsonb_build_array('cheese', 'jalapeño 🌶'))
           WHEN 1 THEN '{"no": ["onions"], "spicy": 3.50, "who": null}'::jsonb END
FROM items ORDER BY order_id, line;

INSERT INTO deliveries (id, order_id, rider_id, picked_up_at, delivered_at, duration, distance_m, track,
                        doorstep_photo_sha256, stars, feedback)
SELECT demo.uuid_of(o.id, 600), o.id, o.rider_id, o.ordered_at + waited,
       CASE WHEN o.status <> 'picked up' THEN o.ordered_at + waited + ridden END,
       CASE WHEN o.status <> 'picked up' THEN ridden END,
       200 + demo.pick(o.id, 601, 80000) / 10.0,
       CASE demo.pick(o.id, 602, 3) WHEN 0 THEN NULL ELSE ARRAY[demo.pick(o.id, 603, 180000) / 1000.0 - 90, NULL, demo.pick(o.id, 604, 360000) / 1000.0 - 180] END,
       CASE WHEN demo.pick(o.id, 605, 4) = 0 THEN sha256(int8send(o.id)) END,
       CASE WHEN demo.pick(o.id, 606, 3) = 0 THEN 1 + demo.pick(o.id, 607, 5) END,
       CASE WHEN demo.pick(o.id, 608, 20) = 0 THEN demo.one_of(o.id, 609, :'remarks') END
FROM orders o,
     LATERAL (SELECT (10 + demo.pick(o.id, 610, 30)) * interval '1 minute' AS waited,
                     demo.pick(o.id, 611, 3600000) * interval '1 millisecond' AS ridden) AS w
WHERE o.rider_id IS NOT NULL
ORDER BY o.id;

-- An order passes the states up to its own; a cancelled one was only placed before.
INSERT INTO order_events (id, order_id, status, happened_at, actor, details)
SELECT o.id * 8 + n, o.id, step, o.ordered_at + n * interval '9 minutes 7.25 seconds',
       (ARRAY['customer', 'restaurant', 'kitchen', 'rider', 'rider', 'customer', 'support'])[n],
       CASE demo.pick(o.id * 8 + n, 700, 4) WHEN 0 THEN jsonb_build_object('by', demo.one_of(o.id, 701, :'first_names'), 'app', '4.' || demo.pick(o.id, 702, 30), 'ok', true)
           WHEN 1 THEN '[]'::jsonb END
FROM orders o, unnest(enum_range(NULL::order_status)) WITH ORDINALITY AS s (step, n)
WHERE step = o.status OR (n = 1) OR (step = 'delivered' AND o.status = 'refunded')
   OR (step = 'picked up' AND o.status IN ('delivered', 'refunded') AND demo.pick(o.id, 703, 3) = 0)
ORDER BY o.id, n;

-- New rows by hand, or by the demos of later, go on after these.
SELECT setval(pg_get_serial_sequence(t, 'id'), m) FROM (VALUES
    ('restaurants', (SELECT max(id) FROM restaurants)), ('riders', (SELECT max(id) FROM riders)),
    ('customers', (SELECT max(id) FROM customers)), ('orders', (SELECT max(id) FROM orders))) AS v (t, m)
\g /dev/null

DROP SCHEMA demo CASCADE;

-- How it is known that the data is there, and which.
SELECT format('COMMENT ON DATABASE %I IS %L', current_database(), 'barncat demo, scale ' || :'scale') \gexec
COMMIT;
ANALYZE;
