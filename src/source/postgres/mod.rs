//! A Postgres replica (or, where it is allowed, a primary) as a source.
//!
//! A snapshot is a `REPEATABLE READ, READ ONLY` transaction that exports its snapshot; each part is
//! read by a session that joins it. Nothing is created on the server. What is tried on which
//! version is in the design notes of `docs/ARCHITECTURE.md`.

mod advice;
mod catalog;
mod diagnose;
mod error;
mod longest;
mod look;

mod parts;
mod reach;
mod readers;
mod related;
mod set_by;
mod slices;
mod snapshot;
mod stream;
mod type_info;

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;

pub use self::{
    advice::{CursorAdvice, TableAdvice, Tells},
    error::PostgresSourceError,
};
use super::{Related, Slots, Snapshot, Source, SourceError, SourceTable};
use crate::{
    diagnosis::Finding,
    event::Tier,
    pg::{self, Connection, Endpoint, PgError, Session},
    schema::Selection,
    sql::TableName,
};

/// How long it may take to open a snapshot, which reads no table.
const OPEN_WITHIN: Duration = Duration::from_secs(120);

/// How to treat a Postgres source.
pub struct Options {
    /// Its name in the project.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whether a server that is no standby may be read.
    pub allow_primary: bool,
    /// How far a standby may be behind.
    pub max_lag: Option<Duration>,
    /// The run's id, for `application_name`.
    pub run: String,
}

/// A Postgres source.
pub struct PostgresSource {
    options: Arc<Options>,
    slots: Arc<dyn Slots>,
}

impl PostgresSource {
    /// A source whose connections each hold one of `slots`.
    pub fn new(options: Options, slots: Arc<dyn Slots>) -> Self {
        Self { options: Arc::new(options), slots }
    }

    /// The schemas that hold something to load.
    pub async fn schemas(&self) -> Result<Vec<String>, SourceError> {
        let _slot = self.slots.take(1, Tier::Critical).await?;
        let connection = self.options.connect(None, "catalog").await.map_err(PostgresSourceError::from)?;
        Ok(advice::schemas(&connection).await?)
    }

    /// Looks at every table of a schema: its key, its likely cursor.
    pub async fn advise(&self, schema: &str) -> Result<Vec<TableAdvice>, SourceError> {
        let _slot = self.slots.take(1, Tier::Critical).await?;
        let connection = self.options.connect(None, "catalog").await.map_err(PostgresSourceError::from)?;
        Ok(advice::advise(&connection, schema).await?)
    }

    /// Tests what a run needs of the server, and of each table that a loader takes. `connections`:
    /// how many runs may have open at once.
    pub async fn diagnose(&self, wanted: &[(TableName, Selection)], connections: u32) -> Vec<Finding> {
        diagnose::diagnose(self, wanted, connections).await
    }
}

#[async_trait]
impl Source for PostgresSource {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn tables(&self, schema: &str) -> Result<Vec<SourceTable>, SourceError> {
        let _slot = self.slots.take(1, Tier::Critical).await?;
        let connection = self.options.connect(None, "catalog").await.map_err(PostgresSourceError::from)?;
        Ok(catalog::tables(&connection, schema).await?)
    }

    async fn related(&self, tables: &[TableName]) -> Result<Vec<Related>, SourceError> {
        let _slot = self.slots.take(1, Tier::Critical).await?;
        let connection = self.options.connect(None, "catalog").await.map_err(PostgresSourceError::from)?;
        Ok(related::related(&connection, tables).await?)
    }

    async fn open_snapshot(&self, tier: Tier) -> Result<Arc<dyn Snapshot>, SourceError> {
        // The holder and one reader together: a holder that can never read would block others.
        let slots = self.slots.take(2, tier).await?;
        let opening =
            snapshot::PostgresSnapshot::open(self.options.clone(), self.slots.clone(), (slots, tier));
        // No attempt's time limit counts yet.
        let opened = tokio::time::timeout(OPEN_WITHIN, opening).await;
        let opened = opened.map_err(|_| {
            let (place, source) = (self.options.endpoint.place(), std::io::ErrorKind::TimedOut.into());
            PostgresSourceError::from(PgError::Reach { place, source })
        })?;
        Ok(Arc::new(opened?))
    }
}

impl Options {
    /// A connection, told apart in `pg_stat_activity` by run and what it reads.
    async fn connect(&self, pin: Option<IpAddr>, what: &str) -> Result<Connection, PgError> {
        let session = Session::new(format!("barncat {} {what}", self.run));
        match pin {
            Some(address) => pg::connect(&self.endpoint.pinned(address), &session).await,
            None => pg::connect(&self.endpoint, &session).await,
        }
    }
}
