//! What can go wrong with a load.

use std::time::Duration;

use super::unfit::{self, Misfit};
use crate::{
    clock,
    error::{Class, Failure, Fault},
    schema::{CursorError, SelectionError, ShapeError},
    sql::TableName,
    stage::StageError,
};

/// An error of a load: its own, or that of the layer below.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The source.
    #[error("{}", Failure::of(.0.as_ref()))]
    Source(Box<dyn Fault + Send + Sync>),
    /// The warehouse.
    #[error("{}", Failure::of(.0.as_ref()))]
    Warehouse(Box<dyn Fault + Send + Sync>),
    /// The stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The loader's settings do not fit the table.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The table cannot be carried as asked.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The control database.
    #[error(transparent)]
    Control(#[from] crate::control::ControlError),
    /// The publish was refused before anything was read.
    #[error(transparent)]
    Refused(#[from] crate::publish::Refusal),
    /// Rows cannot be named by the key.
    #[error(
        "the key of {table} has the column `{column}`, which arrives as {sql_type}: rows cannot be told by it, as \
         source and warehouse write it each in its own way"
    )]
    KeyNotWritten {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The type as which it arrives.
        sql_type: String,
    },
    /// A check failed before the publish.
    #[error(transparent)]
    Unsound(Box<crate::check::Unsound>),
    /// Another project publishes a table of this name.
    #[error("{table} was published by the project `{other}`, this one is `{project}`")]
    OtherProject {
        /// The table.
        table: TableName,
        /// Whose it is.
        other: String,
        /// Who wants it.
        project: String,
    },
    /// The replica shows an older moment than what is published.
    #[error("the replica stands behind the last published load of {table}")]
    Behind {
        /// The table.
        table: TableName,
    },
    /// The source's table changed, and the loader wants to be asked.
    #[error("the schema of {table} changed: {changes}")]
    SchemaChanged {
        /// The table.
        table: TableName,
        /// What changed, in words.
        changes: String,
    },
    /// The loader adds columns only, and the change is of another kind.
    #[error("the schema of {table} changed in a way that cannot be added in place: {changes}")]
    NotAddable {
        /// The table.
        table: TableName,
        /// What changed, in words.
        changes: String,
        /// Whether it has rows that are nowhere else.
        keeps_marked: bool,
    },
    /// The table is too large to be rebuilt by itself.
    #[error("{table} is larger than its `rebuild_limit`, and would be loaded whole: {why}")]
    RebuildLimit {
        /// The table.
        table: TableName,
        /// Why, in words.
        why: String,
    },
    /// The column in which rows would be marked is one of the source's.
    #[error("{place}: {table} has a column `{column}` of its own, where `deletes` would mark rows")]
    MarkTaken {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Where its row is.
        place: String,
    },
    /// The loader does not mark rows any more, or in another column.
    #[error(
        "{table} has rows that are marked as deleted in `{column}`, and its loader marks none there any more"
    )]
    MarksLost {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// The table must become another one, and has rows that are nowhere else.
    #[error("{table} must be made anew, and rows that are marked as deleted are nowhere else")]
    WouldLoseMarks {
        /// The table.
        table: TableName,
        /// SQL that makes it fit.
        sql: String,
    },
    /// More rows vanished than the loader allows.
    #[error(
        "{table} had {before} rows and the source has {now} left: more vanished than `shrink_limit` allows"
    )]
    Shrank {
        /// The table.
        table: TableName,
        /// The table's rows.
        before: u64,
        /// Those that would be left.
        now: u64,
        /// Whether all is loaded anew for a changed schema, and rows go with it that were kept so far.
        loses_kept: bool,
    },
    /// The loader's cursor does not fit the table.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A backfill is refused.
    #[error(transparent)]
    Backfill(#[from] super::BackfillError),
    /// Three counts of the rows that should be one.
    #[error("{table}: {staged} rows were staged, {filled} filled, {counted} are in the staging table")]
    Counts {
        /// The table.
        table: TableName,
        /// By the manifest: the source's answer and the stream's count, equal already.
        staged: u64,
        /// By the COPY into the warehouse.
        filled: u64,
        /// By `count(*)`.
        counted: u64,
    },
    /// Values that the warehouse cannot hold, and that the loader does not say what to make of.
    #[error("the source's table {table} holds what the warehouse cannot: {}", unfit::in_words(misfits))]
    Unfit {
        /// The source's table.
        table: TableName,
        /// The values.
        misfits: Vec<Misfit>,
    },
    /// A published table that is not there any more.
    #[error("{table} is gone from the warehouse")]
    Gone {
        /// The table.
        table: TableName,
    },
    /// A load of a source that the run did not open.
    #[error("{table}: the source {source_name} is not open")]
    NoSource {
        /// The table.
        table: TableName,
        /// The source.
        source_name: String,
    },
    /// No such load.
    #[error("{table} has no published load `{load}`")]
    UnknownLoad {
        /// The table.
        table: TableName,
        /// As it was written.
        load: String,
    },
    /// The beginning of an id that several loads have.
    #[error("`{load}` could be any of {table}'s loads {}", choices.join(", "))]
    AmbiguousLoad {
        /// The table.
        table: TableName,
        /// As it was written.
        load: String,
        /// The loads that have it.
        choices: Vec<String>,
    },
    /// An earlier state of which something is not in the stage any more.
    #[error("load {load} of {table} cannot be published again, the stage lacks {}", listed(missing))]
    NotInStage {
        /// The table.
        table: TableName,
        /// The load.
        load: String,
        /// Objects, and loads that never had any.
        missing: Vec<String>,
    },
    /// A table that is in the ledger already.
    #[error("{table} is barncat's already, with load {load}")]
    Adopted {
        /// The table.
        table: TableName,
        /// Its last published load.
        load: String,
    },
    /// A table that cannot be taken over as it is.
    #[error("{table} cannot be taken over: {}", why.join("; "))]
    NotAdoptable {
        /// The table.
        table: TableName,
        /// What is in the way.
        why: Vec<String>,
        /// SQL that mends some of it.
        sql: Option<String>,
    },
    /// Another load was published while this one was decided upon: what was refused may not be so.
    #[error("{table} is superseded: another load of it was published while this one was decided upon")]
    Superseded {
        /// The table.
        table: TableName,
    },
    /// Another member of a group that must match failed.
    #[error("{table} must match {other}, which failed")]
    GroupMember {
        /// The table.
        table: TableName,
        /// The one that failed.
        other: TableName,
    },
    /// An attempt that took longer than the loader allows.
    #[error("{table}: the attempt took longer than {}", in_words(*limit))]
    TimeLimit {
        /// The table.
        table: TableName,
        /// `time_limit`.
        limit: Duration,
    },
    /// What only a service's table can have.
    #[error("{table} is not read from a service that answers over HTTP")]
    NotOfService {
        /// The table.
        table: TableName,
    },
    /// Answers of another request than the row's.
    #[error("{table}: what load {load} shows came of another request, `{then}`; its row asks `{now}`")]
    AskedOtherwise {
        /// The table.
        table: TableName,
        /// The load that was to be made again.
        load: String,
        /// The request of then.
        then: String,
        /// That of now.
        now: String,
    },
    /// Work that is not done by being done.
    #[error(
        "{table}: `work` still has the {rows} rows that were asked about in this run already: it would never end"
    )]
    WorkStays {
        /// The table.
        table: TableName,
        /// How many rows.
        rows: usize,
    },
    /// A part's task ended without an answer.
    #[error("{table}: the task that reads part {part} ended by itself")]
    PartLost {
        /// The table.
        table: TableName,
        /// The part's number.
        part: u32,
    },
    /// The run should stop.
    #[error("stopped")]
    Cancelled,
}

