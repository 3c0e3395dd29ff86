-- The journal of backfills: what was asked for, and chunk by chunk what became of it.
-- Losing it costs a backfill's place, never data: what is published stands in the ledger.

CREATE TABLE backfills (
    backfill   text PRIMARY KEY,
    task       text NOT NULL,
    run        text NOT NULL,            -- the run that began it
    definition text NOT NULL,            -- the loader's, as the ledger's state has it
    base       text NOT NULL,            -- the load that brought the whole table last
    wanted     jsonb NOT NULL,           -- the cursor's range, the chunks' length, what happens to extra rows
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    status     text                      -- succeeded, given_up; NULL: not finished
);
CREATE UNIQUE INDEX backfills_unfinished ON backfills (task) WHERE ended_at IS NULL;
CREATE INDEX backfills_by_time ON backfills (started_at);

CREATE TABLE backfill_chunks (
    backfill text NOT NULL REFERENCES backfills ON DELETE CASCADE,
    chunk    integer NOT NULL,           -- from 1
    range    jsonb NOT NULL,
    expected bigint NOT NULL,            -- rows in the source when the chunks were cut
    load     text,                       -- written before anything of it is published
    status   text,                       -- succeeded; NULL: not done, as far as is known here
    read     bigint,
    written  bigint,
    deleted  bigint,
    kept     bigint,                     -- rows that the source does not have, left where they are
    seconds  double precision,
    PRIMARY KEY (backfill, chunk)
);
