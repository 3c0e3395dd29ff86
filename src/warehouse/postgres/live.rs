//! The table that readers see.

use super::{PostgresWarehouseError, in_place::key, needs, obstacles, views};
use crate::{
    pg::{Connection, PgError},
    schema::RelationKind,
    sql::TableName,
    warehouse::{LiveTable, StagingColumn},
};

/// What is known of it by its name alone.
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) kind: RelationKind,
}

/// The relation of that name, whatever it is.
pub(super) async fn find(connection: &Connection, table: &TableName) -> Result<Option<Relation>, PgError> {
    let rows = connection
        .query_again(
            "SELECT c.oid, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
            &[&table.schema, &table.name],
        )
        .await
        .map_err(|error| connection.error(format!("look up {table}"), &error))?;
    Ok(rows.first().map(|row| Relation { oid: row.get(0), kind: kind(row.get(1)) }))
}

fn kind(relkind: &str) -> RelationKind {
    match relkind {
        "p" => RelationKind::Partitioned,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::Foreign,
        _ => RelationKind::Table,
    }
}

/// The live table with all that a decision needs.
pub(super) async fn live(
    connection: &Connection,
    table: &TableName,
) -> Result<Option<LiveTable>, PostgresWarehouseError> {
    let Some(relation) = find(connection, table).await? else { return Ok(None) };
    let sql = "SELECT coalesce(pg_total_relation_size($1::oid::regclass), 0), pg_relation_size($1::oid::regclass) = 0";
    let size = connection
        .query_one(sql, &[&relation.oid])
        .await
        .map_err(|error| connection.error(format!("measure {table}"), &error))?;
    let bytes: i64 = size.get(0);
    let is_empty: Option<bool> = size.get(1);
    let views = views::read(connection, table, relation.oid).await?;
    Ok(Some(LiveTable {
        kind: relation.kind,
        columns: columns(connection, table, relation.oid).await?,
        bytes: u64::try_from(bytes).unwrap_or(0),
        is_empty: relation.kind == RelationKind::Table && is_empty == Some(true),
        keys: Some(key::all(connection, table, relation.oid).await?),
        rebound: Vec::new(),
        obstacles: obstacles::obstacles(connection, table, relation.oid, None).await?,
        views: views.iter().map(|view| view.name.to_string()).collect(),
        needs: needs::needs(connection, table, relation.oid).await?,
    }))
}

/// A relation's columns, with types as `format_type` writes them under an empty `search_path`.
pub(super) async fn columns(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<Vec<StagingColumn>, PgError> {
    let rows = connection
        .query_again(
            "SELECT attname::text, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute
             WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            &[&oid],
        )
        .await
        .map_err(|error| connection.error(format!("look at the columns of {table}"), &error))?;
    let column = |row: &tokio_postgres::Row| StagingColumn {
        name: row.get(0),
        sql_type: row.get(1),
        nullable: row.get(2),
    };
    Ok(rows.iter().map(column).collect())
}
