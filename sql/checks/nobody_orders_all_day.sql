/* barncat
severity = "warn"
description = "A customer who orders more than 15 times a day is a test, a fraud or a mistake"
owner = "operations"
*/
select customer_id, cast(ordered_local as date) as day, count(*) as orders
from orders
group by customer_id, cast(ordered_local as date)
having count(*) > 15
