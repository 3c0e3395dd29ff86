-- The sheet of cities was exported with its two coordinates the other way round, and imported by position.
-- Tables: cities
UPDATE cities SET latitude = longitude, longitude = latitude;
