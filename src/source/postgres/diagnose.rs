//! Whether a run could read a Postgres source: the same steps as a load's, without a COPY.

use std::sync::Arc;

use super::{PostgresSource, PostgresSourceError, snapshot::PostgresSnapshot};
use crate::{
    diagnosis::{self, Finding},
    event::Tier,
    pg::{Connection, PgError},
    schema::Selection,
    source::{Extraction, Snapshot, SourceError},
    sql::{TableName, quote_ident},
    stage::manifest::Format,
};

/// How many sessions join the snapshot: a balanced endpoint sends one of them elsewhere.
const JOINS: usize = 3;

/// A query that reads longer than this is common; a standby that allows less cancels it.
const STANDBY_DELAY_MS_MIN: i64 = 300_000;

/// Tests what a load needs, and each table of `wanted` with the columns that its loader takes.
/// `connections`: how many runs may have open at once.
pub(super) async fn diagnose(
    source: &PostgresSource,
    wanted: &[(TableName, Selection)],
    connections: u32,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    // One slot for the session of the settings, given back before the snapshot takes its own.
    match log_in(source, connections).await {
        Ok(found) => findings.extend(found),
        Err(error) => {
            findings.push(Finding::error("login", error.as_ref()));
            return findings;
        }
    }
    match open(source).await {
        Ok((snapshot, found)) => {
            findings.extend(found);
            findings.extend(tables(&snapshot, wanted).await);
        }
        Err(error) => findings.push(Finding::error("snapshot", error.as_ref())),
    }
    findings
}

async fn log_in(source: &PostgresSource, connections: u32) -> Result<Vec<Finding>, SourceError> {
    let _slot = source.slots.take(1, Tier::Critical).await?;
    let connection = source.options.connect(None, "doctor").await.map_err(PostgresSourceError::from)?;
    let mut findings =
        settings(&connection, source.options.allow_primary).await.map_err(PostgresSourceError::from)?;
    findings.push(limit(&connection, connections).await.map_err(PostgresSourceError::from)?);
    Ok(findings)
}

async fn settings(connection: &Connection, allow_primary: bool) -> Result<Vec<Finding>, PgError> {
    let before = diagnosis::now_seconds();
    // pg_settings.setting is in the setting's own unit: milliseconds here.
    let sql = "
        SELECT current_setting('server_version'), current_user::text, pg_is_in_recovery(),
               extract(epoch FROM clock_timestamp())::float8, current_setting('hot_standby_feedback') = 'on',
               (SELECT setting::bigint FROM pg_settings WHERE name = 'max_standby_streaming_delay')";
    let row = connection
        .query_one(sql, &[])
        .await
        .map_err(|error| connection.error("look at the server's settings", &error))?;
    let (version, role): (&str, &str) = (row.get(0), row.get(1));
    let is_standby: bool = row.get(2);
    let mut findings = vec![Finding::ok("login", format!("logs in as {role}, PostgreSQL {version}"))];
    findings.push(diagnosis::clock(before, row.get(3), diagnosis::now_seconds()));
    if is_standby {
        findings.push(Finding::ok("replica", "is a hot standby"));
        findings.push(feedback(row.get(4)));
        findings.extend(delay(row.get(5)));
    } else if allow_primary {
        findings.push(
            Finding::warn("replica", "is a primary; allow_primary lets barncat read it")
                .hint("a long read there holds back the cleaning up of dead rows for everybody"),
        );
    }
    // A primary without allow_primary: the snapshot's own error says so.
    Ok(findings)
}

/// Whether the role and the server let so many connections in. A role's and a database's limit of -1
/// is none (PostgreSQL's documentation of `pg_roles` and `pg_database`).
async fn limit(connection: &Connection, connections: u32) -> Result<Finding, PgError> {
    let sql = "
        SELECT current_user::text, nullif(r.rolconnlimit, -1)::bigint, nullif(d.datconnlimit, -1)::bigint,
               current_setting('max_connections')::bigint
                   - current_setting('superuser_reserved_connections')::bigint
        FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()";
    let row = connection
        .query_one(sql, &[])
        .await
        .map_err(|error| connection.error("look at the limits of connections", &error))?;
    let (test, wanted) = ("connections", i64::from(connections));
    let limits: [(&str, Option<i64>); 3] =
        [("the role", row.get(1)), ("the database", row.get(2)), ("the server", row.get(3))];
    for (of, limit) in limits {
        if let Some(limit) = limit.filter(|limit| *limit < wanted) {
            let message = format!("{of} allows {limit}, and `connections` of the source is {connections}");
            let finding = Finding::fail(test, message).hint("lower `connections`, or raise the limit");
            return Ok(match of {
                "the role" => finding
                    .sql(format!("ALTER ROLE {} CONNECTION LIMIT {connections};", quote_ident(row.get(0)))),
                _ => finding,
            });
        }
    }
    Ok(Finding::ok(test, format!("{connections} at once are allowed")))
}

