//! Whether a run could publish to Redshift: login, schemas, tables, and the role that reads the stage.
//! Changes nothing but the probe that it puts into the stage and takes out again.

use super::{
    Cluster, RedshiftError, RedshiftWarehouse, attached,
    dialect::{self, ident, literal},
    transport::Batch,
};
use crate::{
    clock,
    diagnosis::{self, Finding},
    error::Fault,
    sql::TableName,
    stage::{SharedStage, StageError, manifest::Compression},
    warehouse::Wanted,
};

/// The temporary table that the probe is copied into.
const PROBE: &str = "barncat_doctor";

impl RedshiftWarehouse {
    /// Tests what a run needs; the probe is put into the stage below `prefix`, which ends in `/`.
    pub async fn diagnose(&self, wanted: &Wanted, stage: Option<(&SharedStage, &str)>) -> Vec<Finding> {
        let tests = Tests { cluster: &self.cluster, wanted };
        let user = match tests.login().await {
            Ok((user, findings)) => (user, findings),
            Err(error) => return vec![Finding::error("login", &error)],
        };
        let (user, mut findings) = user;
        // Each by itself: one that is refused says so, and the others are still tried.
        let mut take = |test: &'static str, found: Result<Vec<Finding>, RedshiftError>| match found {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(Finding::error(test, &error)),
        };
        take("schemas", tests.schemas(&user).await);
        take("tables", tests.tables(&user).await);
        take("policies", tests.policies().await);
        if let Some((stage, prefix)) = stage {
            take("copy", tests.copy(stage, prefix).await);
        }
        findings
    }
}

struct Tests<'a> {
    cluster: &'a Cluster,
    wanted: &'a Wanted,
}

