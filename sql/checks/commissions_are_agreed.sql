/* barncat
severity = "warn"
description = "Commissions are agreed with each restaurant; one that most of them have is a default"
owner = "finance"
*/
select commission, count(*) as restaurants
from restaurants
group by commission
having count(*) * 2 > (select count(*) from restaurants)
