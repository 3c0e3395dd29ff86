/* barncat
severity = "warn"
description = "The last whole day has about as many orders as its weekday had in the four weeks before"
owner = "operations"
*/
with days as (select cast(ordered_local as date) as day, count(*) as orders from orders group by cast(ordered_local as date)),
newest as (select max(day) as day from days), -- not whole yet
usual as (
    select avg(d.orders) as orders
    from days d
    cross join newest n
    where d.day in (n.day - 8, n.day - 15, n.day - 22, n.day - 29)
)
select d.day, d.orders, u.orders as usually
from days d
join newest n on d.day = n.day - 1
cross join usual u
where u.orders >= 8 and (d.orders < u.orders * 0.65 or d.orders > u.orders * 1.6)
