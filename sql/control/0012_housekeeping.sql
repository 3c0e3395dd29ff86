-- What need not be done by every run, and when it was done last.

CREATE TABLE housekeeping (
    what    text PRIMARY KEY,
    done_at timestamptz NOT NULL
);
