-- The consumer that writes events died at noon, and its supervisor restarted it on a queue that nobody fills. Orders came
-- in as ever, their events did not.
-- Tables: order_events
DELETE FROM order_events WHERE happened_at >= :'since'::timestamptz + interval '7 hours';
