//! The SQL that makes the least-privilege roles: the scripts of `sql/roles/`, which demo and tests
//! run too, with psql's variables filled in.

use std::collections::BTreeSet;

use serde::Serialize;

use super::policies::{Policy, policies};
use crate::{
    config::{Environment, LoginWay, Project, SourceConfig, WarehouseKind, WarehousePlace},
    pg::Endpoint,
    run::{
        Mode,
        reach::{self, WarehouseEndpoint},
    },
    sql::{quote_ident, quote_literal},
};

/// Reads a source.
const SOURCE: &str = include_str!("../../../sql/roles/source.sql");
/// Fills the warehouse.
const WAREHOUSE: &str = include_str!("../../../sql/roles/warehouse.sql");
/// Fills Redshift.
const REDSHIFT: &str = include_str!("../../../sql/roles/redshift.sql");
/// Keeps the control database.
const CONTROL: &str = include_str!("../../../sql/roles/control.sql");

/// Lets a role log in by tokens of IAM. The role is made by RDS, where that is turned on for the server.
const IAM: &str = "
-- auth = \"iam\": tokens stand for its password, which is refused from now on. RDS alone has this role.
GRANT rds_iam TO :\"role\";
";

/// What `doctor --roles` prints.
#[derive(Debug, Serialize)]
pub(super) struct Scripts {
    roles: Vec<Script>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<Policy>,
}

/// The SQL for one role.
#[derive(Debug, Serialize)]
struct Script {
    /// `source shop`, `warehouse`, `control database`.
    part: String,
    /// The schema that may be read, of a source.
    schema: Option<String>,
    /// For psql.
    sql: String,
}

/// The scripts that a project needs, with everything filled in that it says. A variable that is not
/// set is no error here: the roles come before the urls.
pub(super) fn scripts(project: &Project, environment: &Environment) -> Scripts {
    let mut roles: Vec<Script> =
        project.sources.values().flat_map(|config| of_source(project, environment, config)).collect();
    let endpoint = match reach::warehouse_endpoint(project, environment) {
        Ok(WarehouseEndpoint::Postgres(endpoint)) => Some(endpoint),
        // Who logs in to Redshift is mostly decided by IAM.
        _ => None,
    };
    let text = match project.warehouse.place.kind() {
        WarehouseKind::Postgres => WAREHOUSE,
        WarehouseKind::Redshift => REDSHIFT,
    };
    let way = match &project.warehouse.place {
        WarehousePlace::Postgres { login, .. } => &login.way,
        WarehousePlace::Redshift(_) => &LoginWay::Url,
    };
    roles.push(script(("warehouse", way), text, None, endpoint.as_ref(), &[], &[]));
    let control = project.control.url.as_ref();
    // One that resolves to nothing is in the warehouse, whose role makes it.
    if control.is_some_and(|url| url.resolve(environment).map_or(true, |url| !url.expose().is_empty())) {
        let endpoint = reach::control_endpoint(project, environment).ok();
        let [schema, test_schema] = [Mode::Production, Mode::Test].map(reach::control_schema);
        let schemas = [("schema", schema.as_str()), ("test_schema", &test_schema)];
        let whose = ("control database", &project.control.login.way);
        roles.push(script(whose, CONTROL, None, endpoint.as_ref(), &schemas, &[]));
    }
    Scripts { roles, policies: policies(project, environment) }
}

/// One for each schema that is read.
fn of_source(project: &Project, environment: &Environment, config: &SourceConfig) -> Vec<Script> {
    // A service has no roles.
    let Some(replica) = config.replica() else { return Vec::new() };
    let endpoint = reach::replica_endpoint(project, environment, replica).ok();
    let part = format!("source {}", config.name);
    let loaders = project.loaders.iter().filter(|loader| loader.source == config.name);
    let schemas: BTreeSet<&str> = loaders.map(|loader| loader.schema.as_str()).collect();
    let one = |schema: &str| {
        let whose = (part.as_str(), &replica.login.way);
        script(whose, SOURCE, Some(schema), endpoint.as_ref(), &[("schema", schema)], &["owner"])
    };
    schemas.into_iter().map(one).collect()
}

