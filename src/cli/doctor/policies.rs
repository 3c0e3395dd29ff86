//! The IAM policies that Redshift and logins by AWS need, as `doctor --roles` prints them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    aws,
    config::{
        Environment, LoginConfig, LoginWay, Project, RedshiftConfig, RedshiftPlace, RedshiftTarget,
        RedshiftWay, SourceConfig, Template, WarehousePlace,
    },
    pg::{TlsSettings, Url},
    warehouse::redshift::{PolicyLogin, PolicyWay, copy_policy, copy_trust, runner_policy},
};

/// One policy.
#[derive(Debug, Serialize)]
pub(super) struct Policy {
    /// Whose it is.
    part: &'static str,
    policy: Value,
}

/// Whose most of them are.
const RUNNER: &str = "IAM policy of whoever runs barncat";

/// Those that a project needs; none where nothing is asked of AWS but the stage.
pub(super) fn policies(project: &Project, environment: &Environment) -> Vec<Policy> {
    let stage = match project.stage.url.resolve(environment) {
        Ok(url) => url.expose().to_owned(),
        Err(_) => "s3://<the bucket>/<the stage>".to_owned(),
    };
    let logins = login_statements(project, environment);
    match &project.warehouse.place {
        WarehousePlace::Postgres { .. } if logins.is_empty() => Vec::new(),
        WarehousePlace::Postgres { .. } if !stage.starts_with("s3://") => {
            vec![Policy { part: RUNNER, policy: json!({"Version": "2012-10-17", "Statement": logins}) }]
        }
        WarehousePlace::Postgres { .. } => {
            vec![Policy { part: RUNNER, policy: runner_policy(&PolicyWay::Password, &stage, logins) }]
        }
        WarehousePlace::Redshift(config) => vec![
            Policy { part: RUNNER, policy: runner_policy(&way(config, environment), &stage, logins) },
            Policy {
                part: "IAM policy of the role by which COPY reads the stage",
                policy: copy_policy(&stage),
            },
            Policy { part: "who may take that role on", policy: copy_trust() },
        ],
    }
}

fn way(config: &RedshiftConfig, environment: &Environment) -> PolicyWay {
    match &config.way {
        RedshiftWay::DataApi { place, secret } => {
            let secret = secret.as_ref().map(|secret| match secret.resolve(environment) {
                Ok(arn) => arn.expose().to_owned(),
                Err(_) => "<the secret's ARN>".to_owned(),
            });
            PolicyWay::DataApi { secret: secret.filter(|arn| !arn.is_empty()), login: login(place) }
        }
        RedshiftWay::Host { place, .. } => PolicyWay::Logins(login(place)),
        RedshiftWay::Url { .. } => PolicyWay::Password,
    }
}

/// What `auth = "iam"` and `password_secret` need, each once.
fn login_statements(project: &Project, environment: &Environment) -> Vec<Value> {
    let replicas = project.sources.values().filter_map(SourceConfig::replica);
    let sources = replicas.map(|replica| (&replica.url, &replica.login));
    let warehouse = match &project.warehouse.place {
        WarehousePlace::Postgres { url, login, .. } => Some((url, login.as_ref())),
        WarehousePlace::Redshift(config) => match &config.way {
            RedshiftWay::Url { url, login, .. } => Some((url, login)),
            _ => None,
        },
    };
    let control = project.control.url.as_ref().map(|url| (url, &project.control.login));
    let mut statements: Vec<Value> = Vec::new();
    for (url, login) in sources.chain(warehouse).chain(control) {
        let (action, resource) = match &login.way {
            LoginWay::Url => continue,
            LoginWay::Iam(_) => ("rds-db:connect", user_arn(url, login, environment)),
            LoginWay::Secret(secret) => ("secretsmanager:GetSecretValue", secret_arn(secret, environment)),
        };
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": resource});
        if !resource.is_empty() && !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    statements
}

/// A user of a database, as IAM names it. The server's own number is in RDS' console alone.
fn user_arn(url: &Template, login: &LoginConfig, environment: &Environment) -> String {
    let url = url.resolve(environment).ok();
    let url = url.and_then(|url| Url::read(&url, &TlsSettings::default(), 5432).ok());
    let (host, user) = match &url {
        Some(url) => (url.host(), url.user().unwrap_or("<user>")),
        None => ("<the server>", "<user>"),
    };
    let region = login.region.as_deref().or(aws::rds_region_of(host)).unwrap_or("<region>");
    format!("arn:aws:rds-db:{region}:<account>:dbuser:<resource id of {host}>/{user}")
}

/// A secret, as IAM names it: by its name with six characters that are known only once it is made.
fn secret_arn(secret: &Template, environment: &Environment) -> String {
    match secret.resolve(environment) {
        Err(_) => "<the secret's ARN>".to_owned(),
        Ok(id) if id.expose().is_empty() || id.expose().starts_with("arn:") => id.expose().to_owned(),
        Ok(name) => format!("arn:aws:secretsmanager:<region>:<account>:secret:{}-??????", name.expose()),
    }
}

fn login(place: &RedshiftPlace) -> PolicyLogin {
    match &place.target {
        RedshiftTarget::Workgroup { .. } => PolicyLogin::Workgroup,
        RedshiftTarget::Cluster { user: Some(_), .. } => PolicyLogin::ClusterUser,
        RedshiftTarget::Cluster { user: None, .. } => PolicyLogin::Cluster,
    }
}

impl Policy {
    /// For people, and a comment for psql.
    pub(super) fn text(&self) -> String {
        // A `*/` in a value would end the comment; in JSON this is the same text.
        let policy = format!("{:#}", self.policy).replace("*/", "*\\/");
        format!("-- {}\n/*\n{policy}\n*/\n", self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_the_comment() {
        let hostile = "s3://bucket/*/ALTER ROLE me SUPERUSER; /*";
        let policy = Policy { part: RUNNER, policy: json!({ "Resource": hostile }) };
        let text = policy.text();
        assert_eq!(text.matches("*/").count(), 1, "{text}");
        let (_, json) = text.split_once("/*").expect("a comment");
        let read: Value =
            serde_json::from_str(json.trim_end().trim_end_matches("*/")).expect("the same JSON");
        assert_eq!(read["Resource"], hostile);
    }
}
