//! As whom servers are logged in to, where AWS says it: what the project's text says of it, and what is made of a
//! refusal.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::RunError;
use crate::{
    aws::{Access, AwsError, Patience, RdsTokens, RedshiftLogins, SecretPassword},
    config::{Environment, LoginConfig, LoginWay},
    error::Class,
    pg::{Endpoint, Login, LoginError, Logins, Refusal},
};

/// How long a login may be waited for: a connection is waited for as long.
fn patience() -> Patience {
    let seconds = Duration::from_secs;
    Patience {
        connect: seconds(5),
        answer: seconds(10),
        attempt: seconds(10),
        attempts: 3,
        ..Patience::default()
    }
}

/// The endpoint, logged in to as the project says.
pub(super) fn with_login(
    endpoint: Endpoint,
    config: &LoginConfig,
    environment: &Environment,
) -> Result<Endpoint, RunError> {
    let other = config.endpoint.as_ref().map(|endpoint| endpoint.resolve(environment)).transpose()?;
    let other = other.map(|endpoint| endpoint.expose().to_owned()).filter(|endpoint| !endpoint.is_empty());
    let access = Access { endpoint: other, region: config.region.clone(), patience: patience() };
    let logins: Arc<dyn Logins> = match &config.way {
        LoginWay::Url => return Ok(endpoint),
        LoginWay::Secret(secret) => match secret.resolve(environment)?.expose() {
            "" => return Ok(endpoint),
            id => Arc::new(SecretPassword::new(id, access)),
        },
        LoginWay::Iam(_) => {
            Arc::new(RdsTokens::new(endpoint.host(), endpoint.user().unwrap_or_default(), access))
        }
    };
    Ok(endpoint.with_logins(logins))
}

fn boxed(error: AwsError) -> LoginError {
    Box::new(error)
}

/// What stays good for a while is asked for once more where it is refused; then that is the answer.
const AT_ONCE: &[Duration] = &[Duration::ZERO];

/// Rotations change the password in the database first, and in the secret some seconds later.
const WHILE_A_ROTATION_LASTS: &[Duration] =
    &[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

#[async_trait]
impl Logins for SecretPassword {
    async fn login(&self) -> Result<Login, LoginError> {
        let login = self.current().await.map_err(boxed)?;
        Ok(Login { user: login.user, password: login.password })
    }

    async fn forget(&self, refused: &Login) {
        SecretPassword::forget(self, &refused.password).await;
    }

    fn refusal(&self) -> Refusal {
        Refusal {
            waits: WHILE_A_ROTATION_LASTS,
            // One that takes longer ends all the same.
            class: Class::Passing,
            hint: "is the secret of `password_secret` the one of this server's user? After a rotation both have the same password",
        }
    }
}

#[async_trait]
impl Logins for RdsTokens {
    async fn login(&self) -> Result<Login, LoginError> {
        Ok(Login { user: None, password: self.make().await.map_err(boxed)? })
    }

    async fn forget(&self, _: &Login) {
        RdsTokens::forget(self).await;
    }

    fn refusal(&self) -> Refusal {
        Refusal {
            waits: AT_ONCE,
            class: Class::Lasting,
            hint: "`auth = \"iam\"` needs IAM authentication turned on for the server, GRANT rds_iam TO the role, and \
                   rds-db:connect in the policy of whoever runs barncat (`barncat doctor --roles` prints both)",
        }
    }
}

#[async_trait]
impl Logins for RedshiftLogins {
    async fn login(&self) -> Result<Login, LoginError> {
        let login = self.current().await.map_err(boxed)?;
        Ok(Login { user: Some(login.user), password: login.password })
    }

    async fn forget(&self, refused: &Login) {
        RedshiftLogins::forget(self, &refused.password).await;
    }

    fn refusal(&self) -> Refusal {
        Refusal {
            waits: AT_ONCE,
            class: Class::Lasting,
            hint: "does the user that IAM names exist, and may it connect to this database?",
        }
    }
}
