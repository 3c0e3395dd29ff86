-- Sales imported its sheet of restaurants anew without the column of commissions. The import filled in the default, a
-- fifth, for all.
-- Tables: restaurants
UPDATE restaurants SET commission = 0.2000;
