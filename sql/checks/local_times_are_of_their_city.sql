/* barncat
description = "A city's clock is ahead of UTC by as much all year, but for the hour of summer"
owner = "operations"
*/
select city_id
from (
    select r.city_id, extract(epoch from o.ordered_local) - extract(epoch from o.ordered_at) as ahead
    from orders o
    join restaurants r on r.id = o.restaurant_id
) as clocks
group by city_id
having max(ahead) - min(ahead) > 3601
