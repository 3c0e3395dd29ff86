//! Publishing in place: the live table stays, and rows of it are written.
//!
//! By replace its rows become those of the staging table; by insert and merge some are added or
//! changed (`increment`). Within the publish transaction, so that readers see the rows of before until it is committed, and
//! older snapshots for as long as they live. Other writers are locked out, readers never. With a key
//! only rows that differ are written: a DELETE of them would fire the cascades of foreign keys that
//! point at the table.

mod apply;
mod increment;
pub(super) mod key;
mod sql;

use jiff::Timestamp;

pub(super) use self::apply::apply;
use self::{key::Key, sql::Sql};
use super::{
    PostgresWarehouseError, ledger, live,
    locks::{self, Patience},
    staging::PostgresStaging,
};
use crate::{
    fail_point,
    pg::{Connection, PgError},
    schema::RelationKind,
    sql::{Dialect, TableName, quote_ident},
    warehouse::{Publication, StagingColumn, Written},
};

/// Makes the staging table's rows those of the live one, and drops the staging table.
pub(super) async fn replace(
    staging: &PostgresStaging,
    publication: &Publication,
) -> Result<(), PostgresWarehouseError> {
    // Nothing is marked by it.
    let replace = InPlace { staging, publication, at: Timestamp::UNIX_EPOCH };
    replace.locked().await?;
    replace.count().await?;
    let (live, table) = (staging.spec.table.quoted(), staging.table.quoted());
    fail_point!("publish.drop.before");
    replace.run("drop the staging table", &format!("ANALYZE {live}; DROP TABLE {table}")).await?;
    fail_point!("publish.drop.after");
    Ok(())
}

/// Adds the staging table's rows to the live one, or merges them into it, and drops the staging table.
/// Rows that are marked are so since `at`.
pub(super) async fn increment(
    staging: &PostgresStaging,
    publication: &Publication,
    at: Timestamp,
) -> Result<Written, PostgresWarehouseError> {
    let in_place = InPlace { staging, publication, at };
    let written = in_place.locked().await?;
    let (rows, kept) = in_place.rows_after(&written).await?;
    let ledger_schema = &staging.server.options.ledger_schema;
    ledger::complete(&staging.connection, ledger_schema, &publication.ledger, (rows, kept), &written).await?;
    fail_point!("publish.drop.before");
    in_place.run("drop the staging table", &format!("DROP TABLE {}", staging.table.quoted())).await?;
    fail_point!("publish.drop.after");
    Ok(written)
}

/// Whether a table has a unique index of just these columns, by which its rows can be written.
pub(super) async fn has_key(
    connection: &Connection,
    table: &TableName,
    oid: u32,
    key: &[String],
) -> Result<bool, PgError> {
    Ok(Key::read(connection, table, oid, key).await?.is_some())
}

/// One publish in place.
struct InPlace<'a> {
    staging: &'a PostgresStaging,
    publication: &'a Publication,
    /// When it is published.
    at: Timestamp,
}

