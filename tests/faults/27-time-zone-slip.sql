-- New containers run in UTC, and the shop computes a city's clock by the container's: the day's orders have their local
-- time in UTC. It is right in London in winter.
-- Tables: orders
UPDATE orders SET ordered_local = ordered_at AT TIME ZONE 'UTC' WHERE ordered_at >= :'since';
