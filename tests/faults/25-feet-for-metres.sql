-- The American riders' app was localised, and what it sends with it: distances of New York and Los Angeles are in feet
-- since yesterday.
-- Tables: deliveries
UPDATE deliveries d SET distance_m = d.distance_m * 3.28084
FROM orders o, riders r
WHERE o.id = d.order_id AND o.ordered_at >= :'since' AND r.id = d.rider_id AND r.city_id IN (37, 38);
