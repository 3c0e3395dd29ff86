-- Currencies, their rates, and the cities: written down, not generated.

INSERT INTO currencies (code, name, symbol, minor_units) VALUES
    ('AED', 'UAE dirham', 'د.إ', 2), ('AUD', 'Australian dollar', '$', 2), ('BRL', 'Brazilian real', 'R$', 2),
    ('CAD', 'Canadian dollar', '$', 2), ('CHF', 'Swiss franc', NULL, 2), ('CZK', 'Czech koruna', 'Kč', 2),
    ('DKK', 'Danish krone', 'kr', 2), ('EUR', 'Euro', '€', 2), ('GBP', 'Pound sterling', '£', 2),
    ('INR', 'Indian rupee', '₹', 2), ('ISK', 'Icelandic króna', 'kr', 0), ('JPY', 'Japanese yen', '¥', 0),
    ('KRW', 'South Korean won', '₩', 0), ('KWD', 'Kuwaiti dinar', 'د.ك', 3), ('MXN', 'Mexican peso', '$', 2),
    ('PLN', 'Polish złoty', 'zł', 2), ('SEK', 'Swedish krona', 'kr', 2), ('THB', 'Thai baht', '฿', 2),
    ('TRY', 'Turkish lira', '₺', 2), ('TWD', 'New Taiwan dollar', 'NT$', 2), ('USD', 'US dollar', '$', 2),
    ('VND', 'Vietnamese đồng', '₫', 0), ('ZAR', 'South African rand', '', 2);

-- What a euro buys, one rate a day: the middle rate, moved by up to two percent.
INSERT INTO fx_rates (day, currency, per_euro, provider)
SELECT date '2025-11-01' + d, code,
       CASE WHEN code = 'EUR' THEN 1 ELSE middle * (1 + (demo.pick(d * 100 + n, 11, 4001) - 2000) / 100000.0) END,
       CASE demo.pick(d * 100 + n, 12, 20) WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'central bank' END
FROM generate_series(0, 364) AS d,
     (VALUES (1, 'AED', 4.31), (2, 'AUD', 1.78), (3, 'BRL', 6.21), (4, 'CAD', 1.63), (5, 'CHF', 0.931),
             (6, 'CZK', 24.3), (7, 'DKK', 7.46), (8, 'EUR', 1), (9, 'GBP', 0.872), (10, 'INR', 104.2),
             (11, 'ISK', 147.5), (12, 'JPY', 178.9), (13, 'KRW', 1695), (14, 'KWD', 0.3605), (15, 'MXN', 21.4),
             (16, 'PLN', 4.24), (17, 'SEK', 10.98), (18, 'THB', 37.7), (19, 'TRY', 49.1), (20, 'TWD', 36.3),
             (21, 'USD', 1.174), (22, 'VND', 30870), (23, 'ZAR', 19.9)) AS rates (n, code, middle);

-- `%1$s` is the street's name and `%2$s` the number.
INSERT INTO cities (id, name, local_name, country, timezone, currency, latitude, longitude, address_format, launched_on)
SELECT row_number() OVER (), name, local_name, country, timezone, currency, latitude, longitude, address_format,
       date '2016-02-29' + (latitude * 7)::int + (row_number() OVER ())::int * 31
