-- The sign-up service was rewritten and sends seconds where milliseconds are read: the day's new customers joined in
-- January 1970.
-- Tables: customers
UPDATE customers SET created_at = to_timestamp(extract(epoch FROM created_at) / 1000) WHERE created_at >= :'since';
