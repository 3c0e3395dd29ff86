//! Whether a run could keep its books: login, privileges, migrations. Changes nothing.

use super::Control;
use crate::{
    diagnosis::{self, Finding, Verdict},
    pg::{self, Connection, Endpoint, PgError, Session},
    sql::quote_ident,
};

impl Control {
    /// Tests the database at `endpoint` with the schema `schema`, and that of test mode, which can be done without.
    pub async fn diagnose(endpoint: &Endpoint, schema: &str, test_schema: &str) -> Vec<Finding> {
        let mut findings = match log_in(endpoint, schema, test_schema).await {
            Ok(findings) => findings,
            Err(error) => return vec![Finding::error("login", &error)],
        };
        match pg::sessions_are_shared(endpoint, &Session::new("barncat doctor")).await {
            Ok(are_shared) => findings.push(diagnosis::sessions(are_shared)),
            Err(error) => findings.push(Finding::error("pooler", &error)),
        }
        findings.push(migrations(endpoint, schema).await);
        findings
    }
}

async fn log_in(endpoint: &Endpoint, schema: &str, test_schema: &str) -> Result<Vec<Finding>, PgError> {
    let connection = pg::connect(endpoint, &Session::new("barncat doctor")).await?;
    let before = diagnosis::now_seconds();
    let sql = "
        SELECT current_setting('server_version'), current_user::text, extract(epoch FROM clock_timestamp())::float8,
               pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'";
    let row = connection
        .query_one(sql, &[])
        .await
        .map_err(|error| connection.error("look at the control database's role", &error))?;
    let (version, role): (&str, &str) = (row.get(0), row.get(1));
    let mut findings = vec![Finding::ok("login", format!("logs in as {role}, PostgreSQL {version}"))];
    findings.push(diagnosis::clock(before, row.get(2), diagnosis::now_seconds()));
    if row.get(3) {
        findings.push(Finding::fail("writes", "is read-only").hint("give the url of a primary"));
    }
    findings.push(schema_of(&connection, schema, role).await?);
    let of_test = schema_of(&connection, test_schema, role).await?;
    findings.push(match of_test.status {
        Verdict::Ok => of_test,
        _ => Finding { status: Verdict::Warn, ..of_test.hint("`--mode test` needs it") },
    });
    Ok(findings)
}

async fn schema_of(connection: &Connection, schema: &str, role: &str) -> Result<Finding, PgError> {
    let sql = "
        SELECT current_database()::text, n.oid IS NOT NULL, has_database_privilege(current_database(), 'CREATE'),
               coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'), false)
        FROM (SELECT) AS one LEFT JOIN pg_namespace n ON n.nspname = $1";
    let row = connection
        .query_one(sql, &[&schema])
        .await
        .map_err(|error| connection.error("look at the control database's schemas", &error))?;
    let (database, exists, may_create_schemas, usable): (&str, bool, bool, bool) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let grantee = quote_ident(role);
    Ok(match (exists, may_create_schemas, usable) {
        (true, _, true) | (false, true, _) => Finding::ok("schema", format!("may create tables in {schema}")),
        (true, _, false) => {
            let sql = format!("GRANT USAGE, CREATE ON SCHEMA {} TO {grantee};", quote_ident(schema));
            Finding::fail("schema", format!("{role} may not create tables in schema {schema}")).sql(sql)
        }
        (false, false, _) => {
            let message = format!("schema {schema} is not there, and {role} may not create it in {database}");
            let schema = quote_ident(schema);
            let sql =
                format!("CREATE SCHEMA {schema};\nGRANT USAGE, CREATE ON SCHEMA {schema} TO {grantee};");
            Finding::fail("schema", message).sql(sql)
        }
    })
}

async fn migrations(endpoint: &Endpoint, schema: &str) -> Finding {
    let test = "migrations";
    match Control::open_existing(endpoint, schema).await {
        Ok(Some(_)) => Finding::ok(test, "are those of this release"),
        Ok(None) => Finding::ok(test, "are made by the next run"),
        Err(error) => Finding::error(test, &error),
    }
}
