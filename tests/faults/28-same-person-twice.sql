-- The new sign-up form compares e-mail addresses by the letter, and phones begin them with a capital: five customers have
-- signed up once more, with the same name, phone and birthday.
-- Tables: customers
INSERT INTO customers (email, password_hash, full_name, nickname, phone, birthday, address, city_id, newsletter, created_at, updated_at)
SELECT upper(left(email, 1)) || substr(email, 2), password_hash, full_name, nickname, phone, birthday, address, city_id, newsletter,
       :'since'::timestamptz + interval '11 hours', :'since'::timestamptz + interval '11 hours'
FROM customers WHERE phone IS NOT NULL AND birthday IS NOT NULL ORDER BY id LIMIT 5;
