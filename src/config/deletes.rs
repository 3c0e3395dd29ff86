//! What becomes of rows that are gone from the source.

use super::{
    Keys, OnSchemaChange, PublishChoice, Strategy,
    mistake::{Collector, Place},
};
use crate::sql::Dialect;

/// What becomes of rows that are gone from the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletes {
    /// They stay, and nobody looks.
    Ignore,
    /// Key sets are compared; they are deleted.
    Detect,
    /// Key sets are compared; they stay, and this column of the warehouse's table says since when.
    Mark(String),
}

/// The column's name, where only `"mark"` is written.
const COLUMN: &str = "deleted_at";

/// Postgres keeps this much of a name.
const NAME_BYTES_MAX: usize = Dialect::Postgres.name_bytes_max();

impl Deletes {
    /// For a warehouse that knows lower case alone.
    pub(super) fn in_lower_case(self) -> Self {
        match self {
            Self::Mark(column) => Self::Mark(column.to_lowercase()),
            other => other,
        }
    }

    /// The column in which rows are marked.
    pub fn mark(&self) -> Option<&str> {
        match self {
            Self::Mark(column) => Some(column),
            Self::Ignore | Self::Detect => None,
        }
    }
}

/// Reads the key: a word, or `{ mark = "column" }`.
pub(super) fn read(keys: &Keys<'_>) -> Option<Deletes> {
    if !keys.is_table("deletes") {
        let words = [
            ("ignore", Deletes::Ignore),
            ("detect", Deletes::Detect),
            ("mark", Deletes::Mark(COLUMN.to_owned())),
        ];
        return keys.choice("deletes", &words);
    }
    let table = keys.table("deletes")?;
    let column = table.string("mark");
    if !table.has("mark") {
        table.missing("mark", "the column that says since when a row is gone: `{ mark = \"deleted_at\" }`");
    }
    if column.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        table.wrong("mark", format_args!("is longer than the {NAME_BYTES_MAX} bytes of a name"));
    }
    table.finish();
    column.map(Deletes::Mark)
}

/// What a row of the loader says beside `deletes`.
pub(super) struct Beside {
    pub(super) strategy: Strategy,
    pub(super) publish: PublishChoice,
    /// If it is written.
    pub(super) on_schema_change: Option<OnSchemaChange>,
}

impl Beside {
    /// Marked rows are nowhere but in the table: what would put another in its place is refused.
    pub(super) fn refuse_to_lose_marks(&self, table: &str, place: &Place, mistakes: &Collector) {
        let refuse = |what: &str, hint: &str| {
            let message = format!("table `{table}` marks deleted rows, {what}");
            mistakes.add(place.clone(), message, Some(hint.to_owned()));
        };
        if self.strategy == Strategy::Full {
            refuse(
                "which is not to be had with `strategy = \"full\"`",
                "`append` or `merge`, or `deletes = \"ignore\"`",
            );
        }
        if self.on_schema_change == Some(OnSchemaChange::Rebuild) {
            refuse(
                "which `on_schema_change = \"rebuild\"` would lose",
                "`extend`, the default here, adds columns in place",
            );
        }
        if self.publish == PublishChoice::Swap {
            refuse("which `publish = \"swap\"` would lose", "leave `publish` out");
        }
    }
}
