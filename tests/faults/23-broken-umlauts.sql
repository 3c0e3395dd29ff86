-- A job between the sign-up form and the database read UTF-8 as Latin-1: names of the day's new customers are broken where
-- they are not plain ASCII.
-- Tables: customers
UPDATE customers SET full_name = convert_from(convert_to(full_name, 'UTF8'), 'LATIN1') WHERE created_at >= :'since';
