-- A rewrite of the basket books discounts as negative amounts. The total subtracts them, so each customer with a discount
-- paid more for it. Only the day's orders.
-- Tables: orders
UPDATE orders SET discount = -discount WHERE ordered_at >= :'since' AND discount > 0;
