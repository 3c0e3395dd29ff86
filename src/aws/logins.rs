//! Logins for Redshift that AWS gives for a while: a user of the database and a password.
//!
//! Of two services and three calls: GetClusterCredentials and GetClusterCredentialsWithIAM of a provisioned
//! cluster, GetCredentials of a serverless workgroup. The services' own clients would take longer to compile
//! than all the rest of this crate, for one call each.

use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    Access,
    call::{AwsError, Caller, Form, Said},
};
use crate::{
    clock::{Clock, System},
    secret::Secret,
};

/// For how long a login is asked for: the longest that there is. A session outlives it.
const VALID_SECONDS: u32 = 3600;

/// A login that ends so soon is not used any more.
const LEFT_AT_LEAST: SignedDuration = SignedDuration::from_secs(120);

/// Whose logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginTarget {
    /// A provisioned cluster's.
    Cluster {
        /// Its identifier.
        cluster: String,
        /// The database's user; else whom IAM maps to.
        user: Option<String>,
    },
    /// A serverless workgroup's.
    Workgroup {
        /// Its name.
        workgroup: String,
    },
}

/// A user and a password for a while.
#[derive(Debug, Clone)]
pub struct TemporaryLogin {
    /// The database's user.
    pub user: String,
    /// Its password.
    pub password: Secret,
    expires_at: Timestamp,
}

/// Asks for logins, and keeps each until it is about to end.
pub struct RedshiftLogins {
    caller: Caller,
    target: LoginTarget,
    database: String,
    current: Mutex<Option<TemporaryLogin>>,
}

impl RedshiftLogins {
    /// Connects to nothing yet.
    pub async fn new(target: LoginTarget, database: String, access: &Access) -> Self {
        let service = match &target {
            LoginTarget::Cluster { .. } => "redshift",
            LoginTarget::Workgroup { .. } => "redshift-serverless",
        };
        Self { caller: Caller::new(service, access).await, target, database, current: Mutex::default() }
    }

    /// A login that is good for a while still.
    pub async fn current(&self) -> Result<TemporaryLogin, AwsError> {
        // Held while it is asked: others that need one wait for this one.
        let mut current = self.current.lock().await;
        if let Some(login) = current.as_ref().filter(|login| !ends_soon(login)) {
            return Ok(login.clone());
        }
        let said = self.caller.call(&self.form()).await?;
        let login = self.read(&said)?;
        Ok(current.insert(login).clone())
    }

    /// Says that a login was refused: the next one is asked for anew.
    pub async fn forget(&self, refused: &Secret) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|login| login.password.expose() == refused.expose()) {
            *current = None;
        }
    }

    fn form(&self) -> Form {
        let database = &self.database;
        let query = |action: &str, more: &[(&str, &str)]| {
            let mut body = format!("Action={action}&Version=2012-12-01&DurationSeconds={VALID_SECONDS}");
            for (name, value) in more {
                body.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
            }
            Form { content_type: "application/x-www-form-urlencoded", target: None, body }
        };
        match &self.target {
            LoginTarget::Cluster { cluster, user: Some(user) } => query(
                "GetClusterCredentials",
                &[("ClusterIdentifier", cluster), ("DbName", database), ("DbUser", user)],
            ),
            LoginTarget::Cluster { cluster, user: None } => {
                query("GetClusterCredentialsWithIAM", &[("ClusterIdentifier", cluster), ("DbName", database)])
            }
            LoginTarget::Workgroup { workgroup } => Form {
                content_type: "application/x-amz-json-1.1",
                target: Some("RedshiftServerless.GetCredentials"),
                body:
                    json!({"workgroupName": workgroup, "dbName": database, "durationSeconds": VALID_SECONDS})
                        .to_string(),
            },
        }
    }

    fn read(&self, said: &Said) -> Result<TemporaryLogin, AwsError> {
        let names = match self.target {
            LoginTarget::Cluster { .. } => ["DbUser", "DbPassword", "Expiration"],
            LoginTarget::Workgroup { .. } => ["dbUser", "dbPassword", "expiration"],
        };
        let [user, password, expires] = names.map(|name| said.text(name).ok_or(name));
        let wrong = |name: &str| self.caller.wrong(&format!("has no {name} that can be read"));
        let (user, password) = (user.map_err(wrong)?, password.map_err(wrong)?);
        let expires_at = moment(&expires.map_err(wrong)?).ok_or_else(|| wrong(names[2]))?;
        Ok(TemporaryLogin { user, password: Secret::new(password), expires_at })
    }
}

fn ends_soon(login: &TemporaryLogin) -> bool {
    login.expires_at.duration_since(System.now()) < LEFT_AT_LEAST
}

/// RFC 3339 in XML, seconds since 1970 with or without a fraction in JSON.
fn moment(text: &str) -> Option<Timestamp> {
    let seconds =
        || text.split('.').next()?.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    text.parse().ok().or_else(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_login_is_read_in_both_forms() {
        let expected = Some("2024-06-01T12:00:00Z".parse().expect("a time"));
        for text in ["2024-06-01T12:00:00Z", "2024-06-01T12:00:00.000Z", "1717243200", "1717243200.0"] {
            assert_eq!(moment(text), expected, "{text}");
        }
        assert_eq!(moment("tomorrow"), None);
    }
}
