//! The ledger's rows, read and written.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    types::{Json, PgLsn},
};

use super::{PostgresWarehouseError, locks::set_timeout};
use crate::{
    pg::{Connection, PgError},
    schema::TableSchema,
    sql::{TableName, quote_ident},
    warehouse::{LedgerRow, Lineage, PublishKind, State, Written},
};

const COLUMNS: &str = "load, table_schema, table_name, previous, project, run, strategy, publish, source, \
    source_schema, source_table, system, lsn, as_of, snapshot, schema_hash, schema, content_hash, \
    manifest, rows, bytes, watermark, published_at, table_rows, late_rows, deleted_rows, state";

/// The last load is the one that no other of the table follows; see the view `tables`.
fn last_loads_sql(ledger: &str, condition: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM {ledger}.loads l
         WHERE {condition} AND NOT EXISTS (
             SELECT FROM {ledger}.loads n
             WHERE n.table_schema = l.table_schema AND n.table_name = l.table_name
               AND coalesce(n.previous, '') = l.load)",
        ledger = quote_ident(ledger)
    )
}

/// The last load of every table.
pub(super) async fn last_loads(
    connection: &Connection,
    ledger: &str,
) -> Result<Vec<LedgerRow>, PostgresWarehouseError> {
    match connection.query(&last_loads_sql(ledger, "true"), &[]).await {
        Ok(rows) => rows.iter().map(read).collect(),
        Err(error) if is_not_there(&error) => Ok(Vec::new()),
        Err(error) => Err(read_error(connection, &error).into()),
    }
}

/// The last load of one table.
pub(super) async fn last_load(
    connection: &Connection,
    ledger: &str,
    table: &TableName,
) -> Result<Option<LedgerRow>, PostgresWarehouseError> {
    let sql = last_loads_sql(ledger, "table_schema = $1 AND table_name = $2");
    match connection.query_again(&sql, &[&table.schema, &table.name]).await {
        Ok(rows) => rows.first().map(read).transpose(),
        Err(error) if is_not_there(&error) => Ok(None),
        Err(error) => Err(read_error(connection, &error).into()),
    }
}

/// Before the first run there is no ledger, and `plan` makes none.
fn is_not_there(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME))
}

/// All loads of one table, the newest first.
pub(super) async fn loads(
    connection: &Connection,
    ledger: &str,
    table: &TableName,
) -> Result<Vec<LedgerRow>, PostgresWarehouseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {}.loads WHERE table_schema = $1 AND table_name = $2 ORDER BY load DESC",
        quote_ident(ledger)
    );
    match connection.query(&sql, &[&table.schema, &table.name]).await {
        Ok(rows) => rows.iter().map(read).collect(),
        Err(error) if is_not_there(&error) => Ok(Vec::new()),
        Err(error) => Err(read_error(connection, &error).into()),
    }
}

/// What some loads of one table stand on, and all that were restored; the newest first.
pub(super) async fn lineage(
    connection: &Connection,
    ledger: &str,
    table: &TableName,
    loads: &[String],
) -> Result<Vec<Lineage>, PgError> {
    let sql = format!(
        "SELECT load, coalesce(nullif(state->>'base', ''), load), state->>'restored' FROM {}.loads
         WHERE table_schema = $1 AND table_name = $2 AND (load = ANY ($3) OR state->>'restored' IS NOT NULL)
         ORDER BY load DESC",
        quote_ident(ledger)
    );
    let rows = connection.query(&sql, &[&table.schema, &table.name, &loads]).await;
    let rows = rows.map_err(|error| read_error(connection, &error))?;
    let lineage = |row: &Row| Lineage { load: row.get(0), base: row.get(1), restored: row.get(2) };
    Ok(rows.iter().map(lineage).collect())
}

/// One load, if it is published.
pub(super) async fn load(
    connection: &Connection,
    ledger: &str,
    load: &str,
) -> Result<Option<LedgerRow>, PostgresWarehouseError> {
    let sql = format!("SELECT {COLUMNS} FROM {}.loads WHERE load = $1", quote_ident(ledger));
    let row = connection.query_opt(&sql, &[&load]).await;
    row.map_err(|error| read_error(connection, &error))?.as_ref().map(read).transpose()
}

