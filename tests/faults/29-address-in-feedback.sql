-- Support pastes customers' e-mail addresses and telephone numbers into the feedback of deliveries, a column that analysts
-- may read and nothing hashes. Four of the day's.
-- Tables: deliveries
UPDATE deliveries d SET feedback = 'Please call back: ' || coalesce(c.phone, 'no phone') || ', ' || c.email
FROM orders o, customers c
WHERE o.id = d.order_id AND c.id = o.customer_id
  AND d.id IN (SELECT x.id FROM deliveries x JOIN orders y ON y.id = x.order_id
               WHERE y.ordered_at >= :'since' ORDER BY x.order_id LIMIT 4);
