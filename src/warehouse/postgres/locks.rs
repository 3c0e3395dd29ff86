//! The locks of a swap: the views outermost first, then the table, each wait short.
//!
//! Readers lock a view before what it reads. Whoever goes the other way, or waits for longer than
//! `deadlock_timeout`, makes the server end somebody's statement; and behind a waiting exclusive lock
//! every later reader queues. So a lock that is not to be had at once is given up together with all
//! the others, and all are tried again a little later.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use super::{PostgresWarehouseError, views::View};
use crate::{
    fail_point,
    pg::{Connection, PgError},
    sql::TableName,
};

/// Takes the exclusive locks within the transaction. Once the first is held, all others together
/// must come within `timeout`: readers wait meanwhile, and none of them may wait until it looks
/// for deadlocks.
pub(super) async fn take(
    connection: &Connection,
    table: &TableName,
    views: &[View],
    timeout: Duration,
) -> Result<(), PgError> {
    fail_point!("publish.lock.before");
    keep_all_vacuums_away(connection, table).await?;
    let table_sql = format!("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", table.quoted());
    let mut until = None;
    for sql in views.iter().map(View::lock_sql).chain([table_sql]) {
        let left = until.map_or(timeout, |until: Instant| until.saturating_duration_since(Instant::now()));
        let doing = format!("lock {table} and its views");
        connection.run(&doing, &format!("{}; {sql}", set_timeout(left))).await?;
        until.get_or_insert_with(|| Instant::now() + timeout);
    }
    // What the swap itself needs of others' locks is bounded as well.
    connection.run("bound the waits of a swap", &set_timeout(timeout)).await?;
    fail_point!("publish.lock.after");
    Ok(())
}

/// The statements that keep vacuums away from a table until the transaction ends. The lock is in no
/// reader's and no writer's way, so that it may be waited for until the server looks for deadlocks:
/// only then does it end an autovacuum that holds somebody up (PostgreSQL's documentation, "The
/// Autovacuum Daemon"). Short waits alone would last as long as the vacuum does. Changes `lock_timeout`.
pub(super) fn keep_vacuum_away(table: &TableName) -> String {
    format!(
        "SELECT set_config('lock_timeout', (least(setting::bigint, 10000) + 1000)::text, true)
             FROM pg_settings WHERE name = 'deadlock_timeout';
         LOCK TABLE ONLY {} IN SHARE UPDATE EXCLUSIVE MODE",
        table.quoted()
    )
}

/// Keeps vacuums away from the table and from its TOAST table, which a swap drops with it. No statement
/// locks the latter by itself: it takes a change of storage parameters, and one that changes nothing
/// is to take back a parameter that is not set.
async fn keep_all_vacuums_away(connection: &Connection, table: &TableName) -> Result<(), PgError> {
    let unset = "
        SELECT p FROM unnest(ARRAY['log_autovacuum_min_duration', 'vacuum_truncate',
                                   'autovacuum_multixact_freeze_table_age']) AS p
        WHERE NOT EXISTS (
            SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_class t ON t.oid = c.reltoastrelid CROSS JOIN unnest(t.reloptions) AS option
            WHERE n.nspname = $1 AND c.relname = $2 AND starts_with(option, p || '=')) LIMIT 1";
    let unset = connection
        .query_again(unset, &[&table.schema, &table.name])
        .await
        .map_err(|error| connection.error(format!("look at the storage parameters of {table}"), &error))?;
    let mut sql = keep_vacuum_away(table);
    if let Some(parameter) = unset.first().map(|row| row.get::<_, String>(0)) {
        sql = format!("{sql}; ALTER TABLE ONLY {} RESET (toast.{parameter})", table.quoted());
    }
    connection.run(&format!("keep vacuums away from {table}"), &sql).await
}

/// 0 would mean: for ever.
pub(super) fn set_timeout(timeout: Duration) -> String {
    format!("SET LOCAL lock_timeout = {}", timeout.as_millis().max(1))
}

/// Whether a lock was not to be had: `lock_not_available`, `deadlock_detected`.
pub(super) fn is_refused(error: &PostgresWarehouseError) -> bool {
    matches!(error, PostgresWarehouseError::Server(error) if matches!(error.code(), Some("55P03" | "40P01")))
}

/// How long to go on, and how long to stay away between two tries.
pub(super) struct Patience {
    /// When the locks were first tried for: what is built before takes the time that it needs.
    since: Option<Instant>,
    limit: Duration,
    delays: ExponentialBackoff,
    blockers: Vec<String>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        let delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(1))
            .without_max_times()
            .with_jitter()
            .build();
        Self { since: None, limit, delays, blockers: Vec::new() }
    }

    /// The time begins to count, unless it does already.
    pub(super) fn begin(&mut self) -> Instant {
        *self.since.get_or_insert_with(Instant::now)
    }

    /// For how long it has been tried.
    pub(super) fn waited_ms(&self) -> u128 {
        self.since.map_or(0, |since| since.elapsed().as_millis())
    }

    /// Notes who holds the locks now, if anybody still does. Called right after a try.
    pub(super) fn note_blockers(&mut self, blockers: Vec<String>) {
        if !blockers.is_empty() {
            self.blockers = blockers;
        }
    }

    /// Who held the locks, when last somebody was seen.
    pub(super) fn blockers(&self) -> Vec<String> {
        match self.blockers.as_slice() {
            [] => vec!["held by sessions that were gone a moment later".to_owned()],
            blockers => blockers.to_vec(),
        }
    }

    /// Stays away for a while; `false` when the time is used up.
    pub(super) async fn wait(&mut self) -> bool {
        if self.begin().elapsed() >= self.limit {
            return false;
        }
        tokio::time::sleep(self.delays.next().unwrap_or(Duration::from_secs(1))).await;
        true
    }
}

/// The other sessions that hold a lock on the table, its views, or what it refers to, in words.
/// Without `pg_read_all_stats` the server tells no more than pid and user.
pub(super) async fn blockers(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<Vec<String>, PgError> {
    let sql = format!(
        "WITH RECURSIVE {readers},
         wanted AS (
             SELECT oid FROM reads
             UNION SELECT confrelid FROM pg_constraint WHERE conrelid = $1 AND contype = 'f')
         SELECT DISTINCT
             CASE WHEN l.pid IS NULL THEN 'a prepared transaction'
                  ELSE format('session %s', l.pid)
                       || coalesce(' of ' || a.usename, '')
                       || coalesce(' (' || coalesce(nullif(a.application_name, ''), a.backend_type) || ')', '')
                       || coalesce(', ' || a.state, '')
                       || coalesce(' for ' || extract(epoch FROM now_at - a.state_change)::int || ' s', '')
             END
         FROM wanted JOIN pg_locks l ON l.relation = wanted.oid AND l.granted
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         CROSS JOIN clock_timestamp() AS now_at
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.pid IS DISTINCT FROM pg_backend_pid()
         ORDER BY 1",
        readers = super::views::READERS,
    );
    let rows = connection
        .query_again(&sql, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look who locks {table}"), &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
