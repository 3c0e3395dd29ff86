/* barncat
description = "An order's subtotal is what its items cost"
owner = "finance"
*/
select o.id
from orders o
left join (select order_id, sum(quantity * unit_price) as cost from order_items group by order_id) i on i.order_id = o.id
where i.cost is null or i.cost <> o.subtotal
