-- m.sql

/* barncat
kind = "incremental"
cursor = "id"
since = "0"
key = ["id"]
checks = { unique = ["id"], row_count = { min = 1 } }
soft = { fx = "24h" }
*/
select id from orders where id > :since
