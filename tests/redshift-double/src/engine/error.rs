//! How a statement fails: with the texts that Redshift has (§2.4).

use std::fmt;

use tokio_postgres::error::DbError;

/// A statement's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SqlError {
    /// The SQLSTATE, for the wire.
    pub code: String,
    /// The message, without `ERROR:`.
    pub message: String,
    /// More of it, on a line of its own.
    pub detail: Option<String>,
    /// The place in the statement, in characters from 1.
    pub position: Option<u32>,
}

impl SqlError {
    /// An error with this SQLSTATE and message.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), detail: None, position: None }
    }

    /// `42601`, at this place of the statement.
    pub(crate) fn syntax(near: &str, position: usize) -> Self {
        let message = if near.is_empty() {
            "syntax error at end of input".to_owned()
        } else {
            format!("syntax error at or near \"{near}\"")
        };
        Self { position: u32::try_from(position).ok(), ..Self::new("42601", message) }
    }
}

/// As the Data API shows it: `ERROR: … Position: 12` (§7).
impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERROR: {}", self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "\n  Detail: {detail}")?;
        }
        if let Some(position) = self.position {
            write!(f, "\n  Position: {position}")?;
        }
        Ok(())
    }
}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => of_postgres(error),
            None => Self::new("08006", format!("connection to the database failed: {error}")),
        }
    }
}

fn of_postgres(error: &DbError) -> SqlError {
    match error.code().code() {
        // §10: Postgres' serialization failure is error 1023.
        "40001" => faults::serializable_violation(0),
        "23514" if error.constraint().is_some_and(|name| name.starts_with("redshift_double_")) => {
            of_rule(error.constraint().unwrap_or_default())
        }
        "22001" => of_rule("bytes"),
        "21000" if error.message().starts_with("MERGE") => {
            SqlError::new("21000", "Found multiple matches to update the same tuple.")
        }
        "57014" => SqlError::new("57014", "Query cancelled on user's request"),
        // The statement was written anew: a place in it means nothing to the caller.
        code => {
            SqlError { detail: error.detail().map(str::to_owned), ..SqlError::new(code, error.message()) }
        }
    }
}

/// The error for a value that a column's rule refuses; which rule, tells the constraint's name.
fn of_rule(constraint: &str) -> SqlError {
    let message = match constraint {
        name if name.contains("bytes") => "Value too long for character type",
        name if name.contains("ascii") => "CHAR string contains invalid ASCII character",
        name if name.contains("decimal") => "Numeric data overflow (result precision)",
        name if name.contains("super") => "Value exceeds the limits of SUPER",
        _ => "date/time field value out of range",
    };
    SqlError::new("22001", message)
}

/// Errors to plan as faults, with the texts of §2.4.
pub mod faults {
    use super::SqlError;

    /// 1023: the transaction met another one; all of it must be tried again.
    pub fn serializable_violation(oid: u32) -> SqlError {
        SqlError::new(
            "XX000",
            format!(
                "1023 DETAIL: Serializable isolation violation on table - {oid}, transactions forming the \
                 cycle are: 101, 102 (pid:4711)"
            ),
        )
    }

    /// 1018: the relation was made after the transaction's snapshot.
    pub fn relation_does_not_exist() -> SqlError {
        SqlError::new("XX000", "1018 DETAIL: Relation does not exist.")
    }

    /// What a reader may see while the table is swapped.
    pub fn could_not_open_relation(oid: u32) -> SqlError {
        SqlError::new("XX000", format!("could not open relation with OID {oid}"))
    }

    /// What a rename may meet, as of a VACUUM in the background.
    pub fn conflict() -> SqlError {
        SqlError::new("XX000", "conflict with concurrent transaction")
    }

    /// The table was dropped while the statement waited for it.
    pub fn dropped_by_concurrent_transaction(oid: u32) -> SqlError {
        SqlError::new("XX000", format!("table {oid} dropped by concurrent transaction"))
    }
}
