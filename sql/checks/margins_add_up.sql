/* barncat
description = "Restaurants bring in what their orders were worth"
owner = "finance"
reconcile = "select cast(sum(total) as numeric(18, 2)) as revenue, count(*) as orders from orders_in_euro"
*/
select cast(sum(revenue) as numeric(18, 2)) as revenue, cast(sum(orders) as bigint) as orders from margins
