/* barncat
description = "Orders by city and hour of its own clock: by this the shifts are planned"
key = ["city_id", "hour"]
tier = "critical"
owner = "operations"
*/
select c.id as city_id, c.name as city, date_trunc('hour', o.ordered_local) as hour, count(*) as orders,
       sum(case when o.status in ('cancelled', 'refunded') then 1 else 0 end) as lost,
       count(distinct o.rider_id) as riders
from orders o
join restaurants r on r.id = o.restaurant_id
join cities c on c.id = r.city_id
group by c.id, c.name, date_trunc('hour', o.ordered_local)
