-- A migration moved the ride's duration to a table of its own and emptied the old column, long before its readers had
-- moved. All rows, old and new.
-- Tables: deliveries
UPDATE deliveries SET duration = NULL;