/// How much of a long list is shown.
const LISTED_MAX: usize = 20;

/// `1 s`, `250 ms`, `1.5 s`: as exact as it was set.
fn in_words(span: Duration) -> String {
    match span.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{} s", clock::seconds(span)),
    }
}

fn listed(missing: &[String]) -> String {
    let mut text = missing.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if missing.len() > LISTED_MAX {
        text.push_str(&format!(", and {} more", missing.len() - LISTED_MAX));
    }
    text
}

impl LoadError {
    fn fault(&self) -> Option<&dyn Fault> {
        Some(match self {
            Self::Source(error) | Self::Warehouse(error) => error.as_ref(),
            Self::Stage(error) => error,
            Self::Selection(error) => error,
            Self::Shape(error) => error,
            Self::Cursor(error) => error,
            Self::Backfill(error) => error,
            Self::Control(error) => error,
            Self::Refused(error) => error,
            Self::Unsound(error) => error.as_ref(),
            _ => return None,
        })
    }
}

impl LoadError {
    /// Whether it lies in the source's snapshot, so that another try needs another one: it is lost, or older
    /// than what another run has published since it was opened.
    pub(super) fn is_of_snapshot(&self) -> bool {
        matches!(self, Self::Source(_) | Self::Behind { .. })
    }
}

