/* barncat
description = "What happens to an order begins with its being placed; the events of before 2026 are not loaded"
owner = "operations"
*/
select o.id
from orders o
left join order_events e on e.order_id = o.id and e.status = 'placed'
where o.ordered_at >= '2026-01-01 00:00:00+00' and e.order_id is null
