-- What tables were measured to be, load by load: what a measure is held against is its own history.
-- Pruned after 100 days.

CREATE TABLE measures (
    task    text NOT NULL,               -- that asks: `raw.orders.checks`
    what    text NOT NULL,               -- rows, bytes, duration, freshness, nulls
    of      text NOT NULL,               -- a column; of bytes and duration: whole, new rows; else empty
    moment  timestamptz NOT NULL,        -- that the rows show: asked again of the same rows it is the same measure
    run     text NOT NULL,               -- that asked
    value   double precision NOT NULL,   -- rows, bytes a row, seconds; of nulls their share, from 0 to 1
    of_rows double precision,            -- of nulls: of how many rows
    found   text NOT NULL,               -- normal; low, high: abnormal, and so in no baseline
    PRIMARY KEY (task, what, of, moment)
);
CREATE INDEX measures_by_time ON measures (moment);

-- From when on a measure has a new level: what was before it is no longer its history.
CREATE TABLE measure_restarts (
    task    text NOT NULL,
    what    text NOT NULL,
    of      text NOT NULL,
    moment  timestamptz NOT NULL,
    PRIMARY KEY (task, what, of)
);
