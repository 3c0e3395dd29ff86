/* barncat
description = "Which dishes are ordered, by month"
*/
select cast(date_trunc('month', o.ordered_local) as date) as month, i.dish,
       count(distinct o.id) as orders, sum(i.quantity) as quantity
from order_items i
join orders o on o.id = i.order_id
where o.status not in ('cancelled', 'refunded')
group by cast(date_trunc('month', o.ordered_local) as date), i.dish
