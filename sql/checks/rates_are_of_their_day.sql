/* barncat
severity = "warn"
description = "Rates move each day; where most are as the day before, somebody copied them"
owner = "finance"
*/
select f.day, count(*) as rates
from fx_rates f
join fx_rates b on b.currency = f.currency and b.day = f.day - 1
where f.day = (select max(day) from fx_rates) and f.currency <> 'EUR'
group by f.day
having sum(case when f.per_euro = b.per_euro then 1 else 0 end) * 2 > count(*)
