/* barncat
description = "Later events have greater numbers: by these they are loaded"
owner = "operations"
*/
with newest as (select max(happened_at) as at from order_events),
numbers as (
    select max(case when e.happened_at > n.at - interval '12 hours' then e.id end) as latest,
           max(case when e.happened_at <= n.at - interval '24 hours' then e.id end) as a_day_before
    from order_events e
    cross join newest n
    where e.happened_at > n.at - interval '36 hours'
)
select latest, a_day_before from numbers where latest < a_day_before
