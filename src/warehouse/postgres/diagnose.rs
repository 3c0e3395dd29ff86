//! Whether a run could publish: login, schemas, the tables that are there, what of other sessions is
//! visible. Changes nothing.

use std::collections::BTreeSet;

use super::{PostgresWarehouse, Server, ledger};
use crate::{
    diagnosis::{self, Finding},
    pg::{self, Connection, PgError, Session},
    sql::{TableName, quote_ident},
    warehouse::Wanted,
};

impl PostgresWarehouse {
    /// Tests what a run needs.
    pub async fn diagnose(&self, wanted: &Wanted) -> Vec<Finding> {
        let server = &self.server;
        let connection = match server.connect("doctor").await {
            Ok(connection) => connection,
            Err(error) => return vec![Finding::error("login", &error)],
        };
        let mut findings = Vec::new();
        let tests = Tests { server, connection: &connection, wanted };
        // Each by itself: one that is refused says so, and the others are still tried.
        tests.take("login", tests.server().await, &mut findings);
        tests.take("pooler", tests.sessions().await, &mut findings);
        tests.take("schemas", tests.schemas().await, &mut findings);
        tests.take("grants", tests.grantees().await, &mut findings);
        tests.take("tables", tests.tables().await, &mut findings);
        tests.take("other sessions", tests.other_sessions().await, &mut findings);
        findings
    }
}

struct Tests<'a> {
    server: &'a Server,
    connection: &'a Connection,
    wanted: &'a Wanted,
}

