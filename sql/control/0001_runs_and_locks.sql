-- The control database: runs, tasks, attempts, locks, schema history.
-- Run once, in one transaction, with search_path set to the control schema. Never edited once it has
-- been released: a change is the next file. Times are the database's (clock_timestamp()).

-- A process that is at work. The row is renewed by the process over a connection that it keeps open;
-- where that connection is no longer among the server's, the process has died.
CREATE TABLE sessions (
    session       text PRIMARY KEY,
    host          text NOT NULL,
    pid           bigint NOT NULL,
    backend_pid   integer NOT NULL,
    backend_start timestamptz NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL,
    gone_at       timestamptz            -- when somebody first found the connection gone
);

-- A row stays when its lock is released, so that the epoch only ever grows.
CREATE TABLE locks (
    name     text PRIMARY KEY,
    epoch    bigint NOT NULL,            -- one more at each take: an older holder can be told apart
    session  text,                       -- NULL: free
    run      text,
    what     text,
    taken_at timestamptz
);
CREATE INDEX locks_by_session ON locks (session) WHERE session IS NOT NULL;

CREATE TABLE runs (
    run        text PRIMARY KEY,
    session    text NOT NULL,
    mode       text NOT NULL,
    selection  text NOT NULL,
    version    text NOT NULL,
    host       text NOT NULL,
    pid        bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    status     text,                     -- as in `run --output json`, or crashed; NULL: under way
    outcome    jsonb
);
CREATE INDEX runs_under_way ON runs (run) WHERE ended_at IS NULL;
CREATE INDEX runs_by_time ON runs (started_at);

CREATE TABLE tasks (
    run        text NOT NULL REFERENCES runs ON DELETE CASCADE,
    task       text NOT NULL,
    kind       text NOT NULL,
    tier       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    status     text,                     -- as in `run --output json`, or crashed; NULL: under way
    seconds    double precision,
    rows       bigint,
    bytes      bigint,
    load       text,
    outcome    jsonb,
    PRIMARY KEY (run, task)
);
CREATE INDEX tasks_by_name ON tasks (task, started_at);
CREATE INDEX tasks_by_time ON tasks (started_at);

CREATE TABLE attempts (
    run        text NOT NULL,
    task       text NOT NULL,
    attempt    integer NOT NULL,
    load       text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    status     text,                     -- succeeded, unchanged, failed, cancelled, …; NULL: under way
    failure    jsonb,
    PRIMARY KEY (run, task, attempt),
    FOREIGN KEY (run, task) REFERENCES tasks ON DELETE CASCADE
);
CREATE INDEX attempts_under_way ON attempts (load) WHERE ended_at IS NULL;

-- Each state of a table's schema, with the load that first had it.
CREATE TABLE schemas (
    task    text NOT NULL,
    load    text NOT NULL,
    hash    text NOT NULL,
    schema  jsonb NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (task, load)
);
CREATE INDEX schemas_by_time ON schemas (task, seen_at);
