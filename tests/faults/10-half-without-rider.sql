-- One of the two dispatchers was released with a bug and did not write back who had taken the order: half of the day's
-- orders have no rider. Their deliveries have one.
-- Tables: orders
UPDATE orders SET rider_id = NULL WHERE ordered_at >= :'since' AND id % 2 = 0;
