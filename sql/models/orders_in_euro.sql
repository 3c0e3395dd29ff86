/* barncat
description = "Orders that were kept, at the rate of their day"
key = ["order_id"]
tags = ["finance"]
# Nobody has ever ordered for a thousand. Amounts in another currency or in cents are not shown to finance first.
checks = { before_publish = true, range = { total = { min = 0, max = 1000 } } }
*/
select o.id as order_id, o.customer_id, o.restaurant_id, cast(o.ordered_local as date) as day,
       cast(cast(o.total as numeric(14, 2)) / cast(f.per_euro as numeric(18, 6)) as numeric(14, 2)) as total
from orders o
join fx_rates f on f.currency = o.currency and f.day = cast(o.ordered_local as date)
where o.status not in ('cancelled', 'refunded')
