//! What can go wrong with a Postgres source.

use crate::{
    error::{Class, Fault},
    pg::PgError,
    source::SourceError,
    sql::TableName,
};

/// An error of a Postgres source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresSourceError {
    /// A connection or a statement.
    #[error(transparent)]
    Server(#[from] PgError),
    /// The standby ended our session, or its statement, because replay needed what it still read.
    #[error(
        "the standby cancelled the read of {table}: replay needed what it still read, or somebody ended the session"
    )]
    Conflict {
        /// The table.
        table: TableName,
    },
    /// The snapshot has ended for another reason than this table's.
    #[error("the snapshot in which {table} was to be read has ended")]
    SnapshotLost {
        /// The table.
        table: TableName,
    },
    /// The server is no standby.
    #[error("source {source_name} ({place}) is a primary, not a read replica")]
    Primary {
        /// The source.
        source_name: String,
        /// Host, port and database.
        place: String,
    },
    /// The standby is further behind than allowed.
    #[error(
        "the replica of source {source_name} is {lag_seconds:.0} s behind; at most {max_seconds} s are allowed"
    )]
    Lag {
        /// The source.
        source_name: String,
        /// How far.
        lag_seconds: f64,
        /// `max_lag`.
        max_seconds: u64,
    },
    /// Sessions reach different servers, or settings get lost on the way.
    #[error("source {source_name} ({place}) does not always lead to the same session or server: {what}")]
    NotOneServer {
        /// The source.
        source_name: String,
        /// Host, port and database.
        place: String,
        /// What was noticed.
        what: String,
    },
    /// The database's encoding says nothing about its bytes.
    #[error("source {source_name} ({place}) has the encoding SQL_ASCII, so its text may be anything")]
    SqlAscii {
        /// The source.
        source_name: String,
        /// Host, port and database.
        place: String,
    },
    /// No such table.
    #[error("source {source_name} has no table {table}")]
    NoTable {
        /// The source.
        source_name: String,
        /// The table.
        table: TableName,
    },
    /// The role may not read it.
    #[error("the role may not read {} of {table}", list(columns))]
    Privilege {
        /// The table.
        table: TableName,
        /// The columns it may not read; empty: none may be read.
        columns: Vec<String>,
        /// The role.
        role: String,
    },
    /// Row security would hide rows.
    #[error("row security would hide rows of {table} from this role")]
    RowSecurity {
        /// The table.
        table: TableName,
        /// The role.
        role: String,
    },
    /// A standby has no rows of it.
    #[error("{table} is unlogged: a standby has no rows of it")]
    Unlogged {
        /// The table.
        table: TableName,
    },
    /// Rewritten, dropped or altered since the snapshot was taken: rows would be missing.
    #[error("{table} was rewritten, altered or dropped while it was read")]
    Moved {
        /// The table, or the partition.
        table: TableName,
    },
    /// A value that is none of a cursor's type.
    #[error("`{value}` is no value of the cursor `{column}` of {table}, which is {sql_type}")]
    NoValue {
        /// The table.
        table: TableName,
        /// Its cursor.
        column: String,
        /// The cursor's type.
        sql_type: String,
        /// As a person wrote it.
        value: String,
    },
    /// The stream's rows and the server's count of them differ.
    #[error("{table}: the server says that it sent {said} rows, {counted} came")]
    Count {
        /// The table.
        table: TableName,
        /// The COPY's answer.
        said: u64,
        /// Our count.
        counted: u64,
    },
    /// A row is longer than the warehouse reads.
    #[error("{table} has a row of more than {bytes_max} bytes of CSV, which the warehouse does not read")]
    LongRow {
        /// The table.
        table: TableName,
        /// How long a row may be.
        bytes_max: u64,
    },
    /// A value is equal to what stands for NULL.
    #[error("{table} has a value that is equal to what was to stand for NULL in this load")]
    NullTaken {
        /// The table.
        table: TableName,
    },
    /// A COPY ended without the server's answer.
    #[error("{table}: the COPY ended without an answer")]
    NoAnswer {
        /// The table.
        table: TableName,
    },
}

