//! Why a backfill is refused.

use crate::{
    error::{Class, Fault},
    sql::TableName,
};

/// Why a backfill, or the rest of it, is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackfillError {
    /// A table that every load brings whole.
    #[error("{table} is loaded whole each time: it has no range to backfill")]
    Whole {
        /// The table.
        table: TableName,
    },
    /// Nothing is published yet.
    #[error("{table} has not been loaded yet")]
    NotLoaded {
        /// The table.
        table: TableName,
    },
    /// The next load would bring the whole table, or other columns.
    #[error("{table} cannot be backfilled before its next load: {reason}")]
    LoadFirst {
        /// The table.
        table: TableName,
        /// What that load would do.
        reason: String,
    },
    /// The range has no value in it.
    #[error("nothing of {table} can lie in this range")]
    Empty {
        /// The table.
        table: TableName,
    },
    /// Chunks by time, of a cursor that is none.
    #[error("the cursor `{column}` of {table} is no time: `--chunk` must be a number of rows")]
    NoTime {
        /// The table.
        table: TableName,
        /// Its cursor.
        column: String,
    },
    /// Chunks of a part of a day, of a cursor of days.
    #[error(
        "the cursor `{column}` of {table} is a date: `--chunk` must be a number of rows or of whole days"
    )]
    NoWholeDays {
        /// The table.
        table: TableName,
        /// Its cursor.
        column: String,
    },
    /// More chunks than make sense.
    #[error("the range of {table} would be cut into more than {most} chunks")]
    TooMany {
        /// The table.
        table: TableName,
        /// How many there may be.
        most: u32,
    },
    /// An earlier backfill is not finished.
    #[error("a backfill of {table} is not finished: {done} of its {chunks} chunks are done")]
    Unfinished {
        /// The table.
        table: TableName,
        /// Chunks that are done.
        done: usize,
        /// All of them.
        chunks: usize,
    },
    /// There is none to go on with.
    #[error("{table} has no unfinished backfill")]
    NoneToResume {
        /// The table.
        table: TableName,
    },
    /// What the chunks were cut for is not so any more.
    #[error("the backfill of {table} cannot go on: {what}")]
    Changed {
        /// The table.
        table: TableName,
        /// What changed.
        what: String,
    },
    /// Another process is at it.
    #[error("a backfill of {table} is under way in run {run}, process {pid} on {host}")]
    UnderWay {
        /// The table.
        table: TableName,
        /// The run.
        run: String,
        /// Where.
        host: String,
        /// The process there.
        pid: i64,
    },
    /// The table's lock was lost.
    #[error("the lock of {table} was lost: the control database was out of reach for too long")]
    LockLost {
        /// The table.
        table: TableName,
    },
    /// A person wants the table to keep its published data.
    #[error("{table} is {hold}")]
    OnHold {
        /// The table.
        table: TableName,
        /// Since when, by whom, why.
        hold: String,
    },
    /// The table's lock was not to be had.
    #[error("{table} was locked by others for {waited_seconds} s")]
    Locked {
        /// The table.
        table: TableName,
        /// How long it was waited for.
        waited_seconds: u64,
    },
}

impl Fault for BackfillError {
    fn class(&self) -> Class {
        match self {
            Self::LoadFirst { .. } | Self::Changed { .. } => Class::Lasting,
            Self::LockLost { .. } => Class::Passing,
            Self::UnderWay { .. } | Self::OnHold { .. } | Self::Locked { .. } => Class::Held,
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Whole { table } => format!("`barncat run --full {table}` loads it anew"),
            Self::NotLoaded { table } | Self::LoadFirst { table, .. } => {
                format!("`barncat run {table}` loads it")
            }
            Self::Empty { .. } => {
                "`--from` is below `--to`, and at or below what has been loaded; the next load brings what is beyond"
                    .to_owned()
            }
            Self::NoTime { .. } => "`--chunk 100000`".to_owned(),
            Self::NoWholeDays { .. } => "`--chunk 7d`".to_owned(),
            Self::TooMany { .. } => "give a greater `--chunk`, or a smaller range".to_owned(),
            Self::Unfinished { .. } => {
                "`--resume` goes on with it; `--restart` gives it up and begins anew".to_owned()
            }
            Self::NoneToResume { .. } => "without `--resume` a new one begins".to_owned(),
            Self::Changed { .. } => "`--restart` gives the rest up and begins anew".to_owned(),
            Self::UnderWay { .. } | Self::LockLost { .. } => return None,
            Self::OnHold { table, .. } => format!("`barncat release {table}` lets it go"),
            Self::Locked { .. } => "`--resume` goes on with it".to_owned(),
        })
    }
}
