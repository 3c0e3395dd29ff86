//! SELECTs of models and checks: described, counted, filled from.
//!
//! They run with `search_path` at `public`, where extensions put their functions; all tables are written
//! with their schemas. A statement is sent by the extended protocol, which takes no second one behind it.

use super::{
    PostgresWarehouseError, Server, live,
    staging::{PostgresStaging, columns},
};
use crate::{
    clock, fail_point,
    pg::{Connection, PgError},
    sql::TableName,
    warehouse::{Select, StagingColumn},
};

/// For one transaction alone.
const FIND_FUNCTIONS: &str = "SET LOCAL search_path = public";

/// The columns of a table made of it: those of a view, which is made and rolled back. It is none of the
/// session's own (`TEMPORARY`): that makes a schema, and whenever one comes or goes all plans are made anew.
pub(super) async fn describe(
    server: &Server,
    select: &Select,
) -> Result<Vec<StagingColumn>, PostgresWarehouseError> {
    let connection = server.connect("describe").await?;
    connection.run("begin to describe a SELECT", &format!("BEGIN; {FIND_FUNCTIONS}")).await?;
    // Of a name that nobody else gives: others with the same one would wait for the end of it.
    let view = TableName::new(&server.options.staging_schema, clock::new_id());
    let head = format!("CREATE VIEW {} AS ", view.quoted());
    execute(&connection, select, &head, "").await?;
    let oid = connection
        .query_one("SELECT to_regclass($1)::oid", &[&view.quoted()])
        .await
        .map_err(|error| connection.error("describe a SELECT", &error))?
        .get(0);
    connection.run("describe a SELECT", "SET LOCAL search_path = ''").await?;
    let described = live::columns(&connection, &view, oid).await?;
    let done = connection.run("end to describe a SELECT", "ROLLBACK").await;
    connection.rest_after(done).await?;
    Ok(described)
}

/// How many rows it gives.
pub(super) async fn count(server: &Server, select: &Select) -> Result<u64, PostgresWarehouseError> {
    let connection = server.connect("check").await?;
    connection.set_busy(true);
    let begin = format!("BEGIN READ ONLY; {FIND_FUNCTIONS}");
    connection.run("begin to count the rows of a SELECT", &begin).await?;
    let head = "SELECT count(*) FROM (";
    // The line break ends a comment that the SELECT may end in.
    let sql = format!("{head}{}\n) AS counted", select.sql);
    let row = connection.query_one(&sql, &[]).await;
    let row = row.map_err(|error| of(select, head, connection.error("count its rows", &error)))?;
    connection.set_busy(false);
    let done = connection.run("end to count the rows of a SELECT", "ROLLBACK").await;
    connection.rest_after(done).await?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

/// Fills a staging table, in the transaction that made it.
pub(super) async fn fill(staging: &PostgresStaging, select: &Select) -> Result<u64, PostgresWarehouseError> {
    let (connection, spec) = (&staging.connection, &staging.spec);
    let names = match spec.columns.as_slice() {
        [] => String::new(),
        list => format!(" ({})", columns(list.iter().map(|column| &column.name))),
    };
    fail_point!("staging.select.before");
    connection.run("begin to fill", FIND_FUNCTIONS).await?;
    let head = format!("INSERT INTO {}{names} ", staging.table.quoted());
    let rows = execute(connection, select, &head, "").await?;
    connection.run("end to fill", "SET LOCAL search_path = ''").await?;
    fail_point!("staging.select.after");
    Ok(rows)
}

/// Runs a statement around it. Answers with the rows that it wrote.
pub(super) async fn execute(
    connection: &Connection,
    select: &Select,
    head: &str,
    tail: &str,
) -> Result<u64, PostgresWarehouseError> {
    let done = connection.execute(&format!("{head}{}{tail}", select.sql), &[]).await;
    done.map_err(|error| of(select, head, connection.error("run it", &error)))
}

/// The error of a statement around it, with the line of the file.
fn of(select: &Select, head: &str, error: PgError) -> PostgresWarehouseError {
    let before = head.chars().count() + 1;
    let position = error.server().and_then(|server| server.position);
    let place = match position.and_then(|position| position.checked_sub(before)) {
        Some(characters) => select.place_at(characters),
        None => select.file.clone(),
    };
    match error {
        PgError::Statement { source, .. } => PostgresWarehouseError::Select { place, source },
        error => PostgresWarehouseError::Server(error),
    }
}
