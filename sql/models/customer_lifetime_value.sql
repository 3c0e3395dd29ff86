/* barncat
description = "What each customer has spent so far, and since when"
key = ["customer_id"]
owner = "marketing"
*/
select c.id as customer_id, c.city_id, cast(c.created_at as date) as joined_on, count(o.order_id) as orders,
       coalesce(sum(o.total), 0) as spent, min(o.day) as first_order_on, max(o.day) as last_order_on
from customers c
left join orders_in_euro o on o.customer_id = c.id
group by c.id, c.city_id, cast(c.created_at as date)
