//! As whom a session is opened: as the endpoint says, or with a login that AWS gives for a while.

use super::{super::RedshiftError, Session};
use crate::{
    aws::RedshiftLogins,
    pg::{Endpoint, PgError},
};

/// Where the server is, and who logs in.
pub(in super::super) struct Login {
    pub(in super::super) endpoint: Endpoint,
    /// Who says as whom, where the endpoint does not.
    pub(in super::super) logins: Option<RedshiftLogins>,
}

impl Login {
    pub(super) fn place(&self) -> String {
        self.endpoint.place()
    }

    /// Opens a session. A login that the server refuses, such as that of a user that was made anew, is asked
    /// for once more.
    pub(super) async fn open(&self) -> Result<Session, RedshiftError> {
        let Some(logins) = &self.logins else { return Ok(Session::open(&self.endpoint).await?) };
        let login = logins.current().await?;
        match Session::open(&self.endpoint.with_login(&login.user, &login.password)).await {
            Err(PgError::Login { source, .. }) if source.code.code().starts_with("28") => {
                logins.forget(&login).await;
                let login = logins.current().await?;
                Ok(Session::open(&self.endpoint.with_login(&login.user, &login.password)).await?)
            }
            opened => Ok(opened?),
        }
    }
}
