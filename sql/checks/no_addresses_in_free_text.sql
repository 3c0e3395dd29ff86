/* barncat
severity = "warn"
description = "No e-mail address stands where everybody may read"
*/
select 'deliveries' as place, cast(id as varchar(36)) as id from deliveries where feedback like '%_@_%._%'
union all
select 'orders' as place, cast(id as varchar(36)) as id from orders where note like '%_@_%._%'
