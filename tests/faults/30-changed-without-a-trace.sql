-- Finance corrected last week's delivery fees by hand, with an UPDATE that did not move updated_at. Who reads what has
-- changed since keeps the old ones.
-- Tables: orders
UPDATE orders SET delivery_fee = delivery_fee + 1
WHERE ordered_at >= :'since'::timestamptz - interval '7 days' AND ordered_at < :'since' AND id % 5 = 0;