/// Which of these loads are published.
pub(super) async fn published_among(
    connection: &Connection,
    ledger: &str,
    loads: &[String],
) -> Result<BTreeSet<String>, PostgresWarehouseError> {
    let sql = format!("SELECT load FROM {}.loads WHERE load = ANY ($1)", quote_ident(ledger));
    match connection.query(&sql, &[&loads]).await {
        Ok(rows) => Ok(rows.iter().map(|row| row.get(0)).collect()),
        Err(error) if is_not_there(&error) => Ok(BTreeSet::new()),
        Err(error) => Err(read_error(connection, &error).into()),
    }
}

/// Whether a load is published, also while its COMMIT is still under way: a plain read sees nothing
/// then, but an INSERT of the same key waits for it. After `limit` it fails with 55P03.
pub(super) async fn is_published(
    connection: &Connection,
    ledger: &str,
    load: &str,
    limit: Duration,
) -> Result<bool, PgError> {
    connection.set_busy(true);
    connection.run("ask the ledger", &format!("BEGIN; {}", set_timeout(limit))).await?;
    // The question's table name is empty, so that it meets nothing but the primary key.
    let sql = format!(
        "INSERT INTO {}.loads (load, table_schema, table_name, previous, project, run, strategy, publish,
             source, source_schema, source_table, as_of, snapshot, schema_hash, schema, rows, bytes, table_rows, state)
         VALUES ($1, '', '', $1, '', '', '', 'swap', '', '', '', now(), '', '', '{{}}', 0, 0, 0, '{{}}')",
        quote_ident(ledger)
    );
    let asked = match connection.execute(&sql, &[&load]).await {
        // Without a ledger nothing was published.
        Err(error) if is_not_there(&error) => Ok(0),
        asked => asked.map_err(|error| read_error(connection, &error)),
    };
    connection.run("ask the ledger", "ROLLBACK").await?;
    connection.set_busy(false);
    match asked {
        Ok(_) => Ok(false),
        Err(error) if error.code() == Some("23505") => Ok(true),
        Err(error) => Err(error),
    }
}

/// What the INSERT of a publish found.
pub(super) enum Entry {
    /// The row is written; seen by others after COMMIT.
    Written(Timestamp),
    /// This very load is published already. The transaction is aborted.
    There,
    /// Another load follows the same one. The transaction may be aborted.
    Superseded,
}

/// Writes the row of a publish: its first statement. Waits for another publish of the same table.
pub(super) async fn write(
    connection: &Connection,
    ledger: &str,
    row: &LedgerRow,
    kind: PublishKind,
) -> Result<Entry, PostgresWarehouseError> {
    // A `previous` that is not there would begin a second chain beside the first.
    let sql = format!(
        "INSERT INTO {ledger}.loads (load, table_schema, table_name, previous, project, run, strategy, publish, source,
             source_schema, source_table, system, lsn, as_of, snapshot, schema_hash, schema, content_hash,
             manifest, rows, bytes, watermark, table_rows, state)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
             $18, $19, $20, $21, $22, $23, $24
         WHERE $4::text IS NULL OR EXISTS (
             SELECT FROM {ledger}.loads WHERE load = $4 AND table_schema = $2 AND table_name = $3)
         RETURNING published_at",
        ledger = quote_ident(ledger)
    );
    let (rows, bytes, table_rows) = (count(row.rows), count(row.bytes), count(row.table_rows));
    let kind = kind.to_string();
    let written = connection
        .query_again(
            &sql,
            &[
                &row.load,
                &row.table.schema,
                &row.table.name,
                &row.previous,
                &row.project,
                &row.run,
                &row.strategy,
                &kind,
                &row.source,
                &row.source_table.schema,
                &row.source_table.name,
                &row.system,
                &row.lsn.map(PgLsn::from),
                &row.as_of,
                &row.snapshot,
                &row.schema_hash,
                &Json(&row.schema),
                &row.content_hash,
                &row.manifest,
                &rows,
                &bytes,
                &row.watermark,
                &table_rows,
                &Json(&row.state),
            ],
        )
        .await
        .map_err(|error| connection.error(format!("write {} into the ledger", row.table), &error));
    match written {
        Ok(rows) => Ok(rows.first().map_or(Entry::Superseded, |row| Entry::Written(row.get(0)))),
        Err(error) if error.code() == Some("23505") => Ok(match constraint(&error) {
            Some("loads_pkey") => Entry::There,
            _ => Entry::Superseded,
        }),
        Err(error) => Err(error.into()),
    }
}