impl InPlace<'_> {
    /// The rows that the table has now, but for marked ones; and how many of these a load of the whole
    /// table left there.
    async fn rows_after(&self, written: &Written) -> Result<(u64, u64), PostgresWarehouseError> {
        let Some(increment) = &self.publication.increment else { return Ok((0, 0)) };
        if !increment.is_whole {
            let rows = match increment.table_rows {
                Some(before) => (before + written.inserted).saturating_sub(written.deleted),
                None => u64::try_from(self.count_live().await?).unwrap_or(0),
            };
            return Ok((rows, 0));
        }
        let expected = self.publication.ledger.rows;
        let (rows, kept) = self.count_marked().await?.unwrap_or((expected, 0));
        match rows == expected {
            true => Ok((rows, kept)),
            false => {
                let (table, found) =
                    (self.staging.spec.table.clone(), i64::try_from(rows).unwrap_or(i64::MAX));
                Err(PostgresWarehouseError::Interfered { table, expected, found })
            }
        }
    }

    /// Tries until the locks are had, that of the table and those of rows, or the time for them is
    /// used up.
    async fn locked(&self) -> Result<Written, PostgresWarehouseError> {
        let mut patience = Patience::new(self.publication.lock_wait);
        self.run("begin to replace the rows", "SAVEPOINT barncat_replace").await?;
        patience.begin();
        loop {
            match self.attempt().await {
                Err(error) if locks::is_refused(&error) => {}
                other => return other,
            }
            self.run("give the locks up", "ROLLBACK TO SAVEPOINT barncat_replace").await?;
            self.stay_away(&mut patience).await?;
        }
    }

    async fn stay_away(&self, patience: &mut Patience) -> Result<(), PostgresWarehouseError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        if let Some(live) = live::find(connection, table).await? {
            patience.note_blockers(locks::blockers(connection, table, live.oid).await?);
        }
        if patience.wait().await {
            return Ok(());
        }
        let (table, waited_ms) = (table.clone(), patience.waited_ms());
        Err(PostgresWarehouseError::Locked { table, waited_ms, blockers: patience.blockers() })
    }

    /// One try: the lock, a last look, the rows.
    async fn attempt(&self) -> Result<Written, PostgresWarehouseError> {
        let table = &self.staging.spec.table;
        let timeout = locks::set_timeout(self.publication.lock_timeout);
        fail_point!("publish.lock.before");
        // Keeps writers, changes of the table and other locks of this kind away; readers go on.
        let lock = format!("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE", table.quoted());
        let vacuum = locks::keep_vacuum_away(table);
        match self.run("lock the rows", &format!("{vacuum}; {timeout}; {lock}")).await {
            Err(error) if error.code() == Some("42P01") => {
                return Err(PostgresWarehouseError::Changed { table: table.clone() });
            }
            locked => locked?,
        }
        fail_point!("publish.lock.after");
        self.add_columns().await?;
        let oid = self.look_again().await?;
        fail_point!("publish.rows.before");
        let written = match &self.publication.increment {
            None => {
                self.write(oid).await?;
                Written::default()
            }
            Some(increment) => self.write_some(oid, increment).await?,
        };
        fail_point!("publish.rows.after");
        Ok(written)
    }

    /// Whether the live table is what was decided upon. Nobody can change it from here on.
    async fn look_again(&self) -> Result<u32, PostgresWarehouseError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let changed = || PostgresWarehouseError::Changed { table: table.clone() };
        let live = live::find(connection, table).await?.ok_or_else(changed)?;
        if self.publication.previous.is_none() {
            return Err(PostgresWarehouseError::NotOurs { table: table.clone() });
        }
        let triggers = key::meddling_triggers(connection, table, live.oid).await?;
        if !triggers.is_empty() {
            return Err(PostgresWarehouseError::Meddled { table: table.clone(), triggers });
        }
        let columns = live::columns(connection, table, live.oid).await?;
        let fit = have_same_columns(&columns, &self.staging.spec.all_columns(Dialect::Postgres));
        match live.kind == RelationKind::Table && fit {
            true => Ok(live.oid),
            false => Err(changed()),
        }
    }

    /// Writes the rows, by the gentlest way that serves.
    async fn write(&self, oid: u32) -> Result<(), PostgresWarehouseError> {
        let ways = self.ways(oid).await?;
        let last = ways.len() - 1;
        self.run("begin to write the rows", "SAVEPOINT barncat_rows").await?;
        for (number, statements) in ways.iter().enumerate() {
            match self.rows(statements).await {
                // A unique value that wandered from one row to another collides in passing.
                Err(error) if is_collision(&error) && number < last => {
                    self.run("write the rows in another way", "ROLLBACK TO SAVEPOINT barncat_rows").await?;
                }
                Err(error) => {
                    return Err(PostgresWarehouseError::of_replace(&self.staging.spec.table, error));
                }
                Ok(()) => break,
            }
        }
        Ok(())
    }

    /// The ways to write the rows, in the order in which they are tried.
    async fn ways(&self, oid: u32) -> Result<Vec<[String; 2]>, PostgresWarehouseError> {
        let (connection, spec) = (&self.staging.connection, &self.staging.spec);
        let key = Key::read(connection, &spec.table, oid, &spec.key).await?;
        let is_referred_to = key::is_referred_to(connection, &spec.table, oid).await?;
        let sql = Sql::new(&spec.table, &self.staging.table, &spec.all_columns(Dialect::Postgres));
        match (key, is_referred_to) {
            // Rows that still refer to a gone one may be about to change.
            (Some(key), true) => {
                Ok(vec![[sql.upsert(&key), sql.delete_gone(&key)], [sql.delete_gone(&key), sql.upsert(&key)]])
            }
            (Some(key), false) => Ok(vec![
                [sql.delete_gone(&key), sql.upsert(&key)],
                [sql.delete_changed(&key), sql.insert_missing(&key)],
            ]),
            (None, false) => Ok(vec![[sql.delete_all(), sql.insert_all()]]),
            (None, true) => Err(PostgresWarehouseError::ReferredTo { table: spec.table.clone() }),
        }
    }

    async fn rows(&self, statements: &[String]) -> Result<(), PgError> {
        for sql in statements {
            self.run("replace the rows", sql).await?;
        }
        Ok(())
    }

    /// Rules and triggers of the table's own can write other rows than were asked for.
    async fn count(&self) -> Result<(), PostgresWarehouseError> {
        let (table, expected) = (&self.staging.spec.table, self.publication.ledger.rows);
        let found = self.count_live().await?;
        match u64::try_from(found) == Ok(expected) {
            true => Ok(()),
            false => Err(PostgresWarehouseError::Interfered { table: table.clone(), expected, found }),
        }
    }

    /// The rows of the live table, but for marked ones.
    async fn count_live(&self) -> Result<i64, PgError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let mark = self.staging.spec.mark.as_ref();
        let unmarked = mark.map_or_else(String::new, |mark| format!(" WHERE {} IS NULL", quote_ident(mark)));
        let sql = format!("SELECT count(*) FROM ONLY {}{unmarked}", table.quoted());
        let row = connection.query_one(&sql, &[]).await;
        Ok(row.map_err(|error| connection.error(format!("count {table}"), &error))?.get(0))
    }

    async fn run(&self, doing: &str, sql: &str) -> Result<(), PgError> {
        self.staging.connection.run(&format!("{doing} of {}", self.staging.spec.table), sql).await
    }
}

/// Rows of so many texts turned into arrays, one a column.
fn columns_of(rows: &[Vec<String>], columns: usize) -> Vec<Vec<&str>> {
    let column = |place| rows.iter().filter_map(|row| row.get(place).map(String::as_str)).collect();
    (0..columns).map(column).collect()
}

/// `unique_violation`, `exclusion_violation`.
fn is_collision(error: &PgError) -> bool {
    matches!(error.code(), Some("23505" | "23P01"))
}

/// Whether rows of the one fit into the other; their order is of no matter.
pub(super) fn have_same_columns(live: &[StagingColumn], staging: &[StagingColumn]) -> bool {
    live.len() == staging.len() && staging.iter().all(|column| live.contains(column))
}
