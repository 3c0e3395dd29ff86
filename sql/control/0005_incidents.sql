-- Incidents, and the messages about them: each message is recorded in the transaction that changes its
-- incident, and sent afterwards by whoever claims it. All names are a project's own: several may share a
-- control database.

CREATE TABLE incidents (
    incident     text PRIMARY KEY,
    project      text NOT NULL,
    cause        text NOT NULL,          -- `task raw_shop.orders`
    state        text NOT NULL,          -- open, settling, recovered
    alarm        jsonb NOT NULL,         -- what was seen last
    opened_at    timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    recovered_at timestamptz,
    times        bigint NOT NULL,        -- how often it was seen
    reopened     bigint NOT NULL,        -- how often it came back since its end was last told
    told         boolean NOT NULL,       -- people know that it is open
    acknowledged_by text,
    acknowledged_at timestamptz
);
-- One open incident a cause.
CREATE UNIQUE INDEX incidents_open ON incidents (project, cause) WHERE state <> 'recovered';
CREATE INDEX incidents_by_cause ON incidents (project, cause, opened_at);
CREATE INDEX incidents_by_time ON incidents (opened_at);

-- What people do not want to hear of for a time: a task's full name or an incident's id.
CREATE TABLE mutes (
    project  text NOT NULL,
    what     text NOT NULL,
    until    timestamptz NOT NULL,
    muted_by text NOT NULL,
    PRIMARY KEY (project, what)
);

-- Where messages go, and when the next one may: a channel takes one a second, and says when it wants none.
CREATE TABLE alert_places (
    project    text NOT NULL,
    channel    text NOT NULL,            -- slack, pagerduty, webhook
    address    text NOT NULL,            -- which of its places; never a secret
    not_before timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project, channel, address)
);

-- Numbers follow the order of the commits: they are drawn under the project's lock.
CREATE TABLE outbox (
    message     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project     text NOT NULL,
    incident    text NOT NULL REFERENCES incidents ON DELETE CASCADE,
    channel     text NOT NULL,
    address     text NOT NULL,
    loud        boolean NOT NULL,        -- whether somebody is called by name
    gathered    boolean NOT NULL,        -- goes with others, when it is due
    notice      jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at      timestamptz NOT NULL,
    tries       bigint NOT NULL DEFAULT 0,
    claimed_by  text,                    -- the session that sends it just now
    claimed_at  timestamptz,
    doubtful    boolean NOT NULL DEFAULT false,  -- it may have been sent: no answer came
    sent_at     timestamptz,
    given_up_at timestamptz,             -- it can never be sent
    error       text,                    -- why it was not sent last
    receipt     jsonb,                   -- where it lies: Slack's channel and ts
    FOREIGN KEY (project, channel, address) REFERENCES alert_places
);
CREATE INDEX outbox_waiting ON outbox (project, due_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX outbox_by_incident ON outbox (incident, channel, address, message);
