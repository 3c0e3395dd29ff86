//! How tables hang together: their keys, and which rows of which table theirs refer to.

use super::PostgresSourceError;
use crate::{
    pg::Connection,
    schema::RelationKind,
    source::{ForeignKey, Related},
    sql::TableName,
};

/// Those of the tables that are there, with the references between them; each in the order of its columns.
pub(super) async fn related(
    connection: &Connection,
    tables: &[TableName],
) -> Result<Vec<Related>, PostgresSourceError> {
    let failed = |error: tokio_postgres::Error| {
        connection.error("read the foreign keys of the tables".to_owned(), &error)
    };
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let sql = format!(
        "{WANTED}
        SELECT w.schema, w.name, w.kind, ARRAY(
            SELECT a.attname::text
            FROM pg_index i
            CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE i.indrelid = w.oid AND i.indisprimary AND k.place <= i.indnkeyatts
            ORDER BY k.place)
        FROM wanted w ORDER BY w.schema COLLATE \"C\", w.name COLLATE \"C\""
    );
    let rows = connection.query(&sql, &[&schemas, &names]).await.map_err(failed)?;
    let mut found: Vec<Related> = rows
        .iter()
        .map(|row| Related {
            table: TableName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
            kind: match row.get::<_, &str>(2) {
                "p" => RelationKind::Partitioned,
                "v" => RelationKind::View,
                "m" => RelationKind::MaterializedView,
                "f" => RelationKind::Foreign,
                _ => RelationKind::Table,
            },
            key: row.get(3),
            references: Vec::new(),
        })
        .collect();
    let columns = |of: &str, numbers: &str| {
        format!(
            "ARRAY(SELECT a.attname::text FROM unnest(f.{numbers}) WITH ORDINALITY AS k(attnum, place)
                   JOIN pg_attribute a ON a.attrelid = f.{of} AND a.attnum = k.attnum ORDER BY k.place)"
        )
    };
    // A partition's own copy of its parent's reference has no parent among the wanted tables.
    let sql = format!(
        "{WANTED}
        SELECT c.schema, c.name, p.schema, p.name, {}, {},
               (SELECT bool_and(a.attnotnull) FROM pg_attribute a
                WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey))
        FROM pg_constraint f
        JOIN wanted c ON c.oid = f.conrelid
        JOIN wanted p ON p.oid = f.confrelid
        WHERE f.contype = 'f'
        ORDER BY f.conkey, f.conname COLLATE \"C\"",
        columns("conrelid", "conkey"),
        columns("confrelid", "confkey")
    );
    for row in connection.query(&sql, &[&schemas, &names]).await.map_err(failed)? {
        let child = TableName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let Some(related) = found.iter_mut().find(|related| related.table == child) else { continue };
        related.references.push(ForeignKey {
            columns: row.get(4),
            parent: TableName::new(row.get::<_, String>(2), row.get::<_, String>(3)),
            parent_columns: row.get(5),
            always: row.get(6),
        });
    }
    Ok(found)
}

/// The tables that are asked about, as far as they are there.
const WANTED: &str = "WITH wanted AS (
    SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind
    FROM unnest($1::text[], $2::text[]) AS asked(schema, name)
    JOIN pg_namespace n ON n.nspname = asked.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f'))";
