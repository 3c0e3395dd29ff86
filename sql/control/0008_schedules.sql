-- What the service runs by itself: schedules, their ticks, and who asked for a run. All names are a project's own:
-- several may share a control database.

-- Written by the service that leads, and by who pauses one.
CREATE TABLE schedules (
    project    text NOT NULL,
    schedule   text NOT NULL,
    definition text NOT NULL,            -- what its ticks follow from; empty: no service has seen it yet
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),  -- earlier ticks are nobody's
    paused_at  timestamptz,
    paused_by  text,                     -- user@host
    reason     text,
    PRIMARY KEY (project, schedule)
);

-- One row a tick: whoever inserts it runs it.
CREATE TABLE ticks (
    project     text NOT NULL,
    schedule    text NOT NULL,
    tick        timestamptz NOT NULL,
    session     text,                    -- the service that has it; NULL: left for the next one
    run         text,                    -- its run, the last one where it was gone on with
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    passed_over bigint NOT NULL,         -- earlier ticks that nobody was there for
    ended_at    timestamptz,
    status      text,                    -- the run's, or skipped, missed, given_up; NULL: not ended
    why         text,
    PRIMARY KEY (project, schedule, tick)
);
CREATE INDEX ticks_open ON ticks (project) WHERE ended_at IS NULL;
CREATE INDEX ticks_by_end ON ticks (ended_at);

-- Who asked for a run: a person, or a schedule's tick.
ALTER TABLE runs ADD COLUMN started_by text, ADD COLUMN schedule text, ADD COLUMN tick timestamptz;
