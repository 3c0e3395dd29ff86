-- A new till pads the names of dishes with a blank. A third of the day's orders name dishes that look as before and are
-- counted apart.
-- Tables: order_items
UPDATE order_items i SET dish = i.dish || ' '
FROM orders o WHERE o.id = i.order_id AND o.ordered_at >= :'since' AND o.id % 3 = 0;
