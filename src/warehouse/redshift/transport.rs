//! How statements reach Redshift: one seam, so that the SQL is the same by the Data API and by wire.

use std::time::Duration;

use async_trait::async_trait;

use super::RedshiftError;

/// A way to Redshift. Every method may be called in parallel.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Where it leads, for people. Holds no secret.
    fn place(&self) -> String;

    /// Does a batch and gives one answer for each of its statements.
    ///
    /// After `Ok` all of it is done. After `Err` nothing is, but where the error is
    /// [`RedshiftError::Unknown`]: then it may be done, may still be under way, or may never have come
    /// there, and whoever asked must look. Dropped, the batch is cancelled, as far as that can be.
    async fn run(&self, batch: Batch) -> Result<Vec<Answer>, RedshiftError>;

    /// How long locks may take for which this is asked: less would not even let a batch begin.
    fn locks_within(&self, asked: Duration) -> Duration;

    /// Waits until no batch whose name starts with this is under way any more.
    async fn settle(&self, name: &str) -> Result<(), RedshiftError>;

    /// Ends what is under way of batches whose names start with this, as far as it can be, and waits until it
    /// is over. Whoever sent them is dead.
    async fn give_up(&self, name: &str) -> Result<(), RedshiftError>;
}

/// Statements that belong together.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// What it does: an infinitive with its object, for errors.
    pub(super) doing: String,
    /// By which it is found again: the load that it is for, first, where there is one.
    pub(super) name: String,
    /// One statement each, in their order. More than one are one transaction.
    pub(super) statements: Vec<String>,
    /// How many of the first statements only take locks, and how long those may take: past it the batch
    /// is given up, so that nobody queues behind it.
    pub(super) locks: Option<(usize, Duration)>,
}

impl Batch {
    pub(super) fn new(doing: impl Into<String>, name: impl Into<String>) -> Self {
        Self { doing: doing.into(), name: name.into(), statements: Vec::new(), locks: None }
    }

    pub(super) fn then(mut self, statement: impl Into<String>) -> Self {
        self.statements.push(statement.into());
        self
    }
}

/// What one statement gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The rows of a query: every value as text.
    pub(super) rows: Vec<Vec<Option<String>>>,
}

impl Answer {
    /// The first value of the first row.
    pub(super) fn text(&self) -> Option<&str> {
        self.rows.first()?.first()?.as_deref()
    }

    /// The same as a number.
    pub(super) fn number(&self) -> Option<u64> {
        self.text()?.parse().ok()
    }
}
