-- Tasks that a person put on hold: they keep their published data. A row stands until its time is over
-- or it is released.
CREATE TABLE holds (
    task    text PRIMARY KEY,
    since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    until   timestamptz,                 -- NULL: until it is released
    held_by text NOT NULL,               -- user@host
    reason  text
);
