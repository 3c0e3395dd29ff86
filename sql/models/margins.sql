/* barncat
description = "What each restaurant brings in a month"
key = ["restaurant_id", "month"]
owner = "finance"
tags = ["finance"]
checks = { relationship = { restaurant_id = "restaurants.id" }, range = { commission = { min = 0 } } }
*/
select o.restaurant_id, r.name as restaurant, cast(date_trunc('month', o.day) as date) as month,
       count(*) as orders, sum(o.total) as revenue,
       cast(sum(o.total * r.commission) as numeric(14, 2)) as commission
from orders_in_euro o
join restaurants r on r.id = o.restaurant_id
group by o.restaurant_id, r.name, cast(date_trunc('month', o.day) as date)
