//! What tells the live table's rows apart.

use super::super::PostgresWarehouseError;
use crate::{
    pg::{Connection, PgError},
    sql::TableName,
};

/// The columns of a unique index of the live table that are the load's key.
pub(super) struct Key {
    pub(super) columns: Vec<KeyColumn>,
}

/// One column of it.
pub(super) struct KeyColumn {
    pub(super) name: String,
    /// Its type, in SQL.
    pub(super) sql_type: String,
    /// The index's own equality, as `OPERATOR(schema.=)`: that of another type may be found by `=`
    /// where the type's schema is not on the `search_path`.
    pub(super) equals: String,
    /// Whether values that are equal are the same: `1.0` and `1.00` are not.
    pub(super) is_exact: bool,
}

/// The columns of the unique index that `ON CONFLICT` can use, if one has just these columns. That
/// equality means identity is what the operator class promises by its support function 4 (PostgreSQL's
/// documentation, "B-Tree Support Functions", `equalimage`; from version 13 on).
const KEY: &str = "
    SELECT a.attname::text, format('OPERATOR(%I.%s)', n.nspname, o.oprname),
           (f.amproc IS NOT NULL AND coalesce(l.collisdeterministic, true)),
           format_type(a.atttypid, a.atttypmod)
    FROM pg_index x
    CROSS JOIN unnest(x.indkey, x.indclass, x.indcollation) WITH ORDINALITY AS i(attnum, opclass, collated, place)
    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = i.attnum
    JOIN pg_opclass c ON c.oid = i.opclass
    JOIN pg_amop e ON e.amopfamily = c.opcfamily AND e.amopstrategy = 3
         AND e.amoplefttype = c.opcintype AND e.amoprighttype = c.opcintype
    JOIN pg_operator o ON o.oid = e.amopopr
    JOIN pg_namespace n ON n.oid = o.oprnamespace
    LEFT JOIN pg_amproc f ON f.amprocfamily = c.opcfamily AND f.amprocnum = 4
         AND f.amproclefttype = c.opcintype AND f.amprocrighttype = c.opcintype
    LEFT JOIN pg_collation l ON l.oid = i.collated
    WHERE x.indexrelid = (
        SELECT u.indexrelid FROM pg_index u
        WHERE u.indrelid = $1 AND u.indisunique AND u.indimmediate AND u.indisvalid
          AND u.indpred IS NULL AND u.indexprs IS NULL AND u.indnkeyatts = cardinality($2::text[])
          AND (SELECT array_agg(b.attname::text ORDER BY b.attname::text)
               FROM unnest(u.indkey) WITH ORDINALITY AS k(attnum, place)
               JOIN pg_attribute b ON b.attrelid = u.indrelid AND b.attnum = k.attnum
               WHERE k.place <= u.indnkeyatts)
              = (SELECT array_agg(name ORDER BY name) FROM unnest($2::text[]) AS name)
        ORDER BY u.indisprimary DESC, u.indexrelid LIMIT 1)
      AND i.place <= x.indnkeyatts
    ORDER BY i.place";

impl Key {
    /// The key by which the live table can be written, if it has one.
    pub(super) async fn read(
        connection: &Connection,
        table: &TableName,
        oid: u32,
        names: &[String],
    ) -> Result<Option<Self>, PgError> {
        let rows = connection
            .query(KEY, &[&oid, &names])
            .await
            .map_err(|error| connection.error(format!("look at the key of {table}"), &error))?;
        let column = |row: &tokio_postgres::Row| KeyColumn {
            name: row.get(0),
            equals: row.get(1),
            is_exact: row.get(2),
            sql_type: row.get(3),
        };
        // Fewer where an operator class has no equality of its own type: then it serves us nothing.
        let columns: Vec<KeyColumn> = rows.iter().map(column).collect();
        Ok((!columns.is_empty() && columns.len() == names.len()).then_some(Self { columns }))
    }
}

/// The columns of every unique index that `ON CONFLICT` can use, sorted by name.
pub(crate) async fn all(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<Vec<Vec<String>>, PgError> {
    let sql = "SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\") FROM pg_index x
               CROSS JOIN unnest(x.indkey) WITH ORDINALITY AS k(attnum, place)
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
               WHERE x.indrelid = $1 AND x.indisunique AND x.indimmediate AND x.indisvalid
                 AND x.indpred IS NULL AND x.indexprs IS NULL AND k.place <= x.indnkeyatts
               GROUP BY x.indexrelid";
    let rows = connection
        .query_again(sql, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at the keys of {table}"), &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The table's own triggers that stand between the rows that are written and those that arrive.
pub(super) async fn meddling_triggers(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<Vec<String>, PgError> {
    // tgtype is made of bits: 1 for each row, 2 before, 4 INSERT, 16 UPDATE (pg_trigger.h).
    let sql = "SELECT tgname::text FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal
               AND tgenabled IN ('O', 'A') AND tgtype & 3 = 3 AND tgtype & 20 <> 0 ORDER BY 1";
    let rows = connection
        .query(sql, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at the triggers of {table}"), &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Refuses to delete rows where a foreign key would take, or change, rows of other tables with them.
pub(super) async fn refuse_cascade(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<(), PostgresWarehouseError> {
    // c, n, d: CASCADE, SET NULL, SET DEFAULT (pg_constraint.h).
    let sql = "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
               WHERE contype = 'f' AND confrelid = $1 AND confdeltype IN ('c', 'n', 'd') ORDER BY 1";
    let rows = connection
        .query(sql, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at what refers to {table}"), &error))?;
    let followers: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    match followers.is_empty() {
        true => Ok(()),
        false => Err(PostgresWarehouseError::Cascades { table: table.clone(), followers }),
    }
}

/// Whether foreign keys point at the table: to delete one of its rows, even for a moment, is refused or
/// changes rows elsewhere.
pub(super) async fn is_referred_to(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<bool, PgError> {
    let sql = "SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = $1)";
    let row = connection
        .query_one(sql, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at what refers to {table}"), &error))?;
    Ok(row.get(0))
}
