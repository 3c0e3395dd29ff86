//! Dropping a published table or view for good, and nothing with it.

use std::time::Duration;

use super::{PostgresWarehouseError, Server, live, locks::set_timeout};
use crate::{
    fail_point,
    pg::{Connection, PgError},
    schema::RelationKind,
    sql::TableName,
};

/// How long readers of the table may be waited for: later ones queue behind the wait.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// What depends on the table `$1` or on its row type and is no part of it, in words for people.
const DEPENDENTS: &str = "
    SELECT DISTINCT CASE WHEN r.oid IS NOT NULL THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                         ELSE pg_describe_object(d.classid, d.objid, 0) END
    FROM pg_class t
    JOIN pg_type row_type ON row_type.oid = t.reltype
    JOIN pg_depend d
      ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
      OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (row_type.oid, row_type.typarray))
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    WHERE t.oid = $1 AND d.deptype = 'n'
      AND r.ev_class IS DISTINCT FROM t.oid AND k.conrelid IS DISTINCT FROM t.oid
    ORDER BY 1";

/// Drops it; one that is not there is no error. What depends on it keeps it.
pub(super) async fn remove(
    server: &Server,
    table: &TableName,
    kind: RelationKind,
) -> Result<(), PostgresWarehouseError> {
    let connection = server.connect("clean").await?;
    let Some(relation) = live::find(&connection, table).await? else { return Ok(()) };
    let needed_by = dependents(&connection, table, relation.oid).await?;
    if !needed_by.is_empty() {
        return Err(PostgresWarehouseError::Needed { table: table.clone(), needed_by });
    }
    connection.set_busy(true);
    fail_point!("warehouse.remove.before");
    // Not CASCADE: what came to depend on it a moment ago keeps it too.
    let what = if kind == RelationKind::View { "VIEW" } else { "TABLE" };
    let drop = format!("BEGIN; {}; DROP {what} {}; COMMIT", set_timeout(LOCK_TIMEOUT), table.quoted());
    connection.run(&format!("drop {table}"), &drop).await?;
    fail_point!("warehouse.remove.after");
    connection.set_busy(false);
    Ok(())
}

async fn dependents(connection: &Connection, table: &TableName, oid: u32) -> Result<Vec<String>, PgError> {
    let rows = connection
        .query(DEPENDENTS, &[&oid])
        .await
        .map_err(|error| connection.error(format!("look at what depends on {table}"), &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
