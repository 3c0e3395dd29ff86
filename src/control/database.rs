//! Statements to the control database: a pool, the schema's name, and errors that say what was
//! attempted.

use std::{future::Future, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use deadpool_postgres::{Client, Pool, PoolError};
use tokio_postgres::{Row, Transaction, types::ToSql};

use super::ControlError;
use crate::{
    error::{Class, Fault},
    pg::{Connection, Endpoint, PgError, Session},
    sql::quote_ident,
};

/// A statement's parameters.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The control database.
pub(super) struct Database {
    endpoint: Endpoint,
    pool: Pool,
    schema: String,
}

/// How many short statements run at once.
const POOL_SIZE: usize = 4;

impl Database {
    pub(super) fn new(endpoint: &Endpoint, schema: &str) -> Result<Self, ControlError> {
        let pool =
            endpoint.pool(&Session::new("barncat control"), POOL_SIZE).map_err(ControlError::Failed)?;
        Ok(Self { endpoint: endpoint.clone(), pool, schema: schema.to_owned() })
    }

    /// The schema's name, not quoted.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// `sql` with `control.` replaced by the schema's name: sessions have no search_path, and test
    /// mode has a schema of its own.
    pub(super) fn sql(&self, sql: &str) -> String {
        sql.replace("control.", &format!("{}.", quote_ident(&self.schema)))
    }

    /// A connection of one's own, outside of the pool.
    pub(super) async fn connect(&self) -> Result<Connection, ControlError> {
        crate::pg::connect(&self.endpoint, &Session::new("barncat control session"))
            .await
            .map_err(ControlError::Failed)
    }

    /// A connection of the pool.
    pub(super) async fn client(&self) -> Result<Client, ControlError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => ControlError::Failed(self.endpoint.login_error(&error)),
            error => ControlError::Pool { what: error.to_string() },
        })
    }

    /// Begins a transaction; it rolls back unless it is committed.
    pub(super) async fn begin<'a>(
        &'a self,
        client: &'a mut Client,
        doing: &'static str,
    ) -> Result<Work<'a>, ControlError> {
        let client: &mut tokio_postgres::Client = client;
        let transaction = client.transaction().await.map_err(|error| self.error(doing, &error))?;
        Ok(Work { database: self, transaction, doing })
    }

    /// One statement, committed by itself.
    pub(super) async fn query(
        &self,
        doing: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, ControlError> {
        let client = self.client().await?;
        client.query(&self.sql(sql), parameters).await.map_err(|error| self.error(doing, &error))
    }

    /// One statement, committed by itself; how many rows it touched.
    pub(super) async fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<u64, ControlError> {
        let client = self.client().await?;
        client.execute(&self.sql(sql), parameters).await.map_err(|error| self.error(doing, &error))
    }

    pub(super) fn error(&self, doing: &'static str, error: &tokio_postgres::Error) -> ControlError {
        ControlError::Failed(PgError::of(doing, &self.endpoint.place(), error))
    }
}

/// A transaction.
pub(super) struct Work<'a> {
    database: &'a Database,
    transaction: Transaction<'a>,
    doing: &'static str,
}

impl Work<'_> {
    pub(super) fn schema(&self) -> &str {
        self.database.schema()
    }

    /// Statements as they stand: `control.` is not replaced.
    pub(super) async fn run(&self, sql: &str) -> Result<(), ControlError> {
        self.transaction.batch_execute(sql).await.map_err(|error| self.database.error(self.doing, &error))
    }

    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, ControlError> {
        let rows = self.transaction.query(&self.database.sql(sql), parameters).await;
        rows.map_err(|error| self.database.error(self.doing, &error))
    }

    pub(super) async fn execute(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64, ControlError> {
        let count = self.transaction.execute(&self.database.sql(sql), parameters).await;
        count.map_err(|error| self.database.error(self.doing, &error))
    }

    pub(super) async fn commit(self) -> Result<(), ControlError> {
        self.transaction.commit().await.map_err(|error| self.database.error(self.doing, &error))
    }
}

/// Writes what has happened already: tried again for about half a minute while the error is a
/// passing one. `write` must be one that may be done twice.
pub(super) async fn persist<F, Fut>(write: F) -> Result<(), ControlError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), ControlError>>,
{
    let backoff = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(10);
    write.retry(backoff).when(|error| error.class() == Class::Passing).await
}
