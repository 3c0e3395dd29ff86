//! Statements to the control database: a pool, the schema's name, and errors that say what was
//! attempted.

use std::{future::Future, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use deadpool::managed::PoolError;
use tokio_postgres::{Row, types::ToSql};

use super::ControlError;
use crate::{
    error::{Class, Fault},
    pg::{Connection, END_IF_SILENT, Endpoint, PgError, Pool, Pooled, Session},
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

    async fn client(&self, doing: &'static str) -> Result<Pooled, ControlError> {
        answered(doing, PATIENCE, self.pool.get()).await?.map_err(|error| match error {
            PoolError::Backend(error) => ControlError::Failed(error),
            error => ControlError::Pool { what: error.to_string() },
        })
    }

    /// Begins a transaction. Each of its statements is waited for no longer than `patience`.
    pub(super) async fn begin(
        &self,
        doing: &'static str,
        patience: Duration,
    ) -> Result<Work<'_>, ControlError> {
        let client = Some(self.client(doing).await?);
        let work = Work { database: self, client, doing, patience };
        work.run(&format!("BEGIN; {}", END_IF_SILENT)).await?;
        Ok(work)
    }

    /// One statement, committed by itself.
    pub(super) async fn query(
        &self,
        doing: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, ControlError> {
        let work =
            Work { database: self, client: Some(self.client(doing).await?), doing, patience: PATIENCE };
        let rows = work.query(sql, parameters).await?;
        work.done();
        Ok(rows)
    }

    /// One statement, committed by itself; how many rows it touched.
    pub(super) async fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<u64, ControlError> {
        let work =
            Work { database: self, client: Some(self.client(doing).await?), doing, patience: PATIENCE };
        let count = work.execute(sql, parameters).await?;
        work.done();
        Ok(count)
    }

    pub(super) fn error(&self, doing: &'static str, error: &tokio_postgres::Error) -> ControlError {
        ControlError::Failed(PgError::of(doing, &self.endpoint.place(), error))
    }
}

/// A connection of the pool in use. Dropped in the middle of something, be it an error or a wait
/// that was given up, it is closed: the server rolls back (a statement that is under way is cancelled), and
/// nobody gets a connection that is still busy or silent.
pub(super) struct Work<'a> {
    database: &'a Database,
    client: Option<Pooled>,
    doing: &'static str,
    patience: Duration,
}

impl Work<'_> {
    pub(super) fn schema(&self) -> &str {
        self.database.schema()
    }

    /// Statements as they stand: `control.` is not replaced.
    pub(super) async fn run(&self, sql: &str) -> Result<(), ControlError> {
        self.answer(self.client().batch_execute(sql)).await
    }

    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, ControlError> {
        let sql = self.database.sql(sql);
        self.answer(async {
            let statement = self.client().prepared(&sql).await?;
            self.client().query(&statement, parameters).await
        })
        .await
    }

    pub(super) async fn execute(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64, ControlError> {
        let sql = self.database.sql(sql);
        self.answer(async {
            let statement = self.client().prepared(&sql).await?;
            self.client().execute(&statement, parameters).await
        })
        .await
    }

    pub(super) async fn commit(self) -> Result<(), ControlError> {
        self.run("COMMIT").await?;
        self.done();
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), ControlError> {
        self.run("ROLLBACK").await?;
        self.done();
        Ok(())
    }

    async fn answer<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, ControlError> {
        self.client().set_busy(true);
        let answer = answered(self.doing, self.patience, statement).await?;
        self.client().set_busy(false);
        answer.map_err(|error| self.database.error(self.doing, &error))
    }

    fn client(&self) -> &Pooled {
        self.client.as_ref().expect("it is there until the work is done")
    }

    /// Gives the connection back to the pool.
    fn done(mut self) {
        drop(self.client.take());
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        drop(self.client.take().map(Pooled::take));
    }
}

/// How long one statement may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

async fn answered<T>(
    doing: &'static str,
    patience: Duration,
    question: impl Future<Output = T>,
) -> Result<T, ControlError> {
    let seconds = patience.as_secs();
    tokio::time::timeout(patience, question).await.map_err(|_| ControlError::Silent { doing, seconds })
}

/// Writes what has happened already: tried again for about half a minute while the error is a
/// passing one. `write` must be one that may be done twice.
pub(super) async fn persist<F, Fut, T>(write: F) -> Result<T, ControlError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ControlError>>,
{
    let backoff = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(10);
    write.retry(backoff).when(|error| error.class() == Class::Passing).await
}
