//! The COMMIT of a publish, and what became of it when its answer is lost.
//!
//! A connection that breaks at COMMIT says nothing about it: it may not have come to the server, may be
//! under way there, or be done. The ledger knows, once it is over.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{PostgresWarehouseError, Server, ledger, staging::PostgresStaging};
use crate::{
    error::{Class, Fault},
    fail_point,
    pg::{Connection, PgError},
    sql::TableName,
};

/// Between two tries to reach the server, which may be on its way up.
const RECONNECT: Duration = Duration::from_millis(300);

/// Commits a publish. If the answer is lost, finds out how it ended, for `limit` at most.
pub(super) async fn commit(staging: &PostgresStaging, limit: Duration) -> Result<(), PostgresWarehouseError> {
    commit_load(&staging.server, &staging.connection, &staging.spec.table, &staging.spec.load, limit).await
}

/// Commits a transaction that wrote a load's row into the ledger.
pub(super) async fn commit_load(
    server: &Server,
    connection: &Connection,
    table: &TableName,
    load: &str,
    limit: Duration,
) -> Result<(), PostgresWarehouseError> {
    fail_point!("publish.commit.before");
    let committed = connection.run(&format!("publish {table}"), "COMMIT").await;
    fail_point!("publish.commit.after");
    connection.set_busy(false);
    match committed {
        Err(error) if is_lost(&error) => match is_published(server, load, limit).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(error.into()),
            Err(source) => {
                Err(PostgresWarehouseError::Unknown { table: table.clone(), load: load.to_owned(), source })
            }
        },
        other => Ok(other?),
    }
}

/// Whether an error leaves open what became of a COMMIT: all but the server's own, and of those the
/// ones by which it ends a session.
fn is_lost(error: &PgError) -> bool {
    error.code().is_none_or(|code| code.starts_with("57P") || code.starts_with("08"))
}

/// Whether a load is published. Waits for its COMMIT, if one is under way, and for the server, if it
/// cannot be reached, for `limit` at most.
pub(super) async fn is_published(server: &Server, load: &str, limit: Duration) -> Result<bool, PgError> {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match ask(server, load, left).await {
            Err(error) if error.class() == Class::Passing && Instant::now() < until => sleep(RECONNECT).await,
            answer => return answer,
        }
    }
}

async fn ask(server: &Server, load: &str, limit: Duration) -> Result<bool, PgError> {
    let connection = server.connect("ledger").await?;
    ledger::is_published(&connection, &server.options.ledger_schema, load, limit).await
}