fn script(
    (part, way): (&str, &LoginWay),
    text: &str,
    schema: Option<&str>,
    endpoint: Option<&Endpoint>,
    known: &[(&str, &str)],
    unknown: &[&str],
) -> Script {
    let (mut known, mut unknown) = (known.to_vec(), unknown.to_vec());
    match endpoint.and_then(|endpoint| Some((endpoint.user()?, endpoint.database()))) {
        Some((role, database)) => known.extend([("role", role), ("database", database)]),
        None => unknown.extend(["role", "database"]),
    }
    let by_iam = if matches!(way, LoginWay::Iam(_)) { IAM } else { "" };
    let sql = fill(&format!("{text}{by_iam}"), &known, &unknown);
    Script { part: part.to_owned(), schema: schema.map(str::to_owned), sql }
}

impl Scripts {
    /// For psql and for people.
    pub(super) fn text(&self) -> String {
        let texts = self.roles.iter().map(|script| {
            let schema = script.schema.iter().map(|schema| format!(", schema {schema}"));
            // A line break in a name would end the comment, and what follows it be run by a superuser.
            let head =
                format!("{}{}", script.part, schema.collect::<String>()).replace(char::is_control, " ");
            format!("-- {head}\n--\n{}", script.sql)
        });
        let policies = self.policies.iter().map(Policy::text);
        texts.chain(policies).collect::<Vec<_>>().join("\n")
    }
}

/// A script with its variables' values: `:"role"` becomes a quoted name, `:'role'` a literal. What
/// is not known stays a variable of psql, with a line at the top to set it in.
fn fill(script: &str, values: &[(&str, &str)], unknown: &[&str]) -> String {
    let mut text = String::new();
    for name in unknown {
        text.push_str(&format!("\\set {name} CHANGE_ME\n"));
    }
    // What explains the variables is of no use once they are filled in.
    let mut last = "--";
    for line in script.lines().filter(|line| !line.starts_with("-- :")) {
        if (last, line) != ("--", "--") {
            text.push_str(line);
            text.push('\n');
        }
        last = line;
    }
    put_in(&text, values)
}

/// All variables in one pass: a value may look like a variable itself.
fn put_in(text: &str, values: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(':') {
        filled.push_str(before);
        let value = values.iter().find_map(|(name, value)| {
            let of = |quote: &str| after.strip_prefix(quote)?.strip_prefix(name)?.strip_prefix(quote);
            let name = of("\"").map(|after| (quote_ident(value), after));
            name.or_else(|| of("'").map(|after| (quote_literal(value), after)))
        });
        match value {
            Some((value, after)) => {
                filled.push_str(&value);
                rest = after;
            }
            None => {
                filled.push(':');
                rest = after;
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_are_quoted() {
        let sql =
            fill("GRANT x TO :\"role\"; SELECT :'role';\n-- :role  the role\n", &[("role", "o'b\"c")], &[]);
        assert_eq!(sql, "GRANT x TO \"o'b\"\"c\"; SELECT 'o''b\"c';\n");
    }

    /// Whoever runs a script is a superuser, and whoever wrote the project need not be.
    #[test]
    fn no_name_becomes_sql() {
        let hostile = "x\"; ALTER ROLE me SUPERUSER; --\n\\! id\nALTER ROLE me SUPERUSER; --";
        let sql =
            fill("GRANT a TO :\"role\" ON :'schema';", &[("role", ":'schema'"), ("schema", hostile)], &[]);
        let (name, literal) = (quote_ident(":'schema'"), quote_literal(hostile));
        assert_eq!(sql, format!("GRANT a TO {name} ON {literal};\n"));
        let script = |schema: &str| Script {
            part: format!("source {schema}"),
            schema: Some(schema.to_owned()),
            sql: "SELECT 1;\n".to_owned(),
        };
        let text = Scripts { roles: vec![script(hostile)], policies: Vec::new() }.text();
        let run: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
        assert_eq!(run, ["SELECT 1;"], "{text}");
    }

    #[test]
    fn no_variable_is_left_when_all_are_known() {
        let values = [
            ("role", "r"),
            ("database", "d"),
            ("schema", "s"),
            ("test_schema", "t"),
            ("owner", "o"),
            ("control", "c"),
        ];
        for script in [SOURCE, WAREHOUSE, REDSHIFT, CONTROL] {
            let sql = fill(script, &values, &[]);
            let statements = sql.lines().filter(|line| !line.starts_with("--"));
            for line in statements {
                assert!(!line.contains(":\"") && !line.contains(":'"), "{line}");
            }
        }
    }
}
