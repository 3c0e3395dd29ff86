/* barncat
severity = "warn"
description = "A delivery is picked up within a day of its order, and brought after that"
owner = "operations"
*/
select d.id
from deliveries d
join orders o on o.id = d.order_id
where d.picked_up_at < o.ordered_at or d.picked_up_at > o.ordered_at + interval '1 day' or d.delivered_at < d.picked_up_at
