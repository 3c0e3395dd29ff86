-- After a failover the numbers of events began at 1 again. The key is of number and time, so nothing was refused; whoever
-- reads on from the greatest number sees no event of the day.
-- Tables: order_events
UPDATE order_events e SET id = n.id
FROM (SELECT id AS was, happened_at, row_number() OVER (ORDER BY happened_at, id) AS id
      FROM order_events WHERE happened_at >= :'since') n
WHERE e.id = n.was AND e.happened_at = n.happened_at;
