/* barncat
description = "An hour of the day that always has orders had some on the last whole day, too"
owner = "operations"
*/
with hours as (
    select cast(ordered_at as date) as day, cast(extract(hour from ordered_at) as integer) as hour from orders
),
newest as (select max(day) as day from hours),
usual as (
    select h.hour, count(*) / 14.0 as orders
    from hours h
    cross join newest n
    where h.day between n.day - 15 and n.day - 2
    group by h.hour
)
select n.day - 1 as day, u.hour, u.orders as usually
from usual u
cross join newest n
left join hours h on h.day = n.day - 1 and h.hour = u.hour
where u.orders >= 8 and h.hour is null
