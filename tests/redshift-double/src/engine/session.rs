//! One session: statements run one after another, on a connection of its own.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_postgres::{CancelToken, Client, NoTls, SimpleQueryMessage};

use super::{
    Engine,
    error::SqlError,
    outcome::{Outcome, ResultColumn},
};
use crate::{
    knobs::StatementFault,
    sql::{self, Statement},
};

/// A session.
pub(crate) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) client: Client,
    connection: JoinHandle<()>,
    pub(super) pid: i32,
    pub(super) in_transaction: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        // A transaction that is open ends with its connection.
        self.connection.abort();
    }
}

impl Session {
    /// Opens one, as this user if one is named (§7: `DbUser`).
    pub(crate) async fn open(engine: &Arc<Engine>, user: Option<&str>) -> Result<Self, SqlError> {
        let (client, connection) = tokio_postgres::connect(&engine.settings().postgres_url, NoTls).await?;
        let connection = tokio::spawn(async move {
            // Its end is seen by whoever waits for an answer.
            let _ = connection.await;
        });
        let mut session =
            Self { engine: Arc::clone(engine), client, connection, pid: 0, in_transaction: false };
        engine.set_up(&session.client).await?;
        let row = session.client.query_one("SELECT pg_backend_pid()", &[]).await?;
        session.pid = row.get(0);
        if let Some(user) = user {
            session.log_in(user).await?;
        }
        Ok(session)
    }

    async fn log_in(&self, user: &str) -> Result<(), SqlError> {
        let failed = |_| {
            let text = format!("password authentication failed for user \"{user}\"");
            SqlError::new("28P01", text)
        };
        let sql = format!("SET SESSION AUTHORIZATION {}", sql::quoted(user));
        self.client.batch_execute(&sql).await.map_err(failed)
    }

    /// The process id that the session shows.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// The id of its next query.
    pub(crate) fn next_query_id(&self) -> i64 {
        self.engine.next_query_id()
    }

    /// Whether a transaction block is open.
    pub(crate) fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// What cancels the statement under way.
    pub(crate) fn canceller(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// Runs one statement, with the faults that are planned for it.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Outcome, SqlError> {
        let knobs = self.engine.knobs().clone();
        knobs.note_statement(sql);
        let before = |fault: &StatementFault| {
            matches!(fault, StatementFault::Fail(_) | StatementFault::Hang | StatementFault::Wait(_))
        };
        match knobs.next_for_statement(sql, before) {
            Some(StatementFault::Fail(error)) => return Err(self.failed(error).await),
            // It is Postgres that waits, so that it is Postgres that is cancelled.
            Some(StatementFault::Hang) => self.client.batch_execute("SELECT pg_sleep(3600)").await?,
            Some(StatementFault::Wait(time)) => tokio::time::sleep(time).await,
            _ => {}
        }
        let outcome = self.run_parsed(sql::parse(sql)?).await?;
        let after = |fault: &StatementFault| {
            matches!(fault, StatementFault::DoAndFail(_) | StatementFault::Disconnect)
        };
        match knobs.next_for_statement(sql, after) {
            Some(StatementFault::DoAndFail(error)) => Err(self.failed(error).await),
            Some(StatementFault::Disconnect) => {
                self.connection.abort();
                Err(SqlError::new("08006", "connection to the database was lost"))
            }
            _ => Ok(outcome),
        }
    }

    /// A planned error leaves the transaction as a real one does.
    async fn failed(&self, error: SqlError) -> SqlError {
        if self.in_transaction {
            let _ = self.client.batch_execute("SELECT 1/0").await;
        }
        error
    }

    async fn run_parsed(&mut self, statement: Statement) -> Result<Outcome, SqlError> {
        match statement {
            Statement::Begin => self.begin().await,
            Statement::Commit => self.commit().await,
            Statement::Rollback => self.roll_back().await,
            Statement::Rows(sql) => self.select(&sql).await,
            Statement::Change(sql) => self.change(&sql).await,
            Statement::Define(sql) => self.define(&sql).await,
        }
    }

    /// `BEGIN`; in a block it only warns.
    pub(crate) async fn begin(&mut self) -> Result<Outcome, SqlError> {
        self.client.batch_execute("BEGIN").await?;
        self.in_transaction = true;
        Ok(Outcome::default())
    }

    /// `COMMIT`. Of a transaction that failed it is a rollback, as in Postgres.
    pub(crate) async fn commit(&mut self) -> Result<Outcome, SqlError> {
        self.in_transaction = false;
        self.client.batch_execute("COMMIT").await?;
        Ok(Outcome::default())
    }

    /// `ROLLBACK`; outside of a block it only warns.
    pub(crate) async fn roll_back(&mut self) -> Result<Outcome, SqlError> {
        self.in_transaction = false;
        self.client.batch_execute("ROLLBACK").await?;
        Ok(Outcome::default())
    }

    async fn define(&self, sql: &str) -> Result<Outcome, SqlError> {
        self.client.batch_execute(sql).await?;
        Ok(Outcome::default())
    }

    async fn change(&self, sql: &str) -> Result<Outcome, SqlError> {
        let messages = self.client.simple_query(sql).await?;
        let affected = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
            _ => None,
        });
        Ok(Outcome { affected, ..Outcome::default() })
    }

    /// Values come as text, as only the simple protocol gives them; their types by a prepared statement.
    async fn select(&self, sql: &str) -> Result<Outcome, SqlError> {
        let prepared = self.client.prepare(sql).await?;
        let columns = prepared.columns().iter().map(|column| ResultColumn {
            name: column.name().to_owned(),
            type_: column.type_().clone(),
            modifier: column.type_modifier(),
        });
        let columns: Vec<_> = columns.collect();
        let messages = self.client.simple_query(sql).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(Outcome { rows: rows.collect(), columns: Some(columns), affected: None })
    }
}
