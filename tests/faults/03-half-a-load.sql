-- One of two shards did not answer the nightly consolidation, which took what it got for all there is: every second order
-- of the day is missing, in every city and at every hour, and so is all that belongs to it.
-- Tables: orders, order_items, deliveries, order_events
CREATE TEMPORARY TABLE lost AS SELECT id FROM orders WHERE ordered_at >= :'since' AND id % 2 = 0;
DELETE FROM order_events WHERE order_id IN (SELECT id FROM lost);
DELETE FROM deliveries WHERE order_id IN (SELECT id FROM lost);
DELETE FROM order_items WHERE order_id IN (SELECT id FROM lost);
DELETE FROM orders WHERE id IN (SELECT id FROM lost);
