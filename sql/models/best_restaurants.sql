/* barncat
kind = "view"
description = "The ten restaurants of each month that bring most"
tags = ["finance"]
*/
select month, place, restaurant, revenue, commission
from (
    select m.*, row_number() over (partition by month order by commission desc, restaurant_id) as place
    from margins m
) as ranked
where place <= 10
