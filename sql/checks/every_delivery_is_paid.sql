/* barncat
description = "A rider who delivered on a day is paid for it"
*/
select distinct d.rider_id
from deliveries d
join orders o on o.id = d.order_id
left join rider_payments p on p.rider_id = d.rider_id and p.day = cast(o.ordered_local as date)
where d.delivered_at is not null and p.rider_id is null
