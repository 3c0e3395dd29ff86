//! What can go wrong with a model.

use crate::{
    control::ControlError,
    error::{Class, Failure, Fault},
    publish::Refusal,
    sql::TableName,
};

/// An error of a model: its own, or that of the layer below.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The warehouse.
    #[error("{}", Failure::of(.0.as_ref()))]
    Warehouse(Box<dyn Fault + Send + Sync>),
    /// The control database.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The publish was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
    /// Another load was published while this one was decided upon: what was refused may not be so.
    #[error("{table} is superseded: another load of it was published while this one was decided upon")]
    Superseded {
        /// The table.
        table: TableName,
    },
    /// A setting names a column that the SELECT does not give.
    #[error("{file}: `{key}` names `{column}`, and the model has no such column")]
    NoColumn {
        /// The model's file.
        file: String,
        /// The setting.
        key: &'static str,
        /// The column.
        column: String,
    },
    /// Two counts of the rows that should be one.
    #[error("{table}: {filled} rows were filled, {counted} are in the staging table")]
    Counts {
        /// The table.
        table: TableName,
        /// By the statement that filled.
        filled: u64,
        /// By `count(*)`.
        counted: u64,
    },
    /// A table where a view is to be, which only a person may drop.
    #[error("{table} is a table, and the model makes a view")]
    NoView {
        /// The table.
        table: TableName,
    },
    /// The run should stop.
    #[error("stopped")]
    Cancelled,
}

impl Fault for ModelError {
    fn class(&self) -> Class {
        match self {
            Self::Warehouse(error) => error.class(),
            Self::Control(error) => error.class(),
            Self::Refused(error) => error.class(),
            Self::Unsound(error) => error.class(),
            Self::OtherProject { .. } | Self::NoColumn { .. } | Self::NoView { .. } => Class::Lasting,
            Self::Counts { .. } => Class::Bug,
            Self::Superseded { .. } => Class::Passing,
            // Never shown: a task that was stopped has a status of its own.
            Self::Cancelled => Class::Passing,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Warehouse(error) => error.hint(),
            Self::Control(error) => error.hint(),
            Self::Refused(error) => error.hint(),
            Self::Unsound(error) => error.hint(),
            Self::OtherProject { .. } => Some("set `schema`, or give the file another name".to_owned()),
            Self::Superseded { .. } => Some("the next load is decided upon anew".to_owned()),
            Self::NoView { table } => {
                Some(format!("drop it (DROP TABLE {}), then run again", table.quoted()))
            }
            Self::NoColumn { .. } | Self::Counts { .. } | Self::Cancelled => None,
        }
    }
}
