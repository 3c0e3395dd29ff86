-- A new version of the logging library drops what it cannot serialise, and it could serialise nothing: the day's events
-- came without details. The column may be NULL, and often is.
-- Tables: order_events
UPDATE order_events SET details = NULL WHERE happened_at >= :'since';
