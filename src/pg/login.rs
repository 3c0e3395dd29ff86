//! As whom a connection logs in, where the url does not say: asked at each login, so that what changes at
//! night is right in the morning.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    error::{Class, Fault},
    secret::Secret,
};

/// A user and a password.
#[derive(Debug, Clone)]
pub struct Login {
    /// Default: the url's.
    pub user: Option<String>,
    /// Its password.
    pub password: Secret,
}

impl Login {
    /// Whether it would be answered as the other one was.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.user == other.user && self.password.expose() == other.password.expose()
    }
}

/// Why there is none.
pub type LoginError = Box<dyn Fault + Send + Sync>;

/// Where logins come from. Asked by any number of tasks at once.
#[async_trait]
pub trait Logins: Send + Sync {
    /// One that should be good now.
    async fn login(&self) -> Result<Login, LoginError>;

    /// Says that the server refused one: the next is made or fetched anew.
    async fn forget(&self, refused: &Login);

    /// What is made of a refusal.
    fn refusal(&self) -> Refusal;
}

/// What is made of a login that the server refused.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// After each of these waits another login is looked for; with one that differs it is tried again.
    pub waits: &'static [Duration],
    /// Whether it may pass by itself.
    pub class: Class,
    /// What a person can do about it.
    pub hint: &'static str,
}
