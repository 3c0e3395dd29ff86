-- What checks found, run by run, and the staging tables that are kept because of it. `sample` holds values of the
-- tables, without private columns: shown to who asks for it by name, and gone with its run.

CREATE TABLE check_results (
    run            text NOT NULL,
    task           text NOT NULL,
    check_name     text NOT NULL,        -- `not_null (rider_id)`; of a file its name
    before_publish boolean NOT NULL,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    status         text NOT NULL,        -- passed, warned, failed
    rows           bigint,               -- that fail; NULL: it counts none
    of_rows        bigint,
    message        text NOT NULL,
    sample         jsonb,                -- columns and rows, as texts
    PRIMARY KEY (run, task, check_name, before_publish),
    FOREIGN KEY (run, task) REFERENCES tasks ON DELETE CASCADE
);
CREATE INDEX check_results_by_task ON check_results (task, at);

-- The load whose staging table is kept, of each table whose last attempt was not published because of a check.
CREATE TABLE kept_staging (
    task    text PRIMARY KEY,
    load    text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
