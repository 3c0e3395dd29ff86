/* barncat
severity = "warn"
description = "What was delivered was carried by somebody, once"
owner = "operations"
*/
select o.id
from orders o
left join deliveries d on d.order_id = o.id
where o.status = 'delivered' and d.order_id is null
