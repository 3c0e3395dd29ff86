-- The app got a state between picked up and delivered, and nobody told us. Every tenth order of the day ended in it.
-- Tables: orders, order_events
ALTER TYPE order_status ADD VALUE 'handed over' AFTER 'picked up';
UPDATE orders SET status = 'handed over' WHERE ordered_at >= :'since' AND status = 'delivered' AND id % 10 = 0;
UPDATE order_events e SET status = 'handed over'
FROM orders o WHERE o.id = e.order_id AND o.status = 'handed over' AND e.status = 'delivered';
