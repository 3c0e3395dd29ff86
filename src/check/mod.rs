//! One check: a query over published tables whose rows are failures.

use crate::{
    config::{CheckSpec, Severity},
    error::{Class, Failure, Fault},
    load::Workshop,
    warehouse::{NameOf, Select},
};

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How many rows it found: none is good.
    pub rows: u64,
    /// What people are told of a check that warns.
    pub warning: Option<String>,
}

/// What can go wrong with a check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The warehouse.
    #[error("{}", Failure::of(.0.as_ref()))]
    Warehouse(Box<dyn Fault + Send + Sync>),
    /// It found something.
    #[error("{file} found {}", rows_in_words(*rows))]
    Found {
        /// Its file.
        file: String,
        /// How many rows.
        rows: u64,
    },
    /// The run should stop.
    #[error("stopped")]
    Cancelled,
}

impl Fault for CheckError {
    fn class(&self) -> Class {
        match self {
            Self::Warehouse(error) => error.class(),
            Self::Found { .. } => Class::Lasting,
            // Never shown: a task that was stopped has a status of its own.
            Self::Cancelled => Class::Passing,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Warehouse(error) => error.hint(),
            Self::Found { file, .. } => {
                Some(format!("the rows that the query of {file} returns are the failures"))
            }
            Self::Cancelled => None,
        }
    }
}

/// Does it, in one statement.
pub async fn check(
    workshop: &Workshop,
    spec: &CheckSpec,
    name_of: NameOf<'_>,
) -> Result<Checked, CheckError> {
    let select = Select::of(&spec.statement, workshop.dialect(), None, name_of);
    let rows = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => return Err(CheckError::Cancelled),
        rows = workshop.warehouse.count_rows(&select) => rows.map_err(CheckError::Warehouse)?,
    };
    let file = select.file;
    match (rows, spec.severity) {
        (0, _) => Ok(Checked { rows, warning: None }),
        (_, Severity::Warn) => {
            Ok(Checked { rows, warning: Some(format!("{file} found {}", rows_in_words(rows))) })
        }
        (_, Severity::Error) => Err(CheckError::Found { file, rows }),
    }
}

fn rows_in_words(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}
