-- How often services over HTTP were asked, so that all processes together keep to what each allows. What lies here is
-- what a service may have counted, never less: a request takes its place before it is sent. All names are sources.

-- A row a source: locked by whoever takes an allowance, so that they come one by one.
CREATE TABLE allowances (
    source       text PRIMARY KEY,
    paused_until timestamptz              -- the service wants not to be asked before
);

-- Requests that are under way, or whose process died: these count until they can be under way no more.
CREATE TABLE allowance_open (
    source     text NOT NULL,
    id         text NOT NULL,
    granted_at timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    PRIMARY KEY (source, id)
);

-- Requests that were answered, by windows that slide: as many as were answered within a hundredth of a window are one row.
CREATE TABLE allowance_spent (
    source  text NOT NULL,
    length  bigint NOT NULL,              -- the window's, in microseconds
    bucket  bigint NOT NULL,
    last_at timestamptz NOT NULL,         -- all of them count until the window's length after this
    count   bigint NOT NULL,
    PRIMARY KEY (source, length, bucket)
) WITH (fillfactor = 50);

-- Requests by windows of the service's calendar.
CREATE TABLE allowance_calendar (
    source    text NOT NULL,
    unit      text NOT NULL,              -- hour, day
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL,
    count     bigint NOT NULL,
    PRIMARY KEY (source, unit, starts_at, ends_at)
) WITH (fillfactor = 50);

-- Processes whose critical tasks wait for an allowance: what comes free next is theirs.
CREATE TABLE allowance_waits (
    source     text NOT NULL,
    waiter     text NOT NULL,
    count      bigint NOT NULL,
    expires_at timestamptz NOT NULL,      -- who died waits no more
    PRIMARY KEY (source, waiter)
);