impl Tests<'_> {
    fn take(&self, test: &'static str, found: Result<Vec<Finding>, PgError>, findings: &mut Vec<Finding>) {
        match found {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(Finding::error(test, &error)),
        }
    }

    async fn server(&self) -> Result<Vec<Finding>, PgError> {
        let before = diagnosis::now_seconds();
        let sql = "
            SELECT current_setting('server_version'), current_user::text,
                   extract(epoch FROM clock_timestamp())::float8,
                   pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',
                   (SELECT setting::bigint FROM pg_settings WHERE name = 'deadlock_timeout')";
        let row = self
            .connection
            .query_one(sql, &[])
            .await
            .map_err(|error| self.connection.error("look at the warehouse's settings", &error))?;
        let (version, role): (&str, &str) = (row.get(0), row.get(1));
        let mut findings = vec![Finding::ok("login", format!("logs in as {role}, PostgreSQL {version}"))];
        findings.push(diagnosis::clock(before, row.get(2), diagnosis::now_seconds()));
        if row.get(3) {
            findings.push(Finding::fail("writes", "is read-only").hint("give the url of a primary"));
        }
        findings.extend(self.lock_timeout(row.get(4)));
        Ok(findings)
    }

    /// A wait as long as `deadlock_timeout` lets the server end one of the two that wait for each
    /// other, and that may be the reader.
    fn lock_timeout(&self, deadlock_timeout_ms: Option<i64>) -> Option<Finding> {
        let limit_ms = u128::try_from(deadlock_timeout_ms?).ok()?;
        let ours_ms = self.wanted.lock_timeout.as_millis();
        (ours_ms >= limit_ms).then(|| {
            let message = format!(
                "`lock_timeout` of [warehouse] is {ours_ms} ms, not below the server's deadlock_timeout of {limit_ms} ms"
            );
            Finding::warn("lock_timeout", message).hint("a publish could make the server cancel a reader")
        })
    }

    async fn sessions(&self) -> Result<Vec<Finding>, PgError> {
        let are_shared =
            pg::sessions_are_shared(&self.server.endpoint, &Session::new("barncat doctor")).await?;
        Ok(vec![diagnosis::sessions(are_shared)])
    }

    /// Schemas that are there must take tables; the others must be allowed to be made.
    async fn schemas(&self) -> Result<Vec<Finding>, PgError> {
        let options = &self.server.options;
        let own = [options.ledger_schema.clone(), options.staging_schema.clone()];
        let names: Vec<String> = own.into_iter().chain(self.wanted.schemas.iter().cloned()).collect();
        let sql = "
            SELECT w.name, n.oid IS NOT NULL,
                   coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'), false),
                   has_database_privilege(current_database(), 'CREATE'), current_database()::text,
                   current_user::text
            FROM unnest($1::text[]) WITH ORDINALITY AS w(name, place)
            LEFT JOIN pg_namespace n ON n.nspname = w.name ORDER BY w.place";
        let rows = self
            .connection
            .query(sql, &[&names])
            .await
            .map_err(|error| self.connection.error("look at the warehouse's schemas", &error))?;
        let mut findings = Vec::new();
        let mut refused = Vec::new();
        for row in &rows {
            let (name, is_there, is_usable): (&str, bool, bool) = (row.get(0), row.get(1), row.get(2));
            let (may_create, role): (bool, &str) = (row.get(3), row.get(5));
            let grantee = quote_ident(role);
            if is_there && !is_usable {
                let sql = format!("GRANT USAGE, CREATE ON SCHEMA {} TO {grantee};", quote_ident(name));
                let message = format!("{role} may not create tables in schema {name}");
                findings.push(Finding::fail("schemas", message).sql(sql));
            } else if !is_there && !may_create {
                refused.push((name, role, row.get::<_, &str>(4)));
            }
        }
        findings.extend(no_create(&refused));
        if findings.is_empty() {
            findings.push(Finding::ok("schemas", format!("may create tables in {}", names.join(", "))));
        }
        Ok(findings)
    }

    async fn grantees(&self) -> Result<Vec<Finding>, PgError> {
        let names: Vec<&String> = self.wanted.grantees.iter().collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "
            SELECT w.name FROM unnest($1::text[]) AS w(name)
            WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = w.name) ORDER BY 1";
        let rows = self
            .connection
            .query(sql, &[&names])
            .await
            .map_err(|error| self.connection.error("look at the roles of `grants`", &error))?;
        let missing = |row: &tokio_postgres::Row| {
            let role: &str = row.get(0);
            Finding::fail(
                "grants",
                format!("`grants` of [warehouse] names {role}, and there is no such role"),
            )
            .sql(format!("CREATE ROLE {};", quote_ident(role)))
        };
        let findings: Vec<_> = rows.iter().map(missing).collect();
        Ok(if findings.is_empty() {
            vec![Finding::ok("grants", format!("the {} of `grants` are there", count(names.len(), "role")))]
        } else {
            findings
        })
    }

    /// Tables that are there already must be barncat's, and their owner one that it may act as.
    async fn tables(&self) -> Result<Vec<Finding>, PgError> {
        let schemas: Vec<&str> = self.wanted.tables.iter().map(|table| table.schema.as_str()).collect();
        let names: Vec<&str> = self.wanted.tables.iter().map(|table| table.name.as_str()).collect();
        let sql = "
            SELECT n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text,
                   pg_has_role(current_user, c.relowner, 'USAGE'), current_user::text
            FROM unnest($1::text[], $2::text[]) AS w(schema, name)
            JOIN pg_namespace n ON n.nspname = w.schema
            JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
                AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            ORDER BY 1, 2";
        let rows = self
            .connection
            .query(sql, &[&schemas, &names])
            .await
            .map_err(|error| self.connection.error("look at the owners of the tables", &error))?;
        let mut findings = Vec::new();
        let known = match ledger::last_loads(self.connection, &self.server.options.ledger_schema).await {
            Ok(rows) => Some(rows.into_iter().map(|row| row.table).collect::<BTreeSet<_>>()),
            Err(error) => {
                findings.push(Finding::error("ledger", &error));
                None
            }
        };
        for row in &rows {
            let table = TableName::new(row.get::<_, &str>(0), row.get::<_, &str>(1));
            let (owner, role): (&str, &str) = (row.get(2), row.get(4));
            if known.as_ref().is_some_and(|known| !known.contains(&table)) {
                let message = format!("{table} is there already, neither created nor adopted by barncat");
                let hint =
                    format!("rename it, or give the loader another name: `as = \"{}_loaded\"`", table.name);
                findings.push(Finding::fail("tables", message).hint(hint));
            } else if !row.get::<_, bool>(3) {
                let message = format!("{table} belongs to {owner}, and {role} is no member of that role");
                let sql = format!("GRANT {} TO {};", quote_ident(owner), quote_ident(role));
                findings.push(Finding::fail("tables", message).sql(sql));
            }
        }
        if findings.is_empty() {
            let message = match rows.len() {
                0 => "none of the tables is there yet".to_owned(),
                there => format!(
                    "may replace the {} that {} there",
                    count(there, "table"),
                    if there == 1 { "is" } else { "are" }
                ),
            };
            findings.push(Finding::ok("tables", message));
        }
        Ok(findings)
    }

    async fn other_sessions(&self) -> Result<Vec<Finding>, PgError> {
        let test = "other sessions";
        let row = self
            .connection
            .query_one(
                "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), current_user::text",
                &[],
            )
            .await
            .map_err(|error| self.connection.error("look at the role's memberships", &error))?;
        if row.get(0) {
            return Ok(vec![Finding::ok(test, "their snapshots can be seen")]);
        }
        let message =
            "their snapshots cannot be seen: a reader that is older than new rows cannot be waited for";
        let sql = format!("GRANT pg_read_all_stats TO {};", quote_ident(row.get(1)));
        Ok(vec![Finding::warn(test, message).sql(sql)])
    }
}

/// One finding for all schemas that are not there and may not be made.
fn no_create(refused: &[(&str, &str, &str)]) -> Option<Finding> {
    let (_, role, database) = refused.first()?;
    let names: Vec<&str> = refused.iter().map(|(name, ..)| *name).collect();
    let message = format!("{role} may not create schemas in {database}; not there yet: {}", names.join(", "));
    let sql = format!("GRANT CREATE ON DATABASE {} TO {};", quote_ident(database), quote_ident(role));
    Some(Finding::fail("schemas", message).sql(sql))
}

fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("{number} {word}") } else { format!("{number} {word}s") }
}
