//! SELECTs of models and checks: described, asked, filled from.
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
    warehouse::{Select, StagingColumn, TextRows},
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

/// What they answer, in one transaction that only reads.
pub(super) async fn answers(
    server: &Server,
    selects: &[Select],
) -> Result<Vec<TextRows>, PostgresWarehouseError> {
    let connection = server.connect("check").await?;
    connection.set_busy(true);
    let begin = format!("BEGIN READ ONLY; {FIND_FUNCTIONS}");
    connection.run("begin to ask", &begin).await?;
    let answers = ask(&connection, selects).await?;
    connection.set_busy(false);
    let done = connection.run("end to ask", "ROLLBACK").await;
    connection.rest_after(done).await?;
    Ok(answers)
}

/// The same with a staging table. What is locked within a savepoint is free again when that is rolled back: no other
/// table is locked when it comes to the publish.
pub(super) async fn answers_of_staging(
    staging: &PostgresStaging,
    selects: &[Select],
) -> Result<Vec<TextRows>, PostgresWarehouseError> {
    let (begin, end) = match staging.is_committed {
        true => ("BEGIN READ ONLY", "ROLLBACK"),
        false => (
            "SAVEPOINT audit; SET LOCAL transaction_read_only = on",
            "ROLLBACK TO SAVEPOINT audit; RELEASE SAVEPOINT audit",
        ),
    };
    let connection = &staging.connection;
    connection.run("begin to ask", &format!("{begin}; {FIND_FUNCTIONS}")).await?;
    let answers = ask(connection, selects).await?;
    connection.run("end to ask", end).await?;
    Ok(answers)
}

async fn ask(connection: &Connection, selects: &[Select]) -> Result<Vec<TextRows>, PostgresWarehouseError> {
    let mut answers = Vec::with_capacity(selects.len());
    for select in selects {
        let rows = connection.query(&select.sql, &[]).await;
        let rows = rows.map_err(|error| of(select, "", connection.error("run it", &error)))?;
        let texts = |row: &tokio_postgres::Row| (0..row.len()).map(|column| row.try_get(column)).collect();
        let rows: Result<TextRows, tokio_postgres::Error> = rows.iter().map(texts).collect();
        answers.push(rows.map_err(|error| connection.error("read its answer", &error))?);
    }
    Ok(answers)
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
        PgError::Statement { source, .. } => {
            let source = Box::new(source.of_sql(&select.sql));
            PostgresWarehouseError::Select { place, source }
        }
        error => PostgresWarehouseError::Server(error),
    }
}
