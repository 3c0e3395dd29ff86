-- A rider's phone has its clock set to next year: six deliveries of the day were picked up and delivered in the future.
-- Tables: deliveries
UPDATE deliveries SET picked_up_at = picked_up_at + interval '1 year', delivered_at = delivered_at + interval '1 year'
WHERE id IN (SELECT d.id FROM deliveries d JOIN orders o ON o.id = d.order_id
             WHERE o.ordered_at >= :'since' ORDER BY d.order_id LIMIT 6);
