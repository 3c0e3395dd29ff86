/* barncat
description = "There are orders of the newest day that has a rate: the shop takes some each day"
owner = "operations"
*/
select r.day as newest_rate, o.day as newest_order
from (select max(day) as day from fx_rates) r
cross join (select max(cast(ordered_local as date)) as day from orders) o
where o.day < r.day
