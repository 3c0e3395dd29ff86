/* barncat
severity = "warn"
description = "An order whose day has no rate is in none of finance's tables"
*/
select o.id, o.currency
from orders o
left join orders_in_euro e on e.order_id = o.id
where e.order_id is null and o.status not in ('cancelled', 'refunded')