impl Fault for LoadError {
    fn class(&self) -> Class {
        match self {
            Self::Behind { .. }
            | Self::Superseded { .. }
            | Self::GroupMember { .. }
            | Self::TimeLimit { .. } => Class::Passing,
            Self::SchemaChanged { .. }
            | Self::WorkStays { .. }
            | Self::NotAddable { .. }
            | Self::RebuildLimit { .. }
            | Self::Shrank { .. }
            | Self::KeyNotWritten { .. }
            | Self::MarkTaken { .. }
            | Self::MarksLost { .. }
            | Self::WouldLoseMarks { .. }
            | Self::Unfit { .. }
            | Self::Gone { .. }
            | Self::NotInStage { .. }
            | Self::Adopted { .. }
            | Self::NotAdoptable { .. }
            | Self::OtherProject { .. } => Class::Lasting,
            Self::UnknownLoad { .. }
            | Self::AmbiguousLoad { .. }
            | Self::NotOfService { .. }
            | Self::AskedOtherwise { .. } => Class::Usage,
            Self::Counts { .. } | Self::PartLost { .. } | Self::NoSource { .. } => Class::Bug,
            // Never shown: a task that was stopped has a status of its own.
            Self::Cancelled => Class::Passing,
            _ => self.fault().map_or(Class::Bug, Fault::class),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Behind { .. } => Some(
                "it is tried again; another replica, or one after a failover, has to catch up first"
                    .to_owned(),
            ),
            Self::GroupMember { other, .. } => {
                Some(format!("tables of `consistent` go together; `barncat why {other}` tells what failed"))
            }
            Self::WorkStays { table, .. } => Some(format!(
                "its rows are published; `work` should select only what {table} does not have yet, by the same key"
            )),
            Self::AskedOtherwise { table, .. } => Some(format!(
                "`barncat run {table}` asks as the row says now; with the request of then in the row, replay makes the rows of then"
            )),
            Self::Superseded { .. } => Some("the next load is decided upon anew".to_owned()),
            Self::SchemaChanged { .. } => Some(
                "the last good rows stay; `on_schema_change = \"rebuild\"` takes the new columns".to_owned(),
            ),
            Self::NotAddable { table, keeps_marked: true, .. } => Some(format!(
                "the last good rows stay; make {table} as the source has it by ALTER TABLE: made anew it would lose the rows that are marked as deleted"
            )),
            Self::NotAddable { table, .. } | Self::RebuildLimit { table, .. } => Some(format!(
                "the last good rows stay; `barncat run --full {table}` loads the whole table anew"
            )),
            Self::Shrank { table, loses_kept, .. } => {
                let extend = match loses_kept {
                    true => {
                        "; `on_schema_change = \"extend\"` adds columns in place and keeps the rows that are gone from the source"
                    }
                    false => "",
                };
                Some(format!(
                    "the last good rows stay; if the source is right: `barncat run --full --accept-shrink {table}`{extend}"
                ))
            }
            Self::KeyNotWritten { column, .. } => Some(format!(
                "`unfit = {{ {column} = \"text\" }}` lets it arrive as text, or `key` names other columns; \
                 `strategy = \"full\"` needs none"
            )),
            Self::MarkTaken { .. } => Some("`deletes = { mark = \"…\" }` gives it another name".to_owned()),
            Self::MarksLost { table, column } => Some(format!(
                "`deletes = {{ mark = \"{column}\" }}` keeps them; `barncat run --full {table}` loads the table without them"
            )),
            Self::WouldLoseMarks { table, sql } => {
                Some(format!("make it fit: {sql}; then `barncat run --full {table}`"))
            }
            Self::Unfit { misfits, .. } => Some(unfit::hint(misfits)),
            Self::Gone { table } => Some(format!("`barncat run {table}` loads it again")),
            Self::OtherProject { .. } => Some(
                "set `into` or `as` for another name; where the project was renamed, update `project` in \
                 the ledger `loads`"
                    .to_owned(),
            ),
            Self::UnknownLoad { table, .. } | Self::NotInStage { table, .. } => Some(format!(
                "`barncat history {table}` shows which loads can be; `keep` in [stage] says how many stay"
            )),
            Self::Adopted { .. } => Some("`barncat plan` shows what its next load would do".to_owned()),
            Self::NotAdoptable { sql: Some(sql), .. } => Some(format!("run this first: {sql};")),
            Self::NotAdoptable { sql: None, table, .. } => {
                Some(format!("mend it, or drop {table} and let `barncat run {table}` load it"))
            }
            Self::AmbiguousLoad { .. } => Some("give more of the id".to_owned()),
            Self::TimeLimit { .. } => Some("`time_limit` of the table's row sets the limit".to_owned()),
            _ => self.fault().and_then(Fault::hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_as_it_was_set() {
        let told = [1, 999, 1_000, 1_500, 7_200_000].map(|millis| in_words(Duration::from_millis(millis)));
        assert_eq!(told, ["1 ms", "999 ms", "1 s", "1.5 s", "7200 s"]);
    }
}
