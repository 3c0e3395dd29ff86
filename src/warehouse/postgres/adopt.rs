//! A table that was there before barncat: looked at, and written into the ledger as it is.

use std::time::Duration;

use super::{
    PostgresWarehouseError, Server, commit, in_place,
    ledger::{self, Entry},
    live,
};
use crate::{
    fail_point,
    pg::{Connection, PgError},
    schema::Cursor,
    sql::{TableName, quote_ident},
    warehouse::{LedgerRow, StagingColumn, Survey},
};

/// Who may do what with the table, and the SQL that is missing.
const RIGHTS: &str = "
    SELECT pg_get_userbyid(c.relowner)::text,
           array_remove(ARRAY[
               CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_schema_privilege(n.oid, 'CREATE')
                    THEN format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', n.nspname, current_user) END,
               CASE WHEN NOT pg_has_role(c.relowner, 'USAGE')
                    THEN format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, current_user) END], NULL),
           ARRAY(SELECT format('%s to %s', string_agg(DISTINCT a.privilege_type, ', '),
                               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END)
                 FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner GROUP BY a.grantee ORDER BY 1)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";

/// Looks at what only the warehouse knows. `None`: there is no such table.
pub(super) async fn survey(
    connection: &Connection,
    table: &TableName,
    key: &[String],
) -> Result<Option<Survey>, PgError> {
    let Some(relation) = live::find(connection, table).await? else { return Ok(None) };
    let row = connection
        .query_one(RIGHTS, &[&relation.oid])
        .await
        .map_err(|error| connection.error(format!("look at the rights on {table}"), &error))?;
    Ok(Some(Survey {
        owner: row.get(0),
        needed: row.get(1),
        grants: row.get(2),
        has_key: !key.is_empty() && in_place::has_key(connection, table, relation.oid, key).await?,
    }))
}

/// The rows of a table, but for marked ones, and the greatest value of a cursor that is no greater than `limit`.
pub(super) async fn reach(
    connection: &Connection,
    table: &TableName,
    mark: Option<&str>,
    cursor: Option<(&Cursor, &str)>,
    limit: Duration,
) -> Result<(u64, Option<String>), PgError> {
    let fail =
        |error: tokio_postgres::Error| connection.error(format!("look at the rows of {table}"), &error);
    // Somebody who alters the table must not hold up who only looks at it.
    let bound = format!("SET lock_timeout = '{} ms'", limit.as_millis());
    connection.run(&format!("look at the rows of {table}"), &bound).await?;
    let unmarked = mark.map(|mark| format!(" WHERE {} IS NULL", quote_ident(mark))).unwrap_or_default();
    let count = format!("SELECT count(*) FROM ONLY {}{unmarked}", table.quoted());
    let rows: i64 = connection.query_one(&count, &[]).await.map_err(fail)?.get(0);
    let rows = u64::try_from(rows).unwrap_or(0);
    let Some((cursor, limit)) = cursor else { return Ok((rows, None)) };
    let sql = format!(
        "SELECT greatest::text FROM (SELECT {} AS greatest FROM ONLY {} WHERE {} ORDER BY 1 DESC LIMIT 1) AS g",
        cursor.expression(),
        table.quoted(),
        cursor.at_most(limit)
    );
    let greatest = connection.query_opt(&sql, &[]).await.map_err(fail)?;
    Ok((rows, greatest.map(|row| row.get(0))))
}

/// Writes the first row of a table into the ledger, if the table still has these columns.
pub(super) async fn adopt(
    server: &Server,
    row: &LedgerRow,
    columns: &[StagingColumn],
    limit: Duration,
) -> Result<(), PostgresWarehouseError> {
    let table = &row.table;
    let connection = server.connect(&format!("adopt {table}")).await?;
    connection.set_busy(true);
    fail_point!("adopt.ledger.before");
    // Nobody can change it or put another in its place until the row is written.
    let begin = format!("BEGIN; LOCK TABLE ONLY {} IN ACCESS SHARE MODE", table.quoted());
    connection.run(&format!("adopt {table}"), &begin).await?;
    let changed = || PostgresWarehouseError::Changed { table: table.clone() };
    let live = live::find(&connection, table).await?.ok_or_else(changed)?;
    let now = live::columns(&connection, table, live.oid).await?;
    if !in_place::have_same_columns(&now, columns) {
        return Err(changed());
    }
    match ledger::write(&connection, &server.options.ledger_schema, row, row.publish).await? {
        Entry::Written(_) | Entry::There => {}
        Entry::Superseded => return Err(PostgresWarehouseError::Superseded { table: table.clone() }),
    }
    commit::commit_load(server, &connection, table, &row.load, limit).await?;
    fail_point!("adopt.ledger.after");
    Ok(())
}