/// Completes the row of a publish that wrote some rows.
pub(super) async fn complete(
    connection: &Connection,
    ledger: &str,
    row: &LedgerRow,
    (table_rows, kept): (u64, u64),
    written: &Written,
) -> Result<(), PgError> {
    let sql = format!(
        "UPDATE {}.loads SET table_rows = $2, late_rows = $3, deleted_rows = $4,
             state = jsonb_set(state, '{{kept}}', to_jsonb($5::bigint)) WHERE load = $1",
        quote_ident(ledger)
    );
    let (late, deleted) = (count(written.late), count(written.deleted));
    let completed =
        connection.execute(&sql, &[&row.load, &count(table_rows), &late, &deleted, &count(kept)]).await;
    completed
        .map(drop)
        .map_err(|error| connection.error(format!("write {} into the ledger", row.table), &error))
}

/// The watermark of the newest load that followed `base` and shows `as_of` or an earlier moment; of
/// `base` itself where none is so old.
pub(super) async fn watermark_before(
    connection: &Connection,
    ledger: &str,
    table: &TableName,
    base: &str,
    as_of: Timestamp,
) -> Result<Option<String>, PgError> {
    // A restored state goes on from what it restored.
    let sql = format!(
        "WITH RECURSIVE bases(base) AS (
             SELECT $3::text
             UNION
             SELECT t.state->>'base' FROM bases b
             JOIN {ledger}.loads r ON r.load = b.base
             JOIN {ledger}.loads t ON t.load = r.state->>'restored')
         SELECT watermark FROM {ledger}.loads
         WHERE table_schema = $1 AND table_name = $2 AND watermark IS NOT NULL
           AND state->>'base' IN (SELECT base FROM bases)
         ORDER BY as_of <= $4 DESC, CASE WHEN as_of <= $4 THEN load END DESC, load LIMIT 1",
        ledger = quote_ident(ledger)
    );
    let row = connection.query_opt(&sql, &[&table.schema, &table.name, &base, &as_of]).await;
    Ok(row.map_err(|error| read_error(connection, &error))?.map(|row| row.get(0)))
}

fn optional(row: &Row, column: usize) -> Option<u64> {
    row.get::<_, Option<i64>>(column).and_then(|number| u64::try_from(number).ok())
}

fn constraint(error: &PgError) -> Option<&str> {
    error.server().and_then(|error| error.constraint.as_deref())
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read_error(connection: &Connection, error: &tokio_postgres::Error) -> PgError {
    connection.error("read the ledger", error)
}

fn read(row: &Row) -> Result<LedgerRow, PostgresWarehouseError> {
    let load: String = row.get(0);
    let wrong = |what: String| PostgresWarehouseError::Ledger { load: load.clone(), what };
    let publish = PublishKind::from_str(row.get(7)).map_err(&wrong)?;
    let Json(schema): Json<TableSchema> = row.try_get(16).map_err(|error| wrong(error.to_string()))?;
    let Json(state): Json<State> = row.try_get(26).map_err(|error| wrong(error.to_string()))?;
    Ok(LedgerRow {
        table: TableName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
        previous: row.get(3),
        project: row.get(4),
        run: row.get(5),
        strategy: row.get(6),
        publish,
        source: row.get(8),
        source_table: TableName::new(row.get::<_, String>(9), row.get::<_, String>(10)),
        system: row.get(11),
        lsn: row.get::<_, Option<PgLsn>>(12).map(u64::from),
        as_of: row.get(13),
        snapshot: row.get(14),
        schema_hash: row.get(15),
        schema,
        content_hash: row.get(17),
        manifest: row.get(18),
        rows: u64::try_from(row.get::<_, i64>(19)).unwrap_or(0),
        bytes: u64::try_from(row.get::<_, i64>(20)).unwrap_or(0),
        watermark: row.get(21),
        published_at: Some(row.get(22)),
        table_rows: u64::try_from(row.get::<_, i64>(23)).unwrap_or(0),
        late_rows: optional(row, 24),
        deleted_rows: optional(row, 25),
        state,
        load,
    })
}
