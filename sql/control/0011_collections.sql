-- What services answered. A collection is the answers to one question, as they lie in the stage; losing this costs
-- asking again, never data: which answers a load was made of stands in its manifest.

CREATE TABLE collections (
    collection     text PRIMARY KEY,
    task           text NOT NULL,
    source         text NOT NULL,
    definition     text NOT NULL,        -- a fingerprint of what is asked: another question is asked anew
    run            text NOT NULL,        -- the run that is or was at it last
    begun_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    touched_at     timestamptz NOT NULL DEFAULT clock_timestamp(),  -- the last sign of life
    resume_seconds double precision NOT NULL,  -- for how long after that it is gone on with
    ended_at       timestamptz,
    status         text                  -- used, given_up; NULL: it can be gone on with
);
CREATE INDEX collections_open ON collections (task) WHERE ended_at IS NULL;
CREATE INDEX collections_by_end ON collections (ended_at);

-- Requests that failed for good while others of the same collection did not.
CREATE TABLE failed_requests (
    failure    text PRIMARY KEY,         -- its own id
    task       text NOT NULL,
    source     text NOT NULL,
    run        text NOT NULL,
    collection text NOT NULL,
    load       text,                     -- the load that was made without it
    query      bigint NOT NULL,          -- its place in the collection, from 0
    request    jsonb NOT NULL,           -- as it was sent, without who asks
    failed     jsonb NOT NULL,           -- class, message, hint: no values
    failed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    mended_by  text                      -- the load that brought its rows; NULL with ended_at: given up
);
CREATE INDEX failed_requests_open ON failed_requests (task, failed_at) WHERE ended_at IS NULL;
CREATE INDEX failed_requests_by_end ON failed_requests (failed_at);

-- Records that were left out, by their place: their values stay in the stage.
CREATE TABLE rejected_records (
    task       text NOT NULL,
    run        text NOT NULL,
    load       text NOT NULL,
    collection text NOT NULL,
    answer     text NOT NULL,            -- the object in the stage
    record     bigint NOT NULL,          -- its place in it, from 1
    reason     text NOT NULL,            -- the column and what is wrong with it
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (load, answer, record)
);
CREATE INDEX rejected_records_of_task ON rejected_records (task, at);
CREATE INDEX rejected_records_by_time ON rejected_records (at);
