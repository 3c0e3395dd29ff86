//! Who may log in by wire: one user for good, and those that a call of AWS gave for a while (§7, §8).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

/// The user for good.
pub(crate) const USER: &str = "double";

/// A user and a password.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// The name to log in by: `IAM:etl` for a temporary one.
    pub(crate) user: String,
    pub(crate) password: String,
    /// The role in Postgres; `None`: the double's own.
    pub(crate) role: Option<String>,
    ends: Option<Instant>,
}

/// All of them.
pub(crate) struct Logins(Mutex<Vec<Login>>);

impl Logins {
    pub(crate) fn new() -> Self {
        let password = Uuid::new_v4().simple().to_string();
        let user = Login { user: USER.to_owned(), password, role: None, ends: None };
        Self(Mutex::new(vec![user]))
    }

    fn all(&self) -> MutexGuard<'_, Vec<Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The password for good.
    pub(crate) fn password(&self) -> String {
        self.all()[0].password.clone()
    }

    /// Makes a login for a while. One that was given before stays good until its own end.
    pub(crate) fn give(&self, user: &str, role: Option<String>, valid: Duration) -> Login {
        let password = Uuid::new_v4().simple().to_string();
        let login = Login { user: user.to_owned(), password, role, ends: Some(Instant::now() + valid) };
        self.all().push(login.clone());
        login
    }

    /// Ends all logins for a while. Sessions go on: only logging in needs a password.
    pub(crate) fn end(&self) {
        self.all().retain(|login| login.ends.is_none());
    }

    /// The login by which this user gives the right answer.
    pub(crate) fn find(&self, user: &str, is_right: impl Fn(&Login) -> bool) -> Option<Login> {
        let now = Instant::now();
        let all = self.all();
        let mut good =
            all.iter().filter(|login| login.user == user && login.ends.is_none_or(|ends| ends > now));
        good.find(|login| is_right(login)).cloned()
    }
}
