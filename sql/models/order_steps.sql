/* barncat
kind = "incremental"
key = ["event_id"]
cursor = "happened_at"
since = "2026-01-01 00:00:00+00"
description = "What happened to each order, without the details; it grows by what is new"
# Single orders are forgotten at a customer's wish. Many are gone when the shop was set back to what it was before.
checks = { relationship = { order_id = { to = "orders.id", error_if = "> 1%", warn_if = "> 1%" } } }
*/
-- An event may come late. An hour is read again each time, and the key keeps each event one row.
select e.id as event_id, e.order_id, e.status, e.actor, e.happened_at
from order_events e
where e.happened_at > cast(:since as timestamptz) - interval '1 hour'
