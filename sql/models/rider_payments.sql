/* barncat
description = "What each rider is owed for a day's deliveries, in euro at the latest rate that is known"
key = ["rider_id", "day"]
columns = { owed = "delivery fees and tips, in euro" }
deadline = "06:00"
owner = "operations"
tags = ["finance"]
# What is wrong here is wrong on somebody's account.
checks = { before_publish = true, not_null = ["owed"], row_count = { min = 1 } }
# With last night's rates the riders are paid nearly right; without a payment they are not.
soft = { fx_rates = "24h" }
*/
with rates as (
    select currency, cast(per_euro as numeric(18, 6)) as per_euro,
           row_number() over (partition by currency order by day desc) as age
    from fx_rates
)
select r.id as rider_id, r.full_name as rider, cast(o.ordered_local as date) as day, count(*) as deliveries,
       cast(sum((o.delivery_fee + coalesce(o.tip, 0)) / f.per_euro) as numeric(12, 2)) as owed
from deliveries d
join orders o on o.id = d.order_id
join riders r on r.id = d.rider_id
join rates f on f.currency = o.currency and f.age = 1
where d.delivered_at is not null
group by r.id, r.full_name, cast(o.ordered_local as date)
