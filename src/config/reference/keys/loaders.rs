//! `loaders/*.toml`.

use super::{PLAIN, Section};

pub(super) const LOADERS: &[Section] = &[
    Section {
        title: "A loader's file",
        owners: &["the file loaders/shop.toml"],
        keys: &[
            ("source", "needed", "a source of `barncat.toml`"),
            ("schema", "`public`", "the source's schema"),
            ("into", "`[warehouse] schema`", "the warehouse's schema"),
            (
                "consistent",
                "",
                "tables that are always of one snapshot: all are extracted before any is published. `[[\"orders\", \"order_items\"]]`",
            ),
            (
                "defaults",
                "",
                "any key of a row, but `as`, `key`, `columns`, `deadline`: what holds where a row says nothing. Lists are added to",
            ),
            (
                "tables",
                "needed",
                "one row a table: `name = \"full\"`, `\"skip\"`, or [`{ strategy = …, … }`](#a-tables-row); names may be patterns (`*`, `?`), the most exact one wins",
            ),
        ],
        ..PLAIN
    },
    Section {
        title: "A table's row",
        owners: &["table `TABLE`", "table `MARKED`", "[defaults]"],
        keys: &[
            (
                "strategy",
                "`full`",
                "`full`: the whole table each time; `append`: rows that are new; `merge`: rows that are new or changed",
            ),
            ("cursor", "needed by `append` and `merge`", "the column that orders new rows"),
            ("overlap", "`1h`", "how far below the watermark rows are read again"),
            ("compare_every", "`24h`; with `deletes`: each load", "how often keys are compared"),
            (
                "deletes",
                "`ignore`",
                "`detect`: rows that are gone from the source are deleted; `mark`: they stay, and the column `deleted_at`, or the one that is named, says since when",
            ),
            ("shrink_limit", "`full`: 50 %, else 5 %", "how much of a table may vanish in one load"),
            ("as", "its name", "the table's name in the warehouse"),
            ("columns", "all", "only these"),
            ("exclude", "", "not these: they never leave the source"),
            ("hash", "", "these arrive as the SHA-256 of their text, in hex"),
            ("checks", "", "[what its table is held to](#checks-of-a-table)"),
            (
                "private",
                "",
                "columns whose values are in no sample of failing rows, in any table of the project ([who sees what](MODELS.md#what-is-kept-and-who-sees-it))",
            ),
            ("where", "", "only rows for which this SQL condition is true"),
            ("key", "the primary key", "for tables without one"),
            ("tier", "by the graph", "what a critical task needs is critical, too"),
            ("tags", "", "for selections: `tag:finance`"),
            ("owner", "", "who is asked about it"),
            (
                "deadline",
                "",
                "[the time of day by which it must be published](#deadline); it makes the table critical",
            ),
            ("publish", "`auto`", "`auto` swaps, and replaces where a swap would lose something"),
            ("on_broken_view", "`refuse`", "what becomes of views upon it whose column is gone"),
            (
                "on_schema_change",
                "`rebuild`; with `deletes = \"mark\"`: `extend`",
                "`extend`: new columns in place; `refuse`: the table keeps its last good rows until somebody decides",
            ),
            ("rebuild_limit", "", "larger tables (with indexes) are not rebuilt by themselves"),
            (
                "unfit",
                "`fail`",
                "Redshift: what becomes of values that it cannot hold ([REDSHIFT.md](REDSHIFT.md))",
            ),
            (
                "varchar",
                "`declared`",
                "Redshift: `measured` gives text columns the size that their values need",
            ),
            ("redshift", "as the table is", "[how Redshift lays it out](#redshift)"),
            ("format", "by the types", "how rows are staged; for Redshift always `csv`"),
            ("compression", "`[stage] compression`", "of its parts"),
            ("fill_jobs", "`[warehouse] fill_jobs`", "connections that fill it"),
            ("attempts", "`3`", "tries of a passing failure, with growing waits"),
            ("warn_after", "", "an attempt that takes longer is told, and goes on"),
            ("time_limit", "", "of one attempt, which is given up past it, and its queries cancelled"),
        ],
        takes: &[
            ("deletes", "`ignore`, `detect`, `mark`, or `{ mark = \"gone_at\" }`"),
            ("deadline", "`\"06:00\"`, or a table of keys"),
            ("columns", "list of strings"),
            ("format", "`binary`, `csv`"),
            (
                "unfit",
                "`fail`, `null`, `truncate`, `text`, or one of them a column: `{ note = \"truncate\" }`",
            ),
        ],
        ..PLAIN
    },
    Section {
        title: "deadline",
        owners: &["`deadline` of table `TABLE`", "`deadline` of model `MODEL`"],
        about: "`\"06:00\"` alone is each day. How people are told before it is missed stands in [ALERTS.md](ALERTS.md#deadlines).",
        keys: &[
            ("at", "needed", "the time of day, in the project's time zone"),
            ("days", "all", "on which: `[\"mon\", \"fri\"]`"),
            ("within", "`12h`", "what is done within this time before it counts for it"),
        ],
        ..PLAIN
    },
    Section {
        title: "redshift",
        owners: &[
            "`redshift` of table `TABLE`",
            "`redshift` of table `MARKED`",
            "`redshift` of model `MODEL`",
        ],
        about: "Of a table and of a model ([REDSHIFT.md](REDSHIFT.md#how-a-table-is-laid-out)).",
        keys: &[
            ("dist", "as the table is", "how rows are distributed"),
            ("sort", "as the table is", "how they are sorted"),
            ("encode", "as the table is", "columns and their encodings: `{ note = \"zstd\" }`"),
            ("backup", "as the table is", "`false`: not in snapshots"),
        ],
        takes: &[
            ("dist", "`auto`, `even`, `all`, `key(COLUMN)`"),
            ("sort", "`auto`, a list of columns, or `{ interleaved = […] }`"),
        ],
        ..PLAIN
    },
];
