-- We failed over to a replica that had stood still since yesterday morning. The day's orders, with their items, deliveries
-- and events, were lost with the old primary; customers and rates are written elsewhere and were whole.
-- Tables: orders, order_items, deliveries, order_events
CREATE TEMPORARY TABLE lost AS SELECT id FROM orders WHERE ordered_at >= :'since';
DELETE FROM order_events WHERE order_id IN (SELECT id FROM lost);
DELETE FROM deliveries WHERE order_id IN (SELECT id FROM lost);
DELETE FROM order_items WHERE order_id IN (SELECT id FROM lost);
DELETE FROM orders WHERE id IN (SELECT id FROM lost);
