-- A clean-up of fraud deleted a dozen of the day's orders with deliveries and events, but not their items. Somebody had
-- dropped the foreign key in the spring, for a migration's sake.
-- Tables: order_items, orders
ALTER TABLE order_items DROP CONSTRAINT order_items_order_id_fkey;
CREATE TEMPORARY TABLE purged AS SELECT id FROM orders WHERE ordered_at >= :'since' ORDER BY id LIMIT 12;
DELETE FROM order_events WHERE order_id IN (SELECT id FROM purged);
DELETE FROM deliveries WHERE order_id IN (SELECT id FROM purged);
DELETE FROM orders WHERE id IN (SELECT id FROM purged);