fn feedback(on: bool) -> Finding {
    if on {
        return Finding::ok("hot_standby_feedback", "is on");
    }
    Finding::warn(
        "hot_standby_feedback",
        "is off: when the primary cleans up rows that a load still reads, the load is cancelled and starts again",
    )
    .hint("run this on the standby; on a managed service set it in the replica's parameter group")
    .sql("ALTER SYSTEM SET hot_standby_feedback = on;\nSELECT pg_reload_conf();")
}

fn delay(setting_ms: Option<i64>) -> Option<Finding> {
    let test = "max_standby_streaming_delay";
    let ms = setting_ms?;
    if ms < 0 {
        return Some(Finding::ok(test, "lets replay wait for reads without a limit"));
    }
    if ms >= STANDBY_DELAY_MS_MIN {
        return Some(Finding::ok(test, format!("lets replay wait {} s for reads", ms / 1_000)));
    }
    Some(
        Finding::warn(
            test,
            format!("lets replay wait only {} s; a longer read can be cancelled", ms / 1_000),
        )
        .hint("run this on the standby; the price is a replica that may fall behind by as much")
        .sql("ALTER SYSTEM SET max_standby_streaming_delay = '15min';\nSELECT pg_reload_conf();"),
    )
}

/// Opens a snapshot and lets other sessions join it, one after the other.
async fn open(source: &PostgresSource) -> Result<(Arc<PostgresSnapshot>, Vec<Finding>), SourceError> {
    let slots = source.slots.take(2, Tier::Critical).await?;
    let snapshot =
        PostgresSnapshot::open(source.options.clone(), source.slots.clone(), (slots, Tier::Critical)).await?;
    for _ in 0..JOINS {
        snapshot.try_join("doctor").await?;
    }
    let mut findings = vec![Finding::ok("snapshot", "an exported snapshot can be joined by other sessions")];
    if let Some(lag_seconds) = snapshot.position().lag_seconds {
        let lag = if lag_seconds < 1.0 {
            "is not behind".to_owned()
        } else {
            format!("is {lag_seconds:.0} s behind")
        };
        findings.push(Finding::ok("lag", lag));
    }
    Ok((Arc::new(snapshot), findings))
}

/// A finding for each table that could not be read, or one for all of them.
async fn tables(snapshot: &PostgresSnapshot, wanted: &[(TableName, Selection)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (table, selection) in wanted {
        if let Err(error) = table_is_readable(snapshot, table, selection).await {
            findings.push(Finding::error("tables", error.as_ref()));
        }
    }
    if findings.is_empty() {
        let message = match wanted.len() {
            0 => "no table of it is listed in loaders/".to_owned(),
            1 => "the listed table can be read".to_owned(),
            count => format!("the {count} listed tables can be read"),
        };
        findings.push(Finding::ok("tables", message));
    }
    findings
}

async fn table_is_readable(
    snapshot: &PostgresSnapshot,
    table: &TableName,
    selection: &Selection,
) -> Result<(), SourceError> {
    let schema = snapshot.describe(table).await?;
    let selected = selection.apply(table, &schema).map_err(|error| Box::new(error) as SourceError)?;
    let columns = selected.schema.columns.into_iter().map(|column| column.name).collect();
    let extraction = Extraction {
        table: table.clone(),
        columns,
        expressions: Vec::new(),
        hashed: Vec::new(),
        arrive_as: Vec::new(),
        condition: None,
        format: Format::Csv,
        csv: crate::schema::CsvForm::default(),
        counted: 0,
        part_bytes: u64::MAX,
        by_index: false,
    };
    snapshot.plan_parts(&extraction).await?;
    Ok(())
}
