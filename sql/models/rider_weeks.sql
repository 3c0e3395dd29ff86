/* barncat
description = "A rider's week: how much was delivered, how far, how well"
key = ["rider_id", "week"]
owner = "operations"
*/
select d.rider_id, cast(date_trunc('week', d.picked_up_at) as date) as week, count(*) as deliveries,
       cast(sum(d.distance_m) / 1000 as numeric(12, 1)) as kilometres,
       cast(avg(cast(d.stars as numeric(3, 1))) as numeric(3, 2)) as stars
from deliveries d
group by d.rider_id, cast(date_trunc('week', d.picked_up_at) as date)
