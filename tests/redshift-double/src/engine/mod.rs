//! What runs statements on Postgres as Redshift would, whatever front asked for it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::{
    knobs::Knobs,
    record::Record,
    settings::{Isolation, Settings},
};

pub(crate) mod cancel;
mod copy;
pub(crate) mod error;
pub(crate) mod outcome;
pub(crate) mod session;
mod tables;
mod views;

use error::SqlError;

/// The internals: catalog views, functions, what Postgres' catalog has no place for.
const SETUP: [&str; 4] = [
    include_str!("setup.sql"),
    include_str!("functions.sql"),
    include_str!("comparison.sql"),
    include_str!("catalog.sql"),
];

/// The schema that stands at the end of every search path: comparisons of VARCHAR (§4).
pub(crate) const OPERATORS: &str = "redshift_double_operators";

/// The database behind the double, with what all sessions share.
pub(crate) struct Engine {
    settings: Settings,
    knobs: Knobs,
    record: Record,
    queries: AtomicI64,
    /// Connections that nobody uses, as good as new.
    idle: Mutex<Vec<Connection>>,
}

impl Engine {
    /// Makes the schema `redshift_double` if it is not there.
    pub(crate) async fn prepare(settings: Settings, record: Record) -> Result<Self, SqlError> {
        let (queries, idle) = (AtomicI64::new(1000), Mutex::default());
        let engine = Self { settings, knobs: Knobs::default(), record, queries, idle };
        let connection = engine.connect().await?;
        connection.batch_execute(&SETUP.concat()).await?;
        engine.give_back(connection).await;
        Ok(engine)
    }

    /// A connection of one's own, as it is when it is new.
    async fn connect(&self) -> Result<Connection, SqlError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(connection) = idle() {
            if !connection.client.is_closed() {
                return Ok(connection);
            }
        }
        let (client, connection) = tokio_postgres::connect(&self.settings.postgres_url, NoTls).await?;
        let task = tokio::spawn(async move {
            // Its end is seen by whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(Connection { client, task })
    }

    /// The Data API has a session for each call; to begin one costs Postgres more than most statements do.
    async fn give_back(&self, connection: Connection) {
        if connection.batch_execute("DISCARD ALL").await.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// The next query's id: what `pg_last_query_id()` tells.
    pub(crate) fn next_query_id(&self) -> i64 {
        self.queries.fetch_add(1, Ordering::Relaxed)
    }

    /// What every session begins with. Backslashes escape in literals (§6.4); the default isolation
    /// stands for every statement, in a transaction or not (§2.1).
    pub(crate) async fn set_up(&self, client: &Client) -> Result<(), SqlError> {
        let isolation = match self.settings.isolation {
            Isolation::Snapshot => "repeatable read",
            Isolation::Serializable => "serializable",
        };
        let sql = format!(
            "SET standard_conforming_strings = off; SET escape_string_warning = off; SET TimeZone = 'UTC';
             SET default_transaction_isolation = '{isolation}'; SET client_min_messages = error;
             SET search_path = \"$user\", public, {OPERATORS}"
        );
        client.batch_execute(&sql).await?;
        // A statement that hangs shall not hold its locks when the double is gone (from Postgres 14 on).
        let sql = "SELECT set_config('client_connection_check_interval', '1s', false)
                   WHERE current_setting('server_version_num')::integer >= 140000";
        Ok(client.batch_execute(sql).await?)
    }
}

/// A connection to the database behind the double. A transaction that is open ends with it.
struct Connection {
    client: Client,
    task: JoinHandle<()>,
}

impl std::ops::Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
