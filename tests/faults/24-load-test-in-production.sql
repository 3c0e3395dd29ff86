-- Somebody ran the load test against production: forty orders of one customer at one restaurant within minutes, cancelled
-- by the test itself. No money moved; shifts are planned by such orders.
-- Tables: customers, orders, order_items, order_events
CREATE TEMPORARY TABLE tester AS
SELECT nextval(pg_get_serial_sequence('customers', 'id')) AS id, :'since'::timestamptz + interval '9 hours' AS at;
INSERT INTO customers (id, email, password_hash, full_name, city_id, created_at, updated_at)
SELECT id, 'loadtest+1@example.com', 'x', 'Load Test', 6, at, at FROM tester;
CREATE TEMPORARY TABLE tested AS
SELECT nextval(pg_get_serial_sequence('orders', 'id')) AS id, tester.id AS customer, at + n * interval '7 seconds' AS at
FROM tester, generate_series(1, 40) AS n;
INSERT INTO orders (id, customer_id, restaurant_id, status, ordered_at, ordered_local, currency, subtotal, delivery_fee, channel, updated_at)
SELECT id, customer, 6, 'cancelled', at, at AT TIME ZONE 'Europe/Berlin', 'EUR', 12.50, 1.90, 'app', at + interval '5 minutes' FROM tested;
INSERT INTO order_items (order_id, line, dish, quantity, unit_price) SELECT id, 1, 'Margherita', 1, 12.50 FROM tested;
INSERT INTO order_events (id, order_id, status, happened_at, actor)
SELECT id * 8 + 1, id, 'placed'::order_status, at, 'customer' FROM tested
UNION ALL SELECT id * 8 + 6, id, 'cancelled', at + interval '5 minutes', 'customer' FROM tested;
