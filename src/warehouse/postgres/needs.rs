//! What reads single columns of a table, so that a swap to a table without such a column breaks it.

use crate::{
    pg::{Connection, PgError},
    sql::TableName,
    warehouse::ColumnNeed,
};

/// The views that read a column, directly or through others, outermost first; then the policies and
/// triggers. The depth is bounded because views may read each other in a circle.
const NEEDS: &str = "
    WITH RECURSIVE uses(attname, oid, depth) AS (
        SELECT a.attname, r.ev_class, 1
        FROM pg_depend d
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN'
        JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.classid = 'pg_rewrite'::regclass
        UNION
        SELECT u.attname, r.ev_class, u.depth + 1
        FROM uses u
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.oid
             AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN' AND r.ev_class <> u.oid
        JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
        WHERE u.depth < 100)
    SELECT attname::text, true, n.nspname || '.' || v.relname, max(u.depth), v.oid
    FROM uses u JOIN pg_class v ON v.oid = u.oid JOIN pg_namespace n ON n.oid = v.relnamespace
    GROUP BY u.attname, n.nspname, v.relname, v.oid
    UNION ALL
    SELECT a.attname::text, false,
           CASE WHEN g.oid IS NULL THEN format('policy %s', p.polname) ELSE format('trigger %s', g.tgname) END, 0, d.objid
    FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid AND NOT g.tgisinternal
    LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND (g.oid IS NOT NULL OR p.oid IS NOT NULL)
    GROUP BY a.attname, g.oid, p.oid, p.polname, g.tgname, d.objid
    ORDER BY 4 DESC, 5 DESC, 1";

/// What needs which column of the table with this oid.
pub(super) async fn needs(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<Vec<ColumnNeed>, PgError> {
    let rows = connection
        .query_again(NEEDS, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at what reads the columns of {table}"), &error))?;
    let need = |row: &tokio_postgres::Row| ColumnNeed {
        column: row.get(0),
        is_view: row.get(1),
        needed_by: row.get(2),
    };
    Ok(rows.iter().map(need).collect())
}

/// What else than a table has a name that a new table would get, or its row type.
pub(super) async fn name_taken(
    connection: &Connection,
    table: &TableName,
) -> Result<Option<String>, PgError> {
    // An array's own type gives way to a table that wants its name.
    let sql = "
        SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE 'index' END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('S', 'i', 'I', 'c')
        UNION ALL
        SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = $1 AND t.typname = $2 AND t.typrelid = 0
          AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)
        LIMIT 1";
    let row = connection
        .query_opt(sql, &[&table.schema, &table.name])
        .await
        .map_err(|error| connection.error(format!("look for the name {table}"), &error))?;
    Ok(row.map(|row| row.get(0)))
}
