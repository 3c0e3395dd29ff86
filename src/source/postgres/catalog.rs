//! What a Postgres catalog says of tables.

use std::collections::BTreeMap;

use super::{
    PostgresSourceError,
    type_info::{self, TypeInfos},
};
use crate::{
    pg::Connection,
    schema::{Column, Generated, RelationKind, TableSchema},
    source::SourceTable,
    sql::TableName,
};

/// The relations of a schema that can be loaded: not the partitions (their rows come with the
/// parent), not what belongs to an extension.
pub(super) async fn tables(
    connection: &Connection,
    schema: &str,
) -> Result<Vec<SourceTable>, PostgresSourceError> {
    let sql = "
        SELECT c.relname::text,
               coalesce(CASE c.relkind
                   WHEN 'p' THEN (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t)
                   WHEN 'r' THEN pg_total_relation_size(c.oid)
                   WHEN 'm' THEN pg_total_relation_size(c.oid)
               END, 0)::bigint,
               CASE WHEN c.reltuples >= 0 AND c.relkind IN ('r', 'm', 'p') THEN c.reltuples::bigint END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
          AND c.relpersistence <> 't'
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.relname COLLATE \"C\"";
    let rows = connection
        .query(sql, &[&schema])
        .await
        .map_err(|error| connection.error(format!("list the tables of schema {schema}"), &error))?;
    Ok(rows
        .iter()
        .map(|row| SourceTable {
            name: TableName::new(schema, row.get::<_, String>(0)),
            bytes: row.get::<_, i64>(1).try_into().unwrap_or(0),
            rows_estimate: row.get::<_, Option<i64>>(2).and_then(|rows| rows.try_into().ok()),
        })
        .collect())
}

/// A relation as one snapshot's catalog has it.
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) kind: RelationKind,
}

/// The relation `$1` with all its partitions, as the snapshot has them: `pg_partition_tree` would
/// answer for the newest catalog. `inhdetachpending` is there from version 14 on.
pub(super) const TREE: &str = "
    WITH RECURSIVE tree(relid) AS (
        SELECT $1::oid
        UNION ALL
        SELECT i.inhrelid FROM tree
        JOIN pg_class p ON p.oid = tree.relid AND p.relkind = 'p'
        JOIN pg_inherits i ON i.inhparent = tree.relid
        WHERE to_jsonb(i)->>'inhdetachpending' IS DISTINCT FROM 'true')";

/// Finds a relation; `None` where the snapshot has none of that name.
pub(super) async fn relation(
    connection: &Connection,
    table: &TableName,
) -> Result<Option<Relation>, PostgresSourceError> {
    let sql = "
        SELECT c.oid, c.relkind::text
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
    let row = connection
        .query_opt(sql, &[&table.schema, &table.name])
        .await
        .map_err(|error| connection.error(format!("look up {table}"), &error))?;
    Ok(row.map(|row| Relation {
        oid: row.get(0),
        kind: match row.get::<_, &str>(1) {
            "p" => RelationKind::Partitioned,
            "v" => RelationKind::View,
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::Foreign,
            _ => RelationKind::Table,
        },
    }))
}

/// A relation's columns and key.
pub(super) async fn describe(
    connection: &Connection,
    table: &TableName,
    relation: &Relation,
) -> Result<TableSchema, PostgresSourceError> {
    let failed =
        |error: tokio_postgres::Error| connection.error(format!("read the schema of {table}"), &error);
    let sql = "
        SELECT a.attname::text, a.attnum, a.atttypid, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attgenerated::text, a.attidentity::text
        FROM pg_attribute a
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum";
    let rows = connection.query(sql, &[&relation.oid]).await.map_err(failed)?;
    let type_oids: Vec<u32> = rows.iter().map(|row| row.get(2)).collect();
    let infos: TypeInfos = type_info::read(connection, table, type_oids).await?;
    let columns = rows
        .iter()
        .map(|row| Column {
            name: row.get(0),
            number: row.get(1),
            column_type: type_info::column_type(&infos, row.get(2), row.get(3)),
            nullable: !row.get::<_, bool>(4),
            generated: match (row.get::<_, &str>(5), row.get::<_, &str>(6)) {
                ("", "") => Generated::No,
                ("", _) => Generated::Identity,
                _ => Generated::Stored,
            },
        })
        .collect();
    let sql = "
        SELECT a.attname::text
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = $1 AND i.indisprimary AND k.place <= i.indnkeyatts
        ORDER BY k.place";
    let key = connection.query(sql, &[&relation.oid]).await.map_err(failed)?;
    Ok(TableSchema { kind: relation.kind, columns, key: key.iter().map(|row| row.get(0)).collect() })
}

/// The first of a relation and its partitions that is unlogged: a standby has no rows of it.
pub(super) async fn unlogged(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<Option<TableName>, PostgresSourceError> {
    let sql = format!(
        "{TREE} SELECT n.nspname::text, c.relname::text
         FROM tree JOIN pg_class c ON c.oid = tree.relid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relpersistence = 'u' AND c.relkind <> 'p' ORDER BY 1, 2 LIMIT 1"
    );
    let row = connection
        .query_opt(&sql, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at the partitions of {table}"), &error))?;
    Ok(row.map(|row| TableName::new(row.get::<_, String>(0), row.get::<_, String>(1))))
}

/// Which of `columns` the role may read, and whether it may read the table as a whole. Of a table
/// that is gone since the snapshot nothing is denied: reading it will say so.
pub(super) async fn privileges(
    connection: &Connection,
    table: &TableName,
    oid: u32,
    columns: &[String],
) -> Result<(bool, BTreeMap<String, bool>), PostgresSourceError> {
    let sql = "
        SELECT coalesce(has_table_privilege($1, 'SELECT'), true), a.attname::text,
               coalesce(has_column_privilege($1, a.attnum, 'SELECT'), true)
        FROM (SELECT) AS one LEFT JOIN pg_attribute a
          ON a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY ($2)";
    let rows = connection
        .query(sql, &[&oid, &columns])
        .await
        .map_err(|error| connection.error(format!("read the privileges on {table}"), &error))?;
    let whole = rows.first().is_some_and(|row| row.get(0));
    let each = rows.iter().filter_map(|row| Some((row.get::<_, Option<String>>(1)?, row.get(2)))).collect();
    Ok((whole, each))
}

/// Whether row security would hide rows of a relation, or of one of its partitions, from the role.
pub(super) async fn hides_rows(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<bool, PostgresSourceError> {
    // The function fails on what is gone since the snapshot, where the privilege is NULL.
    let sql = format!(
        "{TREE} SELECT coalesce(bool_or(row_security_active(relid)), false)
         FROM tree WHERE has_table_privilege(relid, 'SELECT') IS NOT NULL"
    );
    let row = connection
        .query_one(&sql, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at the row security of {table}"), &error))?;
    Ok(row.get(0))
}
