//! `barncat.toml`.

use super::{PLAIN, Section};

pub(super) const PROJECT: &[Section] = &[
    Section {
        title: "Sections",
        owners: &["the file barncat.toml"],
        keys: &[
            ("project", "", "[its name and time zone](#project)"),
            ("sources", "", "[where rows come from](#sourcesname), by name"),
            ("stage", "", "[the object store between](#stage)"),
            ("warehouse", "", "[where tables are published](#warehouse)"),
            ("control", "in the warehouse", "[where runs, locks and history are kept](#control)"),
            ("tasks", "", "[other programs as tasks](#tasksname), by name"),
            ("hooks", "", "[programs that are told of what happens](#hooksname), by name"),
            ("schedules", "", "[what `barncat serve` runs when](#schedulesname), by name"),
            ("alerts", "", "[who is told what is wrong](#alerts)"),
            ("history", "", "[how long it is kept](#history)"),
        ],
        ..PLAIN
    },
    Section {
        title: "[project]",
        owners: &["[project]"],
        keys: &[
            (
                "name",
                "needed",
                "the first part of every key in the stage, and of what the control database keeps",
            ),
            ("timezone", "`UTC`", "of schedules and deadlines: `Europe/London`"),
            ("requires", "", "the versions of barncat that may read it: `>=0.1`"),
        ],
        ..PLAIN
    },
    Section {
        title: "[sources.NAME]",
        owners: &["[sources.NAME]"],
        keys: &[
            ("kind", "needed", "`http`: a service, which has [keys of its own](#sourcesservice)"),
            ("url", "needed", "`postgres://user:password@host:port/database?sslmode=…`"),
            (
                "connections",
                "`6`",
                "how many at most, over all processes; at least 2 ([what takes them](PROJECT.md#connections))",
            ),
            ("snapshot_for", "`10m`", "tables that start within this time are read in one snapshot"),
            ("max_lag", "", "a standby further behind is not read"),
            ("allow_primary", "`false`", "read a server that is no standby"),
            ("tls", "off loopback `verify-full`", "[how its identity is proved](#tls)"),
        ],
        shared: &["Who logs in"],
        ..PLAIN
    },
    Section {
        title: "Who logs in",
        about: "Of a source, of the warehouse and of `[control]`, where the url has no password ([PROJECT.md](PROJECT.md#who-logs-in)).",
        keys: &[
            ("auth", "`password`", "`iam`: a token for each login instead of a password; of RDS"),
            (
                "password_secret",
                "",
                "where the password is: a secret of AWS Secrets Manager, by ARN or name; an empty one is none",
            ),
            ("region", "as AWS tools find it", "of what AWS is asked for; of Redshift, of its service"),
            (
                "endpoint",
                "Amazon's",
                "another server than Amazon's Secrets Manager; of Redshift, than its service",
            ),
        ],
        ..PLAIN
    },
    Section {
        title: "tls",
        owners: &["`tls` of [sources.NAME]", "`tls` of [warehouse]", "`tls` of [control]"],
        about: "Of a source and of a warehouse, unless the url says otherwise. Files are relative to the project.",
        keys: &[
            ("mode", "by the url", "`disable` off loopback sends passwords and rows as they are"),
            ("ca", "the system's", "certificates that are trusted, as PEM"),
            ("cert", "", "the client's own certificate, with its `key`"),
            ("key", "", "the key of `cert`"),
        ],
        ..PLAIN
    },
    Section {
        title: "[stage]",
        owners: &["[stage]"],
        keys: &[
            ("url", "needed", "`s3://bucket/prefix`, or `file:FOLDER`, relative to the project"),
            ("keep", "", "[how many states of a table can be restored](#keep)"),
            ("compression", "`zstd`", "of parts"),
            ("endpoint", "Amazon's", "another server, of an S3-compatible store"),
            ("region", "as AWS tools find it", "the bucket's"),
            ("path_style", "`false`", "`https://host/bucket/key` instead of `https://bucket.host/key`"),
            ("sse", "the bucket's", "how objects are encrypted where they lie"),
            ("kms_key", "", "of `sse = \"kms\"`: the key's id or ARN"),
        ],
        ..PLAIN
    },
    Section {
        title: "keep",
        owners: &["`keep` of [stage]"],
        about: "Whichever is less. What the two newest states stand on always stays.",
        keys: &[
            ("loads", "`3`", "so many published loads of a table"),
            ("days", "`7`", "those of so many days"),
        ],
        ..PLAIN
    },
    Section {
        title: "[warehouse]",
        owners: &["[warehouse]"],
        about: "What each way to reach Redshift needs stands in [REDSHIFT.md](REDSHIFT.md).",
        keys: &[
            ("kind", "needed", ""),
            ("url", "needed", "as of a source; of Redshift with `transport = \"wire\"` and a password"),
            ("tls", "off loopback `verify-full`", "[how its identity is proved](#tls)"),
            ("transport", "`data-api`", "Redshift: by which way"),
            ("cluster", "", "Redshift: a provisioned one, by its identifier"),
            ("workgroup", "", "Redshift: a serverless one, by its name"),
            ("database", "needed, unless there is a `url`", "Redshift: the database"),
            ("db_user", "whom IAM maps to", "Redshift: the user, of a cluster"),
            ("host", "", "Redshift by wire with logins that IAM gives: the endpoint's name"),
            ("port", "`5439`", "of `host`"),
            ("secret", "", "Redshift by the Data API: user and password, by the secret's ARN"),
            (
                "copy_role",
                "needed for Redshift",
                "the role by which COPY reads the stage: an ARN, or `default`",
            ),
            ("schema", "`public`", "where tasks go unless they say otherwise"),
            (
                "test_schema",
                "`{schema}_test_${USER:-ci}`",
                "where `--mode test` writes instead: one schema for each of the project ([MODELS.md](MODELS.md#test-mode))",
            ),
            ("grants", "", "what is given on tables that are new: `{ select = [\"bi\"] }`"),
            (
                "connections",
                "`16`",
                "how many tasks have open at most, over all processes; on Redshift: statements at once ([what takes them](PROJECT.md#connections))",
            ),
            (
                "fill_jobs",
                "`1`",
                "connections that fill one table, if so many are free; 1: in one transaction, rows frozen",
            ),
            ("lock_timeout", "`300ms`", "one wait for a lock; keep it below the server's `deadlock_timeout`"),
            (
                "lock_wait",
                "`5m`",
                "how long locks are tried for in all, and a table's own lock is waited for",
            ),
            ("snapshot_wait", "`60s`", "how long readers with older snapshots are waited for"),
        ],
        takes: &[("grants", "a table of privileges, each with a list of roles")],
        shared: &["Who logs in"],
        ..PLAIN
    },
    Section {
        title: "[control]",
        owners: &["[control]"],
        about: "Give each project one of its own: schedules and incidents are told apart by project; runs, locks and holds are not, so `history`, `run --resume` and the dashboard show those of all, and tables of one name wait for each other. A serverless warehouse can sleep between runs only where this is not in it.",
        keys: &[
            (
                "url",
                "in the warehouse",
                "a Postgres database for runs, locks and history; not through a transaction pooler. Redshift needs one",
            ),
            ("tls", "off loopback `verify-full`", "[how its identity is proved](#tls)"),
        ],
        shared: &["Who logs in"],
        ..PLAIN
    },
    Section {
        title: "[history]",
        owners: &["[history]"],
        keys: &[(
            "keep",
            "`400d`",
            "how long runs, ticks and incidents that are over stay in the control database, at least 30 days. How each task ended last, and its last good end, stay however old they are. A run that has ended forgets what is older, a thousand rows at a time and for at most 5 seconds; the next one goes on",
        )],
        ..PLAIN
    },
    Section {
        title: "[tasks.NAME]",
        owners: &["task `NAME`"],
        about: "[MODELS.md](MODELS.md#settings) tells what a command is given.",
        keys: &[
            (
                "command",
                "needed",
                "the program and its arguments: `[\"dbt\", \"build\"]`; no shell reads them",
            ),
            ("makes", "", "globs of the tables that it makes: who reads one of them waits for it"),
            ("test", "`false`", "whether it runs in test mode too"),
        ],
        shared: &["Of models, checks and commands"],
        ..PLAIN
    },
    Section {
        title: "[hooks.NAME]",
        owners: &["hook `NAME`"],
        keys: &[
            (
                "on",
                "needed",
                "what it is told of ([all words](MODELS.md#hooks)): `[\"task.failed\", \"run.finished\"]`",
            ),
            ("command", "needed", "the program and its arguments; no shell reads them"),
            ("select", "all tasks", "of which tasks it is told"),
            ("time_limit", "`30s`", "how long it may take"),
            ("test", "`false`", "whether it is told in test mode too"),
        ],
        ..PLAIN
    },
    Section {
        title: "[schedules.NAME]",
        owners: &["schedule `NAME`"],
        about: "[SERVICE.md](SERVICE.md#schedules) tells what becomes of ticks.",
        keys: &[
            (
                "every",
                "this or `cron`",
                "so often, from a second to a year, counted from 1970 in UTC: `6h` is at 00:00, 06:00, 12:00 and 18:00 UTC",
            ),
            ("cron", "this or `every`", "five fields, in the project's `timezone`: `0 1 * * *`"),
            (
                "select",
                "`*`",
                "a selection as on the command line, `--exclude` too; what is not selected is read as it was last published, and its age is told",
            ),
            ("rebuild", "`false`", "tables whose schema changed are rebuilt whatever their `rebuild_limit`"),
            (
                "jitter",
                "none",
                "each run begins later by a part of this, always the same for a schedule, so that several do not begin at once",
            ),
            ("make_up", "`12h`", "a tick that nobody was there for is made up for within this time"),
        ],
        ..PLAIN
    },
    Section {
        title: "[alerts]",
        owners: &["[alerts]"],
        about: "Who is told what stands in [ALERTS.md](ALERTS.md#channels). A channel whose variable is missing or empty is off.",
        keys: &[
            ("dashboard", "", "where the dashboard is, for links"),
            ("heartbeat", "", "a url that is called (GET) after each good run"),
            ("digest", "at once", "when what can wait is told, in the project's time zone: `09:00`"),
            ("slack", "", "[Slack](#alerts-slack)"),
            ("pagerduty", "", "[PagerDuty](#alerts-pagerduty)"),
            ("webhook", "", "[a webhook of one's own](#alerts-webhook)"),
            ("routes", "", "[what goes elsewhere](#alertsroutesname), by name; the first that fits counts"),
        ],
        ..PLAIN
    },
    Section {
        title: "[alerts] slack",
        owners: &["`slack` of [alerts]"],
        keys: &[
            (
                "token",
                "this or `webhook`",
                "a bot's: threads, and the first message is changed as it goes on",
            ),
            ("channel", "needed by `token`", "its id, or `#name`"),
            ("low_channel", "", "another one, for what can wait"),
            ("webhook", "this or `token`", "an incoming webhook's url"),
            ("low_webhook", "", "another one, for what can wait"),
            (
                "mention",
                "",
                "who is called for what cannot wait: `@here`, `@channel`, a person's id (`U…`), a group's (`S…`)",
            ),
            ("api", "Slack's", "another server: `https://slack-gov.com/api`"),
        ],
        ..PLAIN
    },
    Section {
        title: "[alerts] pagerduty",
        owners: &["`pagerduty` of [alerts]"],
        keys: &[
            ("key", "needed", "the routing key of an Events API v2 integration"),
            ("url", "PagerDuty's", "another server: `https://events.eu.pagerduty.com`"),
        ],
        ..PLAIN
    },
    Section {
        title: "[alerts] webhook",
        owners: &["`webhook` of [alerts]"],
        keys: &[("url", "needed", "gets each notice as one JSON object")],
        ..PLAIN
    },
    Section {
        title: "[alerts.routes.NAME]",
        owners: &["route `NAME`"],
        about: "At least one of `tier`, `severity`, `owner` and `tag` says which incidents are meant.",
        keys: &[
            ("tier", "", "only of tasks of this tier"),
            ("severity", "", "only of this severity"),
            ("owner", "", "only of tasks of this owner"),
            ("tag", "", "only of tasks with this tag"),
            ("to", "all", "which channels: `slack`, `pagerduty`, `webhook`"),
            ("channel", "", "another channel of Slack, which takes a bot"),
        ],
        ..PLAIN
    },
];
