/* barncat
severity = "warn"
description = "Customers of one name, phone and birthday are one person"
*/
select min(id) as first, max(id) as last
from customers
where phone is not null and birthday is not null
group by full_name, phone, birthday
having count(*) > 1
