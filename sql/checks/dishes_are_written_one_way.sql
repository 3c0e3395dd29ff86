/* barncat
severity = "warn"
description = "No two dishes differ in blanks or in the case of letters alone: they would be counted apart"
*/
select lower(trim(dish)) as dish
from order_items
group by lower(trim(dish))
having count(distinct dish) > 1
