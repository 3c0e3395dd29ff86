-- The provider of exchange rates was down, and its client's cache answered instead: the newest day has the rates of the
-- day before, to the last digit.
-- Tables: fx_rates
UPDATE fx_rates f SET per_euro = before.per_euro
FROM fx_rates before
WHERE before.currency = f.currency AND before.day = f.day - 1 AND f.day = (SELECT max(day) FROM fx_rates);
