//! The control database's migrations: compiled in, append-only, each run once and by one process.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{
    ControlError,
    database::{Database, PATIENCE, Work},
};
use crate::{fail_point, sql::quote_ident};

/// One migration.
struct Migration {
    number: i32,
    name: &'static str,
    sql: &'static str,
    /// The newest migration that a binary must know to work with a database that has this one. A
    /// migration must leave the release before at work, so this is never its own number.
    compatible_from: i32,
}

/// All of them, in their order. A released one is never edited; its checksum is compared.
const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "runs_and_locks",
        sql: include_str!("../../sql/control/0001_runs_and_locks.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 2,
        name: "holds",
        sql: include_str!("../../sql/control/0002_holds.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 3,
        name: "backfills",
        sql: include_str!("../../sql/control/0003_backfills.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 4,
        name: "resumed_runs",
        sql: include_str!("../../sql/control/0004_resumed_runs.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 5,
        name: "incidents",
        sql: include_str!("../../sql/control/0005_incidents.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 6,
        name: "checks",
        sql: include_str!("../../sql/control/0006_checks.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 7,
        name: "measures",
        sql: include_str!("../../sql/control/0007_measures.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 8,
        name: "schedules",
        sql: include_str!("../../sql/control/0008_schedules.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 9,
        name: "long_history",
        sql: include_str!("../../sql/control/0009_long_history.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 10,
        name: "allowances",
        sql: include_str!("../../sql/control/0010_allowances.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 11,
        name: "collections",
        sql: include_str!("../../sql/control/0011_collections.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 12,
        name: "housekeeping",
        sql: include_str!("../../sql/control/0012_housekeeping.sql"),
        compatible_from: 1,
    },
    Migration {
        number: 13,
        name: "what was asked",
        sql: include_str!("../../sql/control/0013_what_was_asked.sql"),
        compatible_from: 1,
    },
];

/// A migration as the database has it.
struct Applied {
    number: i32,
    name: String,
    checksum: String,
    compatible_from: i32,
}

/// How far a control database has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everything that this release needs is there.
    Ready,
    /// It is not there yet, or migrations are missing.
    Behind,
}

/// Looks, and changes nothing. `Err` where this release must not work with it.
pub(super) async fn state(database: &Database) -> Result<State, ControlError> {
    let work = database.begin("look at the migrations", PATIENCE).await?;
    let applied = read(&work).await?;
    work.rollback().await?;
    compare(&applied)
}

/// Makes the schema and runs what is missing, each migration in a transaction of its own under an
/// advisory lock, so that any number of processes may do it at once.
pub(super) async fn migrate(database: &Database) -> Result<(), ControlError> {
    while state(database).await? == State::Behind {
        step(database).await?;
    }
    Ok(())
}

/// Runs the next migration, if there still is one once the lock is held.
async fn step(database: &Database) -> Result<(), ControlError> {
    let work = database.begin("migrate", Duration::from_secs(120)).await?;
    let lock = format!("SELECT pg_advisory_xact_lock({})", lock_key(database.schema()));
    work.run(&format!("SET LOCAL lock_timeout = '60s'; {lock}")).await?;
    // A table that somebody uses is not waited for any longer: others would queue behind.
    work.run("SET LOCAL lock_timeout = '5s'").await?;
    let applied = read(&work).await?;
    if compare(&applied)? == State::Ready {
        return work.rollback().await;
    }
    if applied.is_empty() {
        make_schema(&work).await?;
    }
    let missing = |migration: &&Migration| applied.iter().all(|done| done.number != migration.number);
    if let Some(next) = MIGRATIONS.iter().find(missing) {
        fail_point!("control.migrate.before");
        apply(&work, next).await?;
        work.commit().await?;
        fail_point!("control.migrate.after");
    }
    Ok(())
}

async fn apply(work: &Work<'_>, migration: &Migration) -> Result<(), ControlError> {
    let schema = quote_ident(work.schema());
    work.run(&format!("SET LOCAL search_path = {schema}; {}; SET LOCAL search_path = ''", migration.sql))
        .await?;
    let record = "INSERT INTO control.migrations (number, name, checksum, compatible_from, version)
                  VALUES ($1, $2, $3, $4, $5)";
    let (checksum, version) = (checksum(migration.sql), env!("CARGO_PKG_VERSION"));
    work.execute(
        record,
        &[&migration.number, &migration.name, &checksum, &migration.compatible_from, &version],
    )
    .await?;
    Ok(())
}

async fn make_schema(work: &Work<'_>) -> Result<(), ControlError> {
    // CREATE SCHEMA IF NOT EXISTS asks for the right to create even where the schema exists.
    let there = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1";
    if work.query(there, &[&work.schema()]).await?.is_empty() {
        work.run(&format!("CREATE SCHEMA {}", quote_ident(work.schema()))).await?;
    }
    let create = "CREATE TABLE IF NOT EXISTS control.migrations (
        number          integer PRIMARY KEY,
        name            text NOT NULL,
        checksum        text NOT NULL,
        compatible_from integer NOT NULL,
        version         text NOT NULL,
        applied_at      timestamptz NOT NULL DEFAULT clock_timestamp())";
    work.execute(create, &[]).await?;
    Ok(())
}

async fn read(work: &Work<'_>) -> Result<Vec<Applied>, ControlError> {
    let there = "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND c.relname = 'migrations'";
    if work.query(there, &[&work.schema()]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let all = "SELECT number, name, checksum, compatible_from FROM control.migrations ORDER BY number";
    let rows = work.query(all, &[]).await?;
    let applied = rows.iter().map(|row| Applied {
        number: row.get(0),
        name: row.get(1),
        checksum: row.get(2),
        compatible_from: row.get(3),
    });
    Ok(applied.collect())
}

/// What this release makes of a database's migrations.
fn compare(applied: &[Applied]) -> Result<State, ControlError> {
    let known = MIGRATIONS.last().map_or(0, |newest| newest.number);
    let needed = applied.iter().map(|done| done.compatible_from).max().unwrap_or(0);
    if needed > known {
        let found = applied.iter().map(|done| done.number).max().unwrap_or(0);
        return Err(ControlError::Newer { found, needed, known });
    }
    let mut state = State::Ready;
    for migration in MIGRATIONS {
        match applied.iter().find(|done| done.number == migration.number) {
            None => state = State::Behind,
            Some(done) if done.checksum == checksum(migration.sql) => {}
            Some(done) => {
                return Err(ControlError::Altered { number: done.number, name: done.name.clone() });
            }
        }
    }
    Ok(state)
}

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One lock a schema: production and test migrate side by side.
fn lock_key(schema: &str) -> i64 {
    let digest = Sha256::digest(format!("barncat migrations of {schema}").as_bytes());
    let mut key = [0; 8];
    key.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(number: i32, compatible_from: i32, sql: &str) -> Applied {
        Applied { number, name: "n".to_owned(), checksum: checksum(sql), compatible_from }
    }

    fn all() -> Vec<Applied> {
        MIGRATIONS.iter().map(|m| applied(m.number, m.compatible_from, m.sql)).collect()
    }

    #[test]
    fn the_list_is_in_order_and_keeps_the_release_before_at_work() {
        assert!(MIGRATIONS.windows(2).all(|pair| pair[0].number < pair[1].number));
        for migration in MIGRATIONS {
            assert!(migration.compatible_from < migration.number.max(2), "{}", migration.name);
        }
    }

    #[test]
    fn a_newer_database_is_refused_unless_it_is_compatible() {
        let newest = MIGRATIONS.last().map_or(0, |m| m.number);
        let mut database = all();
        database.push(applied(newest + 1, newest, "a later one"));
        assert_eq!(compare(&database).ok(), Some(State::Ready));
        database.push(applied(newest + 2, newest + 1, "the one after that"));
        assert!(matches!(compare(&database), Err(ControlError::Newer { .. })));
    }

    #[test]
    fn an_edited_migration_is_refused() {
        let mut database = all();
        database[0].checksum = checksum("something else");
        assert!(matches!(compare(&database), Err(ControlError::Altered { number: 1, .. })));
    }

    #[test]
    fn an_empty_database_is_behind() {
        assert_eq!(compare(&[]).ok(), Some(State::Behind));
    }
}
