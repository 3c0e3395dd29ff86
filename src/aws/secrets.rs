//! Passwords that lie in Secrets Manager (`password_secret`), read by GetSecretValue at each login.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

use super::{
    Access, AwsError,
    call::{Caller, Form, Said},
};
use crate::secret::{self, Secret};

/// For how long what was read serves the logins that follow: a run opens many connections at once, and each
/// reading is paid for. One that the server refuses is forgotten.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// A password, and whose it is.
#[derive(Debug, Clone)]
pub struct SecretLogin {
    /// The role, where the secret names one.
    pub user: Option<String>,
    /// Its password.
    pub password: Secret,
}

/// One secret.
pub struct SecretPassword {
    id: String,
    access: Access,
    caller: OnceCell<Caller>,
    current: Mutex<Option<(SecretLogin, Instant)>>,
}

/// As RDS and Secrets Manager write it.
#[derive(Deserialize)]
struct Written {
    username: Option<String>,
    password: String,
}

impl SecretPassword {
    /// A secret by its ARN or name; reads nothing yet. An ARN says its region, which may be another than `access`'.
    pub fn new(id: &str, mut access: Access) -> Self {
        access.region = region_of(id).map(str::to_owned).or(access.region);
        Self { id: id.to_owned(), access, caller: OnceCell::new(), current: Mutex::default() }
    }

    /// What it holds now, or held a moment ago.
    pub async fn current(&self) -> Result<SecretLogin, AwsError> {
        // Held while it is read: others that need it wait for this.
        let mut current = self.current.lock().await;
        if let Some((login, read_at)) = current.as_ref()
            && read_at.elapsed() < GOOD_FOR
        {
            return Ok(login.clone());
        }
        let caller = self.caller.get_or_init(|| Caller::new("secretsmanager", &self.access)).await;
        let form = Form {
            content_type: "application/x-amz-json-1.1",
            target: Some("secretsmanager.GetSecretValue"),
            body: json!({"SecretId": self.id}).to_string(),
        };
        let read_at = Instant::now();
        let login = read(&caller.call(&form).await?)
            .map_err(|what| caller.wrong(&format!("for {} has {what}", self.id)))?;
        secret::remember(login.password.expose());
        Ok(current.insert((login, read_at)).0.clone())
    }

    /// Says that a password was refused: the next time the secret is read.
    pub async fn forget(&self, refused: &Secret) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|(login, _)| login.password.expose() == refused.expose()) {
            *current = None;
        }
    }
}

/// RDS' JSON, or the password alone. Errors never repeat it.
fn read(said: &Said) -> Result<SecretLogin, &'static str> {
    let text = said.text("SecretString").ok_or("no text: the secret is binary")?;
    let (user, password) = if text.trim_start().starts_with('{') {
        let Written { username, password } =
            serde_json::from_str(&text).map_err(|_| "JSON without a `password`")?;
        (username.filter(|user| !user.is_empty()), password)
    } else {
        (None, text.trim_end_matches(['\r', '\n']).to_owned())
    };
    match password.is_empty() {
        true => Err("an empty password"),
        false => Ok(SecretLogin { user, password: Secret::new(password) }),
    }
}

/// `arn:aws:secretsmanager:eu-west-1:111122223333:secret:etl-AbCdEf`
fn region_of(id: &str) -> Option<&str> {
    let mut parts = id.split(':');
    let is_arn = parts.next() == Some("arn") && parts.nth(1) == Some("secretsmanager");
    parts.next().filter(|region| is_arn && !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<(Option<String>, String), &'static str> {
        let said = Said::of([("SecretString", text)]);
        read(&said).map(|login| (login.user, login.password.expose().to_owned()))
    }

    #[test]
    fn both_forms_of_a_secret_are_read() {
        let user = |name: &str| Some(name.to_owned());
        let rds = r#"{"username": "etl", "password": "p\"w", "engine": "postgres", "port": 5432}"#;
        assert_eq!(read_text(rds), Ok((user("etl"), "p\"w".to_owned())));
        assert_eq!(read_text("{\"password\": \"p\"}"), Ok((None, "p".to_owned())));
        assert_eq!(read_text("open sesame\n"), Ok((None, "open sesame".to_owned())));
    }

    #[test]
    fn what_is_no_password_is_said_without_being_shown() {
        assert_eq!(read_text("{\"pass\": \"hunter2\"}"), Err("JSON without a `password`"));
        assert_eq!(read_text("{\"password\": 7}"), Err("JSON without a `password`"));
        assert_eq!(read_text("\n"), Err("an empty password"));
        assert_eq!(read(&Said::of([("Name", "etl")])).err(), Some("no text: the secret is binary"));
    }

    #[test]
    fn an_arn_has_its_region() {
        assert_eq!(region_of("arn:aws:secretsmanager:eu-west-1:1:secret:etl-AbCdEf"), Some("eu-west-1"));
        assert_eq!(region_of("etl/shop"), None);
        assert_eq!(region_of("arn:aws:ssm:eu-west-1:1:parameter/x"), None);
    }
}
