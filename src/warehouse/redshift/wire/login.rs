//! As whom a session is opened: with a password of its own, or with credentials for a while.

use super::{super::RedshiftError, Session};
use crate::{
    aws::RedshiftLogins,
    pg::{Endpoint, PgError},
};

/// Where the server is, and who logs in.
pub(in super::super) enum Login {
    /// Always the same.
    Fixed(Endpoint),
    /// Whom AWS says.
    Temporary {
        /// The server.
        endpoint: Endpoint,
        /// Who gives the credentials.
        logins: RedshiftLogins,
    },
}

impl Login {
    pub(super) fn place(&self) -> String {
        let (Self::Fixed(endpoint) | Self::Temporary { endpoint, .. }) = self;
        endpoint.place()
    }

    /// Opens a session. Credentials that the server refuses, such as those of a user that was made anew, are
    /// asked for once more.
    pub(super) async fn open(&self) -> Result<Session, RedshiftError> {
        let (endpoint, logins) = match self {
            Self::Fixed(endpoint) => return Ok(Session::open(endpoint).await?),
            Self::Temporary { endpoint, logins } => (endpoint, logins),
        };
        let login = logins.current().await?;
        match Session::open(&endpoint.with_login(&login.user, &login.password)).await {
            Err(PgError::Login { source, .. }) if source.code.code().starts_with("28") => {
                logins.forget(&login).await;
                let login = logins.current().await?;
                Ok(Session::open(&endpoint.with_login(&login.user, &login.password)).await?)
            }
            opened => Ok(opened?),
        }
    }
}
