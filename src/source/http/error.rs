//! What can go wrong with a service as a source, beside what asking and collecting tell themselves.

use super::{
    AskedError,
    collect::CollectError,
    records::{KeysError, RecordsError},
};
use crate::{
    error::{Class, Fault},
    source::SourceError,
    sql::TableName,
    stage::StageError,
};

/// An error of a service as a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A table that no row names.
    #[error("source {source_name} has no table {table}")]
    NoTable {
        /// The source.
        source_name: String,
        /// The table.
        table: TableName,
    },
    /// What only a database does.
    #[error("{table}: a service cannot be {what}")]
    NotOfServices {
        /// The table.
        table: TableName,
        /// What was asked for.
        what: &'static str,
        /// What there is instead.
        instead: &'static str,
    },
    /// What cannot be asked.
    #[error(transparent)]
    Asked(#[from] AskedError),
    /// A collection that did not become whole.
    #[error("{table}: {error}")]
    Collect {
        /// The table.
        table: TableName,
        /// Why.
        error: CollectError,
    },
    /// The stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A body that cannot be read.
    #[error("{table}: answer {query}.{page} in the stage: {error}")]
    Records {
        /// The table.
        table: TableName,
        /// The query, from 0.
        query: u64,
        /// The page, from 0.
        page: u64,
        /// Why.
        error: RecordsError,
    },
    /// Records that are not as the columns say.
    #[error(
        "{table}: {} not as `columns` says; the first is record {record} of answer {query}.{page} in the stage: {reason}",
        if *count == 1 { "1 record is".to_owned() } else { format!("{count} records are") }
    )]
    BadRecords {
        /// The table.
        table: TableName,
        /// How many.
        count: u64,
        /// The query of the first, from 0.
        query: u64,
        /// Its page, from 0.
        page: u64,
        /// Its place there, from 1.
        record: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Records of one key.
    #[error("{table}: {error}")]
    Keys {
        /// The table.
        table: TableName,
        /// Why.
        error: KeysError,
    },
    /// Records came twice, and others are missing.
    #[error("{table}: the service said that there are {said} records, and {came} different ones came")]
    Shifted {
        /// The table.
        table: TableName,
        /// What was said.
        said: u64,
        /// How many came.
        came: u64,
    },
    /// A row that the warehouse does not read.
    #[error("{table}: a row cannot be written: {reason}")]
    Row {
        /// The table.
        table: TableName,
        /// Why.
        reason: String,
    },
    /// A task ended without an answer.
    #[error("{table}: the task that reads answers ended by itself")]
    Lost {
        /// The table.
        table: TableName,
    },
}

impl ServiceError {
    /// Finds it in a source's error.
    pub fn of(error: &SourceError) -> Option<&Self> {
        let error: &(dyn std::error::Error + 'static) = &**error;
        error.downcast_ref()
    }

    /// Whether it lies in what came: with the same answers it would be the same again.
    pub fn is_of_answers(&self) -> bool {
        match self {
            Self::Collect { error, .. } => error.is_of_answers(),
            Self::Records { .. } | Self::BadRecords { .. } | Self::Shifted { .. } => true,
            Self::Keys { error, .. } => error.class() != Class::Passing,
            _ => false,
        }
    }
}

impl From<ServiceError> for SourceError {
    fn from(error: ServiceError) -> Self {
        Box::new(error)
    }
}

impl Fault for ServiceError {
    fn class(&self) -> Class {
        match self {
            Self::NotOfServices { .. } => Class::Usage,
            Self::Asked(error) => error.class(),
            Self::Collect { error, .. } => error.class(),
            Self::Stage(error) => error.class(),
            Self::Records { error, .. } => error.class(),
            Self::Keys { error, .. } => error.class(),
            Self::Shifted { .. } | Self::Row { .. } => Class::Passing,
            Self::NoTable { .. } | Self::BadRecords { .. } => Class::Lasting,
            Self::Lost { .. } => Class::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotOfServices { instead, .. } => Some((*instead).to_owned()),
            Self::Asked(error) => error.hint(),
            Self::Collect { error, .. } => error.hint(),
            Self::Stage(error) => error.hint(),
            Self::Records { error, .. } => error.hint(),
            Self::BadRecords { .. } => Some(
                "the last good rows stay; `on_bad_record = \"reject\"` leaves such records out and keeps them, or \
                 `columns` takes them as they are"
                    .to_owned(),
            ),
            Self::Keys { error, .. } => error.hint(),
            Self::Shifted { .. } => Some(
                "some came twice in the place of others: they moved between the pages while they were read (paging by a \
                 cursor, or `windows`, stays clear of it), or `key` does not tell them apart; the last good rows stay"
                    .to_owned(),
            ),
            Self::NoTable { .. } | Self::Row { .. } | Self::Lost { .. } => None,
        }
    }
}
