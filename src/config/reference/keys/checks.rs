//! `checks` of a table.

use super::{PLAIN, Section};

pub(super) const CHECKS: &[Section] = &[
    Section {
        title: "Kinds",
        owners: &["`checks` of table `TABLE`", "`checks` of table `MARKED`", "`checks` of model `MODEL`"],
        keys: &[
            (
                "unique",
                "",
                "finds rows that share the value with another row, or in a list of their own the values together: `[\"id\", [\"a\", \"b\"]]`; NULL is no value",
            ),
            ("not_null", "", "finds rows without a value"),
            (
                "accepted_values",
                "",
                "finds rows with another value: `{ state = [\"new\", \"paid\"] }`; NULL is none",
            ),
            (
                "relationship",
                "",
                "finds rows whose value is none of another task's table: `{ rider_id = \"riders.id\" }`",
            ),
            (
                "range",
                "",
                "finds rows below or above: `{ fee = { min = 0, max = 100 } }`; both ends belong to it; numbers, or times and texts in quotes",
            ),
            ("row_count", "", "finds [too few or too many rows](#row_count)"),
            ("freshness", "", "finds that [nothing is so young](#freshness)"),
            (
                "match_source",
                "",
                "of a load: finds rows that are not as the source has them just now, as `verify --as-is` compares them; the count costs as much as the hashes",
            ),
            (
                "anomalies",
                "",
                "finds [what is not as the table's own history lets expect](#anomalies); warns unless `severity` is said",
            ),
        ],
        shared: &["Of each kind, and of all beside them"],
        takes: &[
            ("unique", "a list of columns, or `{ columns = […], … }`"),
            ("not_null", "a list of columns, or `{ columns = […], … }`"),
            ("accepted_values", "columns and their values, or `{ state = { values = […], … } }`"),
            ("relationship", "columns and `TABLE.COLUMN`, or `{ rider_id = { to = \"riders.id\", … } }`"),
            ("range", "columns and their bounds"),
            ("match_source", "`count`, `hash`, or `{ by = \"hash\", … }`"),
            ("anomalies", "a list of words, or a table of keys"),
        ],
        ..PLAIN
    },
    Section {
        title: "Of each kind, and of all beside them",
        about: "Stand in braces with a kind, beside the kinds for all of a table's, or in the first comment of a file in `sql/checks`.",
        keys: &[
            (
                "severity",
                "`error`; of `anomalies` `warn`",
                "the task fails; `warn`: the run says so, and an incident that can wait is opened",
            ),
            (
                "error_if",
                "any row",
                "beyond how many failing rows it fails, or of those looked at. With it alone fewer rows warn",
            ),
            ("warn_if", "any row", "beyond how many it warns. With it alone nothing fails"),
            ("where", "", "SQL: which rows a kind looks at; not of a file"),
            (
                "before_publish",
                "`false`",
                "asked of the rows before anybody sees them ([MODELS.md](MODELS.md#before-a-publish))",
            ),
            ("sample", "`5`", "how many failing rows are kept"),
        ],
        ..PLAIN
    },
    Section {
        title: "In braces with a kind",
        owners: &[
            "`unique` of `checks` of table `TABLE`",
            "`not_null` of `checks` of table `TABLE`",
            "`accepted_values` of `COLUMN`",
            "`relationship` of `COLUMN`",
            "`range` of `COLUMN`",
            "`match_source` of `checks` of table `TABLE`",
        ],
        keys: &[
            ("columns", "needed", "of `unique` and `not_null`"),
            ("values", "needed", "of `accepted_values`: texts or numbers"),
            ("to", "needed", "of `relationship`: `riders.id`"),
            ("min", "", "of `range`: a number or a text"),
            ("max", "", "of `range`: a number or a text"),
            ("by", "needed", "of `match_source`"),
        ],
        shared: &["Of each kind, and of all beside them"],
        ..PLAIN
    },
    Section {
        title: "row_count",
        owners: &["`row_count` of `checks` of table `TABLE`"],
        about: "At least one of them.",
        keys: &[
            ("min", "", "no fewer"),
            ("max", "", "no more"),
            (
                "change",
                "",
                "no further from the median of up to nine loads before, of which at least three must be known: `50 %`",
            ),
        ],
        shared: &["Of each kind, and of all beside them"],
        ..PLAIN
    },
    Section {
        title: "freshness",
        owners: &["`freshness` of `checks` of table `TABLE`"],
        keys: &[
            ("column", "the ledger's `as_of`", "by whose newest value it is told"),
            ("max", "needed", "at most so old"),
        ],
        shared: &["Of each kind, and of all beside them"],
        ..PLAIN
    },
    Section {
        title: "anomalies",
        owners: &["`anomalies` of `checks` of table `TABLE`"],
        about: "[MODELS.md](MODELS.md#anomalies) tells what is expected, and how well it is found.",
        keys: &[
            ("of", "needed", "what is measured: `rows`, `bytes`, `duration`, `freshness`, `nulls`"),
            ("columns", "all, 100 at most", "of `nulls`"),
            ("column", "the loads", "of `freshness`: by whose newest value it is told"),
            (
                "sensitivity",
                "`4`",
                "how many (robust) standard deviations off is abnormal: less finds more and errs more",
            ),
            ("history", "`7`", "on how many days it must have been measured before it is judged"),
        ],
        shared: &["Of each kind, and of all beside them"],
        ..PLAIN
    },
];
