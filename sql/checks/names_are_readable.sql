/* barncat
severity = "warn"
description = "No name was read in another encoding than it was written in"
*/
select 'customer' as whose, id from customers where full_name like '%Ã%' or full_name like '%�%' or address like '%Ã%' or address like '%�%'
union all
select 'restaurant' as whose, id from restaurants where name like '%Ã%' or name like '%�%'
