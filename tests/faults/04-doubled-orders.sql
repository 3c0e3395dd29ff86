-- The web shop sent each order again after a time-out, and nothing told the second from the first: the day's web orders
-- stand there twice, each with a key of its own, with items and events. The riders went once.
-- Tables: orders, order_items, order_events
CREATE TEMPORARY TABLE twice AS
SELECT id AS first, nextval(pg_get_serial_sequence('orders', 'id')) AS second
FROM orders WHERE ordered_at >= :'since' AND channel = 'web';
INSERT INTO orders (id, customer_id, restaurant_id, rider_id, status, ordered_at, ordered_local, currency, subtotal,
                    delivery_fee, tip, discount, channel, tags, note, updated_at)
SELECT t.second, customer_id, restaurant_id, rider_id, status, ordered_at, ordered_local, currency, subtotal,
       delivery_fee, tip, discount, channel, tags, note, updated_at
FROM orders o JOIN twice t ON t.first = o.id;
INSERT INTO order_items (order_id, line, dish, quantity, unit_price, options)
SELECT t.second, line, dish, quantity, unit_price, options FROM order_items i JOIN twice t ON t.first = i.order_id;
INSERT INTO order_events (id, order_id, status, happened_at, actor, details)
SELECT (SELECT max(id) FROM order_events) + row_number() OVER (ORDER BY e.id), t.second, status, happened_at, actor, details
FROM order_events e JOIN twice t ON t.first = e.order_id;
