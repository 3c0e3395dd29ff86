//! How a service is: what it waits for, whether its loop goes on. For `/healthz` and `/readyz`, and logged where it
//! changes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::Instant;

/// A loop that did nothing for so long is stuck.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(90);

/// How a service is.
pub(crate) struct Health(Mutex<Inner>);

struct Inner {
    progress_at: Instant,
    panics: u64,
    role: Role,
    /// What is waited for, by what it is: `the control database`, `source shop`.
    waits: BTreeMap<String, Wait>,
    /// Why the project that is there was not taken.
    refused: Option<String>,
}

/// What is waited for.
struct Wait {
    why: String,
    said_at: Instant,
}

/// Reasons that take turns are not said more often.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What a service is among those of its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// It has not come that far.
    Starting,
    /// It runs the schedules.
    Leader,
    /// Another one does.
    Standby,
    /// It was told to stop.
    Stopping,
}

/// What `/healthz` says.
#[derive(Debug, Serialize)]
pub(super) struct Alive {
    status: &'static str,
    /// Since the loop last went round.
    progress_seconds: u64,
    /// How often something in the loop went wrong that never should.
    panics: u64,
}

/// What `/readyz` says.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    pub(super) ready: bool,
    role: Role,
    /// What is waited for, and why.
    waits: BTreeMap<String, String>,
    /// Why the project's files were not taken when they were read again; those before go on.
    refused_project: Option<String>,
    version: &'static str,
}

impl Default for Health {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            progress_at: Instant::now(),
            panics: 0,
            role: Role::Starting,
            waits: BTreeMap::new(),
            refused: None,
        }))
    }
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop has gone round.
    pub(super) fn progress(&self) {
        self.lock().progress_at = Instant::now();
    }

    /// Something in the loop panicked.
    pub(super) fn panicked(&self) {
        self.lock().panics += 1;
    }

    /// What the service is now; said where it changes.
    pub(super) fn is_now(&self, role: Role) {
        let mut inner = self.lock();
        // Who was told to stop leads no more.
        if inner.role == role || inner.role == Role::Stopping {
            return;
        }
        inner.role = role;
        drop(inner);
        match role {
            Role::Leader => tracing::info!("this service leads: it runs the schedules"),
            Role::Standby => tracing::info!("another service leads; this one stands by"),
            Role::Starting | Role::Stopping => {}
        }
    }

    /// What the service is now.
    pub(super) fn role(&self) -> Role {
        self.lock().role
    }

    /// Something is waited for; said when it begins, and where the reason is another one after a while.
    pub(super) fn waits_for(&self, what: &str, why: String) {
        let mut inner = self.lock();
        let before =
            inner.waits.get(what).filter(|wait| wait.why == why || wait.said_at.elapsed() < SAID_EVERY);
        let said_at = before.map(|wait| wait.said_at);
        inner.waits.insert(
            what.to_owned(),
            Wait { why: why.clone(), said_at: said_at.unwrap_or_else(Instant::now) },
        );
        drop(inner);
        if said_at.is_none() {
            tracing::warn!(error = why, "waits for {what}");
        }
    }

    /// It is there.
    pub(super) fn has(&self, what: &str) {
        let waited = self.lock().waits.remove(what);
        if waited.is_some() {
            tracing::info!("waits no more for {what}");
        }
    }

    /// Nothing is waited for that is not among these any more.
    pub(super) fn waits_only_for(&self, kind: &str, names: &[String]) {
        self.lock().waits.retain(|what, _| !what.starts_with(kind) || names.contains(what));
    }

    /// Why the project was not taken that is there; `None`: it was.
    pub(super) fn refused(&self, why: Option<String>) {
        self.lock().refused = why;
    }

    pub(super) fn is_alive(&self, now: Instant) -> Result<Alive, Alive> {
        let inner = self.lock();
        let since = now.saturating_duration_since(inner.progress_at);
        let is_stuck = since >= STUCK_AFTER;
        let status = if is_stuck { "stuck" } else { "ok" };
        let alive = Alive { status, progress_seconds: since.as_secs(), panics: inner.panics };
        if is_stuck { Err(alive) } else { Ok(alive) }
    }

    pub(super) fn is_ready(&self) -> Ready {
        let inner = self.lock();
        let is_there = matches!(inner.role, Role::Leader | Role::Standby);
        Ready {
            ready: is_there && inner.waits.is_empty(),
            role: inner.role,
            waits: inner.waits.iter().map(|(what, wait)| (what.clone(), wait.why.clone())).collect(),
            refused_project: inner.refused.clone(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_does_not_go_round_is_stuck() {
        let health = Health::default();
        let begun = Instant::now();
        assert!(health.is_alive(begun + STUCK_AFTER / 2).is_ok());
        let stuck = health.is_alive(begun + STUCK_AFTER * 2).expect_err("it is stuck");
        assert_eq!(stuck.status, "stuck");
        assert!(stuck.progress_seconds >= 90);
    }

    #[test]
    fn it_is_ready_when_it_waits_for_nothing() {
        let health = Health::default();
        assert!(!health.is_ready().ready, "nothing was reached yet");
        health.is_now(Role::Standby);
        assert!(health.is_ready().ready);
        health.waits_for("source shop", "cannot connect".to_owned());
        assert!(!health.is_ready().ready);
        health.waits_only_for("source ", &[]);
        assert!(health.is_ready().ready);
        health.refused(Some("unknown key".to_owned()));
        assert!(health.is_ready().ready, "the project before goes on");
        health.is_now(Role::Stopping);
        health.is_now(Role::Leader);
        assert!(!health.is_ready().ready, "it was told to stop");
    }
}