impl Tests<'_> {
    async fn rows(&self, doing: &str, sql: String) -> Result<Vec<Vec<String>>, RedshiftError> {
        let [answer] = self.cluster.ask(Batch::new(doing, "doctor").then(sql)).await?;
        Ok(answer
            .rows
            .into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
            .collect())
    }

    /// Who logs in, and what was found about it.
    async fn login(&self) -> Result<(String, Vec<Finding>), RedshiftError> {
        let before = diagnosis::now_seconds();
        let sql = "SELECT current_user::varchar, current_database()::varchar, version()::varchar, \
                   extract(epoch FROM getdate())::bigint::varchar";
        let rows = self.rows("look at who logs in", sql.to_owned()).await?;
        let after = diagnosis::now_seconds();
        let Some([user, database, version, seconds]) = rows.first().map(Vec::as_slice) else {
            let (doing, what) = ("look at who logs in".to_owned(), "no row".to_owned());
            return Err(RedshiftError::Answer { doing, what });
        };
        // `PostgreSQL 8.0.2 on …, Redshift 1.0.12103`
        let Some((_, version)) = version.split_once("Redshift ") else {
            let finding = Finding::fail("login", format!("logs in as {user}, but this is no Redshift"))
                .hint("`kind = \"postgres\"` is for Postgres");
            return Ok((user.clone(), vec![finding]));
        };
        let mut findings =
            vec![Finding::ok("login", format!("logs in to {database} as {user}, Redshift {version}"))];
        // Of whole seconds: the server's clock may have been up to one second further.
        if let Ok(seconds) = seconds.parse::<f64>() {
            findings.push(diagnosis::clock(before - 1.0, seconds, after));
        }
        Ok((user.clone(), findings))
    }

    /// Schemas that are there must take tables; the others must be allowed to be made.
    async fn schemas(&self, user: &str) -> Result<Vec<Finding>, RedshiftError> {
        let mut names = vec![dialect::folded(&self.cluster.options.ledger_schema)];
        names.extend(self.wanted.schemas.iter().map(|name| dialect::folded(name)));
        let sql = format!(
            "SELECT n.nspname::varchar, CASE WHEN has_schema_privilege(n.nspname::varchar, 'CREATE')
                 AND has_schema_privilege(n.nspname::varchar, 'USAGE') THEN 'yes' ELSE 'no' END
             FROM pg_namespace n WHERE n.nspname IN ({})",
            list(&names)
        );
        let there = self.rows("look at the schemas", sql).await?;
        let sql =
            "SELECT CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 'yes' ELSE 'no' END,
                   current_database()::varchar";
        let may = self.rows("look at the database's privileges", sql.to_owned()).await?;
        let (may_create, database) = match may.first().map(Vec::as_slice) {
            Some([may, database]) => (may == "yes", database.clone()),
            _ => (false, String::new()),
        };
        let mut findings = Vec::new();
        for row in there.iter().filter(|row| row.get(1).is_some_and(|may| may == "no")) {
            let name = &row[0];
            findings.push(
                Finding::fail("schemas", format!("{user} may not create tables in schema {name}"))
                    .sql(format!("GRANT USAGE, CREATE ON SCHEMA {} TO {};", ident(name), named(user))),
            );
        }
        let missing: Vec<String> =
            names.iter().filter(|name| !there.iter().any(|row| row.first() == Some(name))).cloned().collect();
        if !missing.is_empty() && !may_create {
            let message =
                format!("{user} may not create schemas in {database}; not there yet: {}", missing.join(", "));
            let sql = format!("GRANT CREATE ON DATABASE {} TO {};", ident(&database), named(user));
            findings.push(Finding::fail("schemas", message).sql(sql));
        }
        if findings.is_empty() {
            findings.push(Finding::ok("schemas", format!("may create tables in {}", names.join(", "))));
        }
        Ok(findings)
    }

    /// Tables that are there already must be barncat's and the user's own: only an owner renames.
    async fn tables(&self, user: &str) -> Result<Vec<Finding>, RedshiftError> {
        let known = self.cluster.last_loads(None).await?;
        let schemas: Vec<String> = self.wanted.schemas.iter().map(|name| dialect::folded(name)).collect();
        if schemas.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT n.nspname::varchar, c.relname::varchar, pg_get_userbyid(c.relowner)::varchar
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ({}) AND c.relkind IN ('r', 'v') ORDER BY 1, 2",
            list(&schemas)
        );
        let mut findings = Vec::new();
        let mut ours = 0_usize;
        for row in self.rows("look at the owners of the tables", sql).await? {
            let [schema, name, owner] = row.as_slice() else { continue };
            let table = TableName::new(schema, name);
            if !self.wanted.tables.iter().any(|wanted| is_same(wanted, &table)) {
                continue;
            }
            ours += 1;
            if !known.iter().any(|row| is_same(&row.table, &table)) {
                let message = format!("{table} is there already, neither created nor adopted by barncat");
                let hint = format!("rename it, or give the loader another name: `as = \"{name}_loaded\"`");
                findings.push(Finding::fail("tables", message).hint(hint));
            } else if owner != user {
                let message =
                    format!("{table} belongs to {owner}, and only an owner or a superuser renames it");
                let sql = format!("ALTER TABLE {} OWNER TO {};", dialect::table(&table), named(user));
                findings.push(Finding::warn("tables", message).sql(sql));
            }
        }
        if findings.is_empty() {
            let message = match ours {
                0 => "none of the tables is there yet".to_owned(),
                1 => "may replace the table that is there".to_owned(),
                _ => format!("may replace the {ours} tables that are there"),
            };
            findings.push(Finding::ok("tables", message));
        }
        Ok(findings)
    }

    /// Whether it is to be seen what hangs on a table and would be lost by a swap.
    async fn policies(&self) -> Result<Vec<Finding>, RedshiftError> {
        let none = TableName::new("", "");
        let queries =
            attached::VIEWS.into_iter().map(|view| (view, attached::query(view, &[&none]))).collect();
        let seen = self.cluster.ask_readable("look at policies and datashares", queries).await?;
        let hidden: Vec<&str> = attached::VIEWS.into_iter().filter(|view| !seen.contains_key(view)).collect();
        Ok(vec![match hidden.as_slice() {
            [] => Finding::ok("policies", "policies and datashares of tables can be asked for"),
            hidden => Finding::warn(
                "policies",
                format!("may not read {}: a swap loses what they would tell of", hidden.join(", ")),
            )
            .hint(
                "where tables have policies or are in a datashare, set `publish = \"replace\"`, or let barncat's \
                 user read these views: a role with ACCESS SYSTEM TABLE does",
            ),
        }])
    }

    /// Whether COPY reads the stage by its role: one row goes into a temporary table.
    async fn copy(&self, stage: &SharedStage, prefix: &str) -> Result<Vec<Finding>, RedshiftError> {
        let folder = format!("{prefix}doctor/{}/", clock::new_id());
        let keys = [format!("{folder}part.csv.gz"), format!("{folder}redshift.json")];
        let copied = self.copy_of(stage, &keys).await;
        // What cannot be deleted is told by the stage's own test.
        let _ = stage.delete(&keys).await;
        let role = match self.cluster.options.copy_role.as_str() {
            "default" => "the default role",
            role => role,
        };
        Ok(vec![match copied {
            Ok(Some(1)) => Finding::ok("copy", format!("COPY reads the stage by {role}")),
            Ok(_) => Finding::fail(
                "copy",
                format!("COPY by {role} took in another number of rows than were there"),
            ),
            // The stage's own test says it better.
            Err(RedshiftError::Stage(error)) => Finding::warn("copy", format!("was not tried: {error}")),
            Err(error) => refused(role, &error),
        }])
    }

    async fn copy_of(&self, stage: &SharedStage, keys: &[String; 2]) -> Result<Option<u64>, RedshiftError> {
        use std::io::Write as _;
        let mut part = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let written = part.write_all(b"1\n").and_then(|()| part.finish());
        let [part_key, manifest_key] = keys;
        let part = written.map_err(|source| StageError::Codec { key: part_key.clone(), source })?;
        let url = |key: &str| format!("{}/{key}", stage.url().trim_end_matches('/'));
        let entry = serde_json::json!({"url": url(part_key), "mandatory": true, "meta": {"content_length": part.len()}});
        let manifest = serde_json::json!({"entries": [entry]}).to_string();
        for (key, content) in [(part_key, part), (manifest_key, manifest.into_bytes())] {
            let mut upload = stage.put(key).await?;
            upload.write(content.into()).await?;
            upload.finish().await?;
        }
        let copy = dialect::copy(&dialect::Copy {
            into: ident(PROBE),
            columns: &["n".to_owned()],
            manifest: &url(manifest_key),
            compression: Compression::Gzip,
            null: "@NULL@",
            role: &self.cluster.options.copy_role,
            region: self.cluster.options.stage_region.as_deref(),
        });
        let batch = Batch::new("copy a probe from the stage", "doctor")
            .then(format!("CREATE TEMP TABLE {} (n integer)", ident(PROBE)))
            .then(copy)
            .then("SELECT pg_last_copy_count()::varchar")
            .then(format!("DROP TABLE {}", ident(PROBE)));
        let [_, _, count, _] = self.cluster.ask(batch).await?;
        Ok(count.number())
    }
}

fn refused(role: &str, error: &RedshiftError) -> Finding {
    let finding = Finding::error("copy", error);
    match error.hint() {
        Some(_) => finding,
        None => finding.hint(format!(
            "{role} must be associated with the cluster or the namespace and may read the stage: \
             `barncat doctor --roles` prints its policy"
        )),
    }
}

/// A user's name in a GRANT: those that IAM makes have a colon, and capital letters that count.
fn named(user: &str) -> String {
    crate::sql::quote_ident(user)
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
}

fn is_same(one: &TableName, other: &TableName) -> bool {
    dialect::table(one) == dialect::table(other)
}
