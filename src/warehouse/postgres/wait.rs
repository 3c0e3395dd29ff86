//! Readers with older snapshots, waited for before a swap that FREEZE does not serve.
//!
//! A reader whose snapshot is older than the commit of the fill, and who touches the table only after
//! the swap, finds the new table by its name and none of its rows. So once the fill is committed, a
//! swap waits until every such snapshot is gone.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::PostgresWarehouseError;
use crate::{pg::Connection, sql::TableName};

/// How often it is looked whether they are gone.
const LOOK: Duration = Duration::from_millis(100);

/// A wait that takes longer is told.
const TOLD_AFTER: Duration = Duration::from_secs(3);

/// How many of the sessions are named: the oldest ones.
const NAMED_MAX: i64 = 5;

/// The sessions whose snapshots are older than the transaction `$1`, in words, the oldest first.
///
/// `backend_xmin` alone says too much: as long as one old writer is open, new snapshots have an old
/// xmin too. A transaction that began after `$2` took its snapshot after it, whatever its xmin; the
/// role sees when it began as a member of `pg_read_all_stats`. Not waited for are this server's own
/// workers, and barncat's sessions of the same role: each touches only the table that it publishes.
/// A prepared transaction reads no more. A slot's xmin stands for the readers of a standby.
const OLDER: &str = "
    SELECT format('session %s of %s%s%s', pid, coalesce(usename, 'an unknown user'),
                  coalesce(' (' || nullif(application_name, '') || ')', ''),
                  coalesce(format(', open for %s s', extract(epoch FROM clock_timestamp() - xact_start)::int), ''))
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_xmin IS NOT NULL
      AND age(backend_xmin) > age($1::text::xid)
      AND (xact_start IS NULL OR xact_start <= $2::text::timestamptz)
      AND (backend_type IS NULL OR backend_type NOT IN ('autovacuum worker', 'parallel worker'))
      AND NOT (usename = current_user AND application_name LIKE 'barncat %')
    UNION ALL
    SELECT format('replication slot %s', slot_name) FROM pg_replication_slots
    WHERE xmin IS NOT NULL AND age(xmin) > age($1::text::xid)
    LIMIT $3";

/// Waits until no snapshot is older than this moment, `limit` at most. Returns those that still are,
/// in words. The connection must be outside a transaction, so that its own snapshot holds nothing up.
pub(super) async fn for_older_snapshots(
    connection: &Connection,
    table: &TableName,
    limit: Duration,
) -> Result<Vec<String>, PostgresWarehouseError> {
    let fail = |error: tokio_postgres::Error| {
        connection.error(format!("look for readers with older snapshots of {table}"), &error)
    };
    // Its own id is newer than those of the fill, and committed at once.
    let now = "SELECT pg_current_xact_id()::xid::text, clock_timestamp()::text";
    let row = connection.query_one(now, &[]).await.map_err(fail)?;
    let (fill, since): (String, String) = (row.get(0), row.get(1));
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let rows = connection.query_again(OLDER, &[&fill, &since, &NAMED_MAX]).await.map_err(fail)?;
        let sessions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if sessions.is_empty() || begun.elapsed() >= limit {
            return Ok(sessions);
        }
        if !is_told && begun.elapsed() >= TOLD_AFTER {
            is_told = true;
            let (table, sessions) = (table.to_string(), sessions.join(", "));
            tracing::warn!(table, sessions, "the publish waits for readers with older snapshots");
        }
        sleep(LOOK.min(limit)).await;
    }
}