FROM (VALUES
    ('London', NULL, 'GB', 'Europe/London', 'GBP', 51.5074, -0.1278, '%2$s %1$s Road'),
    ('Manchester', NULL, 'GB', 'Europe/London', 'GBP', 53.4808, -2.2426, E'Flat 3\n%2$s %1$s Street'),
    ('Dublin', 'Baile Átha Cliath', 'IE', 'Europe/Dublin', 'EUR', 53.3498, -6.2603, '%2$s %1$s Quay'),
    ('Paris', '', 'FR', 'Europe/Paris', 'EUR', 48.8566, 2.3522, '%2$s, rue de l''%1$s'),
    ('Lyon', NULL, 'FR', 'Europe/Paris', 'EUR', 45.764, 4.8357, '%2$s bis, allée %1$s'),
    ('Berlin', NULL, 'DE', 'Europe/Berlin', 'EUR', 52.52, 13.405, '%1$sstraße %2$s'),
    ('Cologne', 'Köln', 'DE', 'Europe/Berlin', 'EUR', 50.9375, 6.9603, '%1$sgäßchen %2$s'),
    ('Munich', 'München', 'DE', 'Europe/Berlin', 'EUR', 48.1351, 11.582, '%1$splatz %2$s'),
    ('Vienna', 'Wien', 'AT', 'Europe/Vienna', 'EUR', 48.2082, 16.3738, '%1$sgasse %2$s/4'),
    ('Zurich', 'Zürich', 'CH', 'Europe/Zurich', 'CHF', 47.3769, 8.5417, '%1$sstrasse %2$s'),
    ('Madrid', NULL, 'ES', 'Europe/Madrid', 'EUR', 40.4168, -3.7038, 'C/ %1$s, nº %2$s, 2º dcha.'),
    ('Barcelona', '', 'ES', 'Europe/Madrid', 'EUR', 41.3851, 2.1734, 'Carrer d''%1$s, %2$s'),
    ('Lisbon', 'Lisboa', 'PT', 'Europe/Lisbon', 'EUR', 38.7223, -9.1393, 'Rua %1$s, %2$s – 1.º Esq.'),
    ('Milan', 'Milano', 'IT', 'Europe/Rome', 'EUR', 45.4642, 9.19, 'Via %1$s %2$s'),
    ('Athens', 'Αθήνα', 'GR', 'Europe/Athens', 'EUR', 37.9838, 23.7275, 'Οδός %1$s %2$s'),
    ('Copenhagen', 'København', 'DK', 'Europe/Copenhagen', 'DKK', 55.6761, 12.5683, '%1$sgade %2$s, st. tv.'),
    ('Stockholm', NULL, 'SE', 'Europe/Stockholm', 'SEK', 59.3293, 18.0686, '%1$svägen %2$s'),
    ('Reykjavik', 'Reykjavík', 'IS', 'Atlantic/Reykjavik', 'ISK', 64.1466, -21.9426, '%1$sbraut %2$s'),
    ('Warsaw', 'Warszawa', 'PL', 'Europe/Warsaw', 'PLN', 52.2297, 21.0122, 'ul. %1$s %2$s m. 7'),
    ('Prague', 'Praha', 'CZ', 'Europe/Prague', 'CZK', 50.0755, 14.4378, '%1$s %2$s/12'),
    ('Istanbul', 'İstanbul', 'TR', 'Europe/Istanbul', 'TRY', 41.0082, 28.9784, '%1$s Sokağı No:%2$s'),
    ('Dubai', 'دبي', 'AE', 'Asia/Dubai', 'AED', 25.2048, 55.2708, 'Villa %2$s, %1$s Road'),
    ('Kuwait City', 'مدينة الكويت', 'KW', 'Asia/Kuwait', 'KWD', 29.3759, 47.9774, 'Block 4, %1$s St, Bldg %2$s'),
    ('Mumbai', 'मुंबई', 'IN', 'Asia/Kolkata', 'INR', 19.076, 72.8777, '%2$s/B, %1$s Marg'),
    ('Bangalore', 'ಬೆಂಗಳೂರು', 'IN', 'Asia/Kolkata', 'INR', 12.9716, 77.5946, '#%2$s, %1$s Cross'),
    ('Bangkok', 'กรุงเทพฯ', 'TH', 'Asia/Bangkok', 'THB', 13.7563, 100.5018, '%2$s Soi %1$s'),
    ('Hanoi', 'Hà Nội', 'VN', 'Asia/Ho_Chi_Minh', 'VND', 21.0278, 105.8342, '%2$s phố %1$s'),
    ('Taipei', '臺北', 'TW', 'Asia/Taipei', 'TWD', 25.033, 121.5654, '%1$s路%2$s號'),
    ('Seoul', '서울', 'KR', 'Asia/Seoul', 'KRW', 37.5665, 126.978, '%1$s로 %2$s'),
    ('Tokyo', '東京', 'JP', 'Asia/Tokyo', 'JPY', 35.6762, 139.6503, '%1$s町%2$s番地'),
    ('Osaka', '大阪', 'JP', 'Asia/Tokyo', 'JPY', 34.6937, 135.5023, '%1$s区%2$s-1'),
    ('Sydney', NULL, 'AU', 'Australia/Sydney', 'AUD', -33.8688, 151.2093, 'Unit 5, %2$s %1$s Pde'),
    ('Adelaide', NULL, 'AU', 'Australia/Adelaide', 'AUD', -34.9285, 138.6007, '%2$s %1$s Tce'),
    ('Cape Town', 'iKapa', 'ZA', 'Africa/Johannesburg', 'ZAR', -33.9249, 18.4241, '%2$s %1$s Ave'),
    ('São Paulo', 'São Paulo', 'BR', 'America/Sao_Paulo', 'BRL', -23.5505, -46.6333, 'R. %1$s, %2$s – apto. 21'),
    ('Mexico City', 'Ciudad de México', 'MX', 'America/Mexico_City', 'MXN', 19.4326, -99.1332, '%1$s #%2$s int. B'),
    ('New York', NULL, 'US', 'America/New_York', 'USD', 40.7128, -74.006, '%2$s %1$s St, Apt "B"'),
    ('Los Angeles', NULL, 'US', 'America/Los_Angeles', 'USD', 34.0522, -118.2437, '%2$s %1$s Blvd'),
    ('Toronto', 'Tkaronto', 'CA', 'America/Toronto', 'CAD', 43.6532, -79.3832, '%2$s %1$s Cres.'),
    ('Montreal', 'Montréal', 'CA', 'America/Toronto', 'CAD', 45.5019, -73.5674, E'%2$s, ch. de l\'%1$s\nQuébec')
) AS c (name, local_name, country, timezone, currency, latitude, longitude, address_format);
