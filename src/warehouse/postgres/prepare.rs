//! What must be there before the first load, and what earlier ones left behind.

use super::{PostgresWarehouseError, Server, staging};
use crate::{
    error::{Class, Fault},
    fail_point,
    pg::{Connection, END_IF_SILENT, PgError},
    schema::{Abilities, PostgresAbilities},
    sql::{TableName, quote_ident, quote_literal},
    warehouse::StagingTable,
};

const LEDGER_SQL: &str = include_str!("../../../sql/ledger/postgres.sql");

/// Held while schemas are made, by all barncats of a database: `CREATE … IF NOT EXISTS` alone fails
/// when two sessions do it at once. The number is nothing but unlikely to be taken.
pub(super) const PREPARE_LOCK: i64 = 0x6261_726e_6361_7401;

/// Makes the ledger and the staging schema.
pub(super) async fn prepare(server: &Server) -> Result<(), PostgresWarehouseError> {
    let connection = server.connect("prepare").await?;
    let made = make_schemas(server, &connection).await;
    connection.rest_after(made).await
}

async fn make_schemas(server: &Server, connection: &Connection) -> Result<(), PostgresWarehouseError> {
    let (ledger, staging) = (&server.options.ledger_schema, &server.options.staging_schema);
    let is_prepared = format!(
        "to_regclass({}) IS NOT NULL AND {}",
        quote_literal(&TableName::new(ledger, "tables").quoted()),
        schema_is_there(staging),
    );
    if holds(connection, &is_prepared).await? {
        return Ok(());
    }
    connection.set_busy(true);
    fail_point!("warehouse.prepare.before");
    connection.run("prepare the warehouse", &begin()).await?;
    fail_point!("warehouse.prepare.locked");
    make_schema(connection, ledger).await?;
    make_schema(connection, staging).await?;
    let comment = format!(
        "COMMENT ON SCHEMA {} IS 'Tables that barncat is filling; what is left of a crash is swept by the next run.'",
        quote_ident(staging)
    );
    connection.run("describe the staging schema", &comment).await?;
    connection.run("make the ledger", &LEDGER_SQL.replace(":ledger", &quote_ident(ledger))).await?;
    connection.run("prepare the warehouse", "COMMIT").await?;
    fail_point!("warehouse.prepare.after");
    connection.set_busy(false);
    Ok(())
}

/// One process at a time makes what all share, and others wait for it: not for one that stands still.
fn begin() -> String {
    format!("BEGIN; {END_IF_SILENT}; SELECT pg_advisory_xact_lock({PREPARE_LOCK})")
}

/// Makes the schema that a table is published to, in a transaction of its own: a publish must not
/// hold the lock.
pub(super) async fn ensure_schema(
    connection: &Connection,
    schema: &str,
) -> Result<(), PostgresWarehouseError> {
    if holds(connection, &schema_is_there(schema)).await? {
        return Ok(());
    }
    fail_point!("warehouse.schema.before");
    connection.run("make a schema", &begin()).await?;
    make_schema(connection, schema).await?;
    connection.run("make a schema", "COMMIT").await?;
    fail_point!("warehouse.schema.after");
    Ok(())
}

/// `CREATE SCHEMA IF NOT EXISTS` asks for the right to create even where there is nothing to do.
async fn make_schema(connection: &Connection, schema: &str) -> Result<(), PgError> {
    if holds(connection, &schema_is_there(schema)).await? {
        return Ok(());
    }
    let sql = format!("CREATE SCHEMA {}", quote_ident(schema));
    connection.run(&format!("create the schema {schema}"), &sql).await
}

/// The table is asked, because `to_regnamespace` answers out of a cache that does not hear of another
/// session's schema while this one waits for the lock.
fn schema_is_there(schema: &str) -> String {
    format!("EXISTS (SELECT FROM pg_namespace WHERE nspname = {})", quote_literal(schema))
}

async fn holds(connection: &Connection, condition: &str) -> Result<bool, PgError> {
    let row = connection
        .query_one(&format!("SELECT {condition}"), &[])
        .await
        .map_err(|error| connection.error("look at the warehouse's schemas", &error))?;
    Ok(row.get(0))
}

/// What types can be mapped to, and whether other sessions can be seen.
pub(super) async fn abilities(server: &Server) -> Result<Abilities, PostgresWarehouseError> {
    let connection = server.connect("catalog").await?;
    let found = read_abilities(&connection).await;
    let found = connection.rest_after(found).await;
    found.map(Abilities::Postgres).map_err(PostgresWarehouseError::from)
}

async fn read_abilities(connection: &Connection) -> Result<PostgresAbilities, PgError> {
    let fail = |error: tokio_postgres::Error| connection.error("look at the warehouse's types", &error);
    let server = "SELECT current_setting('server_version_num')::int,
                         pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')";
    // With the empty search_path of our sessions, format_type writes the schema too.
    let types = "SELECT x.extname::text, t.typname::text, format_type(t.oid, NULL)
        FROM pg_type t
        JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
        JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid";
    let server = connection.prepared(server).await.map_err(fail)?;
    let row = connection.query_one(&server, &[]).await.map_err(fail)?;
    let types = connection.query_again(types, &[]).await.map_err(fail)?;
    Ok(PostgresAbilities {
        version: u32::try_from(row.get::<_, i32>(0)).unwrap_or(0),
        extension_types: types.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect(),
        sees_snapshots: row.get(1),
    })
}

/// The tables of the staging schema that are ours by their names.
pub(super) async fn staging_tables(
    server: &Server,
    connection: &Connection,
) -> Result<Vec<StagingTable>, PgError> {
    let tables = connection
        .query(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1",
            &[&server.options.staging_schema],
        )
        .await
        .map_err(|error| connection.error("list staging tables", &error))?;
    let ours = tables.iter().filter_map(|row| {
        let name: String = row.get(0);
        let load = staging::load_of(&name)?.to_owned();
        Some(StagingTable { name, load })
    });
    Ok(ours.collect())
}

/// Drops what dead loads left in the staging schema.
pub(super) async fn sweep(
    server: &Server,
    is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
) -> Result<Vec<String>, PostgresWarehouseError> {
    let connection = server.connect("sweep").await?;
    let mut swept = Vec::new();
    for StagingTable { name, load } in staging_tables(server, &connection).await? {
        if is_dead(&load) {
            let table = TableName::new(&server.options.staging_schema, &name);
            connection.set_busy(true);
            fail_point!("warehouse.sweep.before");
            // Whoever still holds a lock on it is alive after all, or is about to end.
            let sql = format!("SET lock_timeout = '300ms'; DROP TABLE IF EXISTS {}", table.quoted());
            match connection.run(&format!("drop {table}"), &sql).await {
                Ok(()) => swept.push(name),
                Err(error) if error.code() == Some("55P03") => {}
                // Somebody made a view of it, or took its rights: no reason to leave all else lie.
                Err(error) if error.class() == Class::Lasting && error.code().is_some() => {
                    tracing::warn!(%error, "a staging table of a dead load stays");
                }
                Err(error) => return Err(error.into()),
            }
            fail_point!("warehouse.sweep.after");
            connection.set_busy(false);
        }
    }
    Ok(swept)
}
