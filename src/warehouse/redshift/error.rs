//! What can go wrong with Redshift.

use tokio_postgres::error::DbError;

use super::words;
use crate::{
    error::{Class, Fault},
    pg::PgError,
    sql::TableName,
};

/// An error of a Redshift warehouse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedshiftError {
    /// A statement failed, and with it its whole batch.
    #[error("cannot {doing}: {message}")]
    Statement {
        /// What was attempted: an infinitive with its object.
        doing: String,
        /// The server's words, without values.
        message: String,
        /// The SQLSTATE; the Data API tells none.
        code: Option<String>,
    },
    /// A SELECT of the project failed.
    #[error("{file}: the warehouse cannot run it: {message}")]
    Select {
        /// The file, relative to the project's folder.
        file: String,
        /// The server's words, without values.
        message: String,
        /// The SQLSTATE; the Data API tells none.
        code: Option<String>,
    },
    /// Several rows have the same key.
    #[error("{table}: the source has several rows of the same key ({})", key.join(", "))]
    NotUnique {
        /// The table.
        table: TableName,
        /// The key's columns.
        key: Vec<String>,
    },
    /// The service refused what was asked of it.
    #[error("cannot {doing}: {message}")]
    Service {
        /// What was attempted.
        doing: String,
        /// The service's words.
        message: String,
        /// Whether it would be refused again.
        class: Class,
    },
    /// The connection was lost in the midst of a batch, before its end was asked for.
    #[error("cannot {doing}: the connection to {place} was lost, and nothing was done")]
    Lost {
        /// What was attempted.
        doing: String,
        /// Where.
        place: String,
    },
    /// The answer was lost: the batch may be done.
    #[error("cannot {doing}: the answer of {place} was lost")]
    Unknown {
        /// What was attempted.
        doing: String,
        /// Where.
        place: String,
    },
    /// A lock was not to be had.
    #[error("cannot {doing}: somebody holds a lock on {table}")]
    Locked {
        /// What was attempted.
        doing: String,
        /// The table.
        table: TableName,
    },
    /// Something hangs on the table by now that a swap cannot carry.
    #[error("a swap of {table} would by now lose {}", obstacles.join(", "))]
    Bound {
        /// The table.
        table: TableName,
        /// What would be lost.
        obstacles: Vec<String>,
    },
    /// Another load was published meanwhile.
    #[error("{table} is superseded: another load of it was published since this one was decided upon")]
    Superseded {
        /// The table.
        table: TableName,
    },
    /// There is a relation of the table's name that the ledger knows nothing of.
    #[error("{table} is there already, neither created nor adopted by barncat")]
    NotOurs {
        /// The table.
        table: TableName,
    },
    /// An answer that is not what was asked for.
    #[error("cannot {doing}: the answer has {what}")]
    Answer {
        /// What was attempted.
        doing: String,
        /// What is wrong with it.
        what: String,
    },
    /// A statement is longer than the way to Redshift takes.
    #[error("cannot {doing}: its statement has {bytes} bytes, and {bytes_max} is the most")]
    TooLong {
        /// What was attempted.
        doing: String,
        /// The statement's length.
        bytes: usize,
        /// The longest that is taken.
        bytes_max: usize,
    },
    /// A ledger row that cannot be read.
    #[error("the ledger's row of load {load} cannot be read: {what}")]
    Ledger {
        /// The load.
        load: String,
        /// What is wrong with it.
        what: String,
    },
    /// What a fill was promised did not come.
    #[error("the load of {table} was given up before its manifest was written")]
    NoManifest {
        /// The table.
        table: TableName,
    },
    /// An object of the stage is not what the manifest says.
    #[error("{key} in the stage {what}")]
    Part {
        /// The object.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// COPY refused a row.
    #[error("COPY into {table} failed at {file}, line {line}{key}, column {column}{length}: {reason}")]
    Row {
        /// The table.
        table: TableName,
        /// The part.
        file: String,
        /// Its line.
        line: String,
        /// The row's key in words; empty where it has none.
        key: String,
        /// The column.
        column: String,
        /// How long the value is, in words; empty where that is not known.
        length: String,
        /// Redshift's reason.
        reason: String,
    },
    /// COPY took in another number of rows than were sent.
    #[error("COPY into {table} took in {loaded} rows of {expected}")]
    Count {
        /// The table.
        table: TableName,
        /// Rows by the manifest.
        expected: u64,
        /// Rows by `pg_last_copy_count()`.
        loaded: u64,
    },
    /// A text cannot be made larger where it is.
    #[error("cannot change the columns of {table}: `{column}` must become {sql_type}: {message}")]
    NotWidened {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What it must be.
        sql_type: String,
        /// The server's words.
        message: String,
    },
    /// No session by wire.
    #[error(transparent)]
    Session(#[from] PgError),
    /// The stage failed.
    #[error("cannot read the stage")]
    Stage(#[from] crate::stage::StageError),
}

impl Fault for RedshiftError {
    fn class(&self) -> Class {
        match self {
            Self::Statement { message, code, .. } | Self::Select { message, code, .. } => {
                words::class_of(message, code.as_deref())
            }
            Self::Session(error) => error.class(),
            Self::Lost { .. } => Class::Passing,
            Self::Service { class, .. } => *class,
            Self::Unknown { .. } | Self::Locked { .. } | Self::Superseded { .. } | Self::Count { .. } => {
                Class::Passing
            }
            Self::Part { .. } | Self::NoManifest { .. } | Self::Bound { .. } => Class::Passing,
            Self::TooLong { .. }
            | Self::NotOurs { .. }
            | Self::NotWidened { .. }
            | Self::Answer { .. }
            | Self::Ledger { .. }
            | Self::NotUnique { .. }
            | Self::Row { .. } => Class::Lasting,
            Self::Stage(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Statement { message, .. } | Self::Select { message, .. } | Self::Service { message, .. } => {
                words::hint_of(message)
            }
            Self::NotUnique { key, .. } => Some(format!(
                "rows are told apart by ({}): name columns by `key = […]` that no two rows have in common",
                key.join(", ")
            )),
            // A column that is never NULL in the source has no other rows: it is one of the key.
            Self::Row { reason, .. } if reason.starts_with("1213") => Some(
                "a key needs a value in each of its columns: name others by `key = […]`, or leave such rows out by `where`"
                    .to_owned(),
            ),
            Self::Row { .. } => Some(
                "`unfit` in the loader's row says what is done with values that Redshift cannot hold"
                    .to_owned(),
            ),
            Self::TooLong { .. } => {
                Some("leave columns out, or reach Redshift by wire, which takes statements of 16 MB".to_owned())
            }
            Self::NotWidened { table, .. } => Some(format!(
                "the last good rows stay; `publish = \"swap\"` for the loader and `barncat run --full {table}` make the table anew, and the views that are bound to it"
            )),
            Self::Bound { .. } => Some("the next load is decided upon anew".to_owned()),
            Self::Superseded { .. } => Some("the next load is decided upon anew".to_owned()),
            Self::NotOurs { table } => {
                Some(format!("`barncat adopt {table}` takes it over; or rename it or drop it, or load into another table"))
            }
            Self::Session(error) => error.hint(),
            Self::Part { .. } => Some(
                "something else than barncat writes to the stage: find out what; the next try stages the rows anew"
                    .to_owned(),
            ),
            Self::Stage(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<RedshiftError> for crate::warehouse::WarehouseError {
    fn from(error: RedshiftError) -> Self {
        Box::new(error)
    }
}

/// The words of an error by wire, as the Data API has them, without values. Where the message is nothing but
/// a number, as `1023` is, the detail says what it means and names tables and transactions; of all others it
/// may quote a row.
pub(super) fn wire_message(error: &DbError) -> String {
    let message = error.message();
    let is_number = message.bytes().all(|byte| byte.is_ascii_digit());
    without_values(&match error.detail().filter(|_| is_number) {
        Some(detail) => format!("ERROR: {message} DETAIL: {detail}"),
        None => format!("ERROR: {message}"),
    })
}

/// A server's message without what may be a row's value: messages about data quote values, all others
/// quote names.
pub(super) fn without_values(message: &str) -> String {
    const ABOUT_DATA: [&str; 5] = ["invalid", "out of range", "too long", "overflow", "parse"];
    if !ABOUT_DATA.iter().any(|words| message.to_lowercase().contains(words)) {
        return message.to_owned();
    }
    let mut told = String::with_capacity(message.len());
    let mut inside = None;
    for character in message.chars() {
        match inside {
            None if character == '"' || character == '\'' => {
                inside = Some(character);
                told.push('…');
            }
            None => told.push(character),
            Some(quote) if quote == character => inside = None,
            Some(_) => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_out_and_names_are_not() {
        assert_eq!(
            without_values("ERROR: invalid input syntax for integer: \"secret\""),
            "ERROR: invalid input syntax for integer: …"
        );
        assert_eq!(
            without_values("ERROR: relation \"x\" does not exist"),
            "ERROR: relation \"x\" does not exist"
        );
    }
}
