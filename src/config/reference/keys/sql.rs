//! The first comments of SQL files.

use super::{PLAIN, Section};

pub(super) const SQL: &[Section] = &[
    Section {
        title: "Of models, checks and commands",
        keys: &[
            ("needs", "", "tasks that must be done first, beside those that its SQL names"),
            (
                "soft",
                "",
                "tasks that it waits for and goes on without, each with the greatest age of what they last published: `{ fx_rates = \"24h\" }`, or `\"any\"` ([soft needs](MODELS.md#soft-needs))",
            ),
            (
                "tier",
                "by the graph",
                "`critical` is also what a critical task needs by hard edges, and what has a deadline; `optional` on such a task is a mistake",
            ),
            ("tags", "", "for selections: `tag:finance`"),
            ("owner", "", "who is asked about it"),
            (
                "deadline",
                "",
                "[the time of day by which it must be done](#deadline); it makes the task critical",
            ),
            ("attempts", "`3`", "tries of a passing failure, with growing waits"),
            (
                "warn_after",
                "",
                "the soft limit: an attempt that takes longer is told, by a line at once and in the outcome's `warnings`, and goes on",
            ),
            ("time_limit", "", "the hard limit of one attempt; the server's query is cancelled with it"),
        ],
        takes: &[
            ("soft", "a table of tasks and time spans"),
            ("deadline", "`\"06:00\"`, or a table of keys"),
        ],
        ..PLAIN
    },
    Section {
        title: "Of models",
        owners: &["model `MODEL`", "model `GROWING`"],
        keys: &[
            (
                "kind",
                "`table`",
                "`table`: made anew; `incremental`: it grows ([MODELS.md](MODELS.md#how-it-is-published))",
            ),
            ("schema", "`[warehouse] schema`", "where it goes"),
            (
                "key",
                "",
                "the columns that tell its rows apart: its primary key. Needed by `incremental`, of no use to a view",
            ),
            (
                "cursor",
                "needed by `incremental`",
                "the column whose greatest value is `:since` the next time",
            ),
            ("since", "needed by `incremental`", "what `:since` is when the whole table is made"),
            ("description", "", "the table's comment"),
            ("columns", "", "the columns' comments: `{ owed = \"in euro\" }`"),
            ("publish", "`auto`", "as of a loader's row"),
            ("on_broken_view", "`refuse`", "what becomes of views upon it whose column is gone"),
            ("redshift", "as the table is", "[how Redshift lays it out](#redshift)"),
            ("checks", "", "[what it is held to](#checks-of-a-table)"),
            ("private", "", "as of a loader's row"),
        ],
        shared: &["Of models, checks and commands"],
        takes: &[("columns", "a table of columns and texts")],
        ..PLAIN
    },
    Section {
        title: "Of checks",
        owners: &["check `CHECK`"],
        keys: &[
            ("on", "what its SQL reads", "the tables that it is about"),
            (
                "every",
                "each run",
                "a run that begins sooner after it was answered skips it and says so; one that failed, or is written anew, is asked by each run. `barncat check` always asks",
            ),
            ("reconcile", "", "a second query, which must return the same rows as the file's"),
            ("description", "", "what it is for"),
        ],
        shared: &["Of models, checks and commands", "Of each kind, and of all beside them"],
        without: &["where"],
        ..PLAIN
    },
];
