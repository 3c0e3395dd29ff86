/* barncat
severity = "warn"
description = "The newest day has a rate of each currency that we are paid in"
owner = "finance"
*/
select c.code as currency, n.day
from currencies c
cross join (select max(day) as day from fx_rates) n
left join fx_rates f on f.currency = c.code and f.day = n.day
where f.currency is null