fn list(columns: &[String]) -> String {
    if columns.is_empty() { "any column".to_owned() } else { format!("column {}", columns.join(", ")) }
}

impl Fault for PostgresSourceError {
    fn class(&self) -> Class {
        match self {
            Self::Server(error) => error.class(),
            Self::Conflict { .. }
            | Self::SnapshotLost { .. }
            | Self::Lag { .. }
            | Self::Moved { .. }
            | Self::NullTaken { .. }
            | Self::NoAnswer { .. } => Class::Passing,
            Self::NoValue { .. } => Class::Usage,
            Self::Count { .. } => Class::Bug,
            Self::Primary { .. }
            | Self::NotOneServer { .. }
            | Self::SqlAscii { .. }
            | Self::NoTable { .. }
            | Self::Privilege { .. }
            | Self::RowSecurity { .. }
            | Self::LongRow { .. }
            | Self::Unlogged { .. } => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Server(error) => return error.hint(),
            Self::Conflict { .. } => "if this keeps happening, set hot_standby_feedback = on on the standby, \
                or raise its max_standby_streaming_delay"
                .to_owned(),
            Self::Primary { .. } => "give the url of a replica, or set allow_primary = true for this source".to_owned(),
            Self::Lag { .. } => "it is tried again; `max_lag` of the source sets the limit".to_owned(),
            Self::NotOneServer { .. } => {
                "give the address of one server: no balanced endpoint, and no pooler by transaction or statement"
                    .to_owned()
            }
            Self::SqlAscii { .. } => "only databases with a real encoding can be loaded without guessing".to_owned(),
            Self::NoTable { table, .. } => format!("`barncat discover` lists the tables of {}", table.schema),
            Self::Privilege { table, columns, role } if columns.is_empty() => {
                format!("GRANT SELECT ON {} TO {}", table.quoted(), crate::sql::quote_ident(role))
            }
            Self::Privilege { table, columns, role } => {
                let columns: Vec<_> = columns.iter().map(|column| crate::sql::quote_ident(column)).collect();
                format!(
                    "GRANT SELECT ({}) ON {} TO {}, or leave them out with `exclude` or `columns`",
                    columns.join(", "),
                    table.quoted(),
                    crate::sql::quote_ident(role)
                )
            }
            Self::RowSecurity { role, .. } => format!(
                "ALTER ROLE {} BYPASSRLS, or load a view that shows what it may see",
                crate::sql::quote_ident(role)
            ),
            Self::Unlogged { table } => format!("write \"{}\" = \"skip\" in loaders/, or make it logged", table.name),
            Self::LongRow { .. } => "exclude what makes it so long, or leave such rows out with `where`".to_owned(),
            Self::NullTaken { .. } => "it is loaded again with something else".to_owned(),
            Self::Moved { .. } | Self::SnapshotLost { .. } => "it is loaded again from a new snapshot".to_owned(),
            Self::NoValue { .. } | Self::Count { .. } | Self::NoAnswer { .. } => return None,
        })
    }

    fn mend(&self) -> Option<String> {
        match self {
            Self::Privilege { table, columns, role } if columns.is_empty() => {
                Some(format!("GRANT SELECT ON {} TO {};", table.quoted(), crate::sql::quote_ident(role)))
            }
            Self::Privilege { table, columns, role } => {
                let columns: Vec<_> = columns.iter().map(|column| crate::sql::quote_ident(column)).collect();
                Some(format!(
                    "GRANT SELECT ({}) ON {} TO {};",
                    columns.join(", "),
                    table.quoted(),
                    crate::sql::quote_ident(role)
                ))
            }
            Self::RowSecurity { role, .. } => {
                Some(format!("ALTER ROLE {} BYPASSRLS;", crate::sql::quote_ident(role)))
            }
            _ => None,
        }
    }
}

impl From<PostgresSourceError> for SourceError {
    fn from(error: PostgresSourceError) -> Self {
        Box::new(error)
    }
}
