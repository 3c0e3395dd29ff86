-- The British payment provider moved to amounts in minor units. The day's orders in pounds are a hundred times too dear,
-- item by item and in every sum, so that everything still adds up.
-- Tables: orders, order_items
UPDATE order_items i SET unit_price = i.unit_price * 100
FROM orders o WHERE o.id = i.order_id AND o.ordered_at >= :'since' AND o.currency = 'GBP';
UPDATE orders SET subtotal = subtotal * 100, delivery_fee = delivery_fee * 100, tip = tip * 100, discount = discount * 100
WHERE ordered_at >= :'since' AND currency = 'GBP';
