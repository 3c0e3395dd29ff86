//! The statements that were given to the service, and how it stands with each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::{clock, engine::outcome::Outcome};

/// A statement's state (§7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Submitted,
    Picked,
    Started,
    Finished,
    Failed,
    Aborted,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Picked => "PICKED",
            Self::Started => "STARTED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Aborted => "ABORTED",
        }
    }

    pub(super) fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Aborted)
    }
}

/// How it stands with a statement, or with one of a batch.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) status: Status,
    pub(super) error: Option<String>,
    pub(super) created_at: f64,
    pub(super) updated_at: f64,
    pub(super) started: Option<Instant>,
    pub(super) duration_ns: i64,
    pub(super) query_id: i64,
    pub(super) outcome: Option<Arc<Outcome>>,
}

impl Progress {
    fn new() -> Self {
        let now = clock::epoch_seconds();
        Self {
            status: Status::Submitted,
            error: None,
            created_at: now,
            updated_at: now,
            started: None,
            duration_ns: -1,
            query_id: -1,
            outcome: None,
        }
    }

    pub(super) fn go_to(&mut self, status: Status) {
        self.status = status;
        self.updated_at = clock::epoch_seconds();
        match status {
            Status::Started => self.started = Some(Instant::now()),
            _ if status.is_terminal() => {
                let took = self.started.map(|started| started.elapsed()).unwrap_or_default();
                self.duration_ns = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
            }
            _ => {}
        }
    }
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) sqls: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) is_batch: bool,
    /// Whether each statement of the batch commits by itself.
    pub(super) autocommit: bool,
    pub(super) name: Option<String>,
    pub(super) database: String,
    pub(super) db_user: Option<String>,
    pub(super) secret_arn: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) workgroup: Option<String>,
    pub(super) principal: String,
}

impl Asked {
    /// Whether all of it is one transaction: a batch, unless its mode says otherwise.
    pub(super) fn is_transaction(&self) -> bool {
        self.is_batch && !self.autocommit
    }
}

/// One statement, or one batch.
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) asked: Asked,
    state: Mutex<State>,
    /// Tells whoever waits for the end.
    ended: watch::Sender<bool>,
    /// Tells the runner to cancel.
    cancelled: watch::Sender<bool>,
}

/// What changes while it runs.
pub(super) struct State {
    pub(super) whole: Progress,
    pub(super) parts: Vec<Progress>,
    pub(super) pid: i64,
}

impl Statement {
    fn new(id: String, asked: Asked) -> Self {
        let parts = asked.sqls.iter().map(|_| Progress::new()).collect();
        let state = Mutex::new(State { whole: Progress::new(), parts, pid: 0 });
        Self { id, asked, state, ended: watch::Sender::new(false), cancelled: watch::Sender::new(false) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> Status {
        self.state().whole.status
    }

    /// Asks the runner to cancel it.
    pub(super) fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Waits until somebody wants it to be cancelled.
    pub(super) async fn cancelled(&self) {
        let mut cancelled = self.cancelled.subscribe();
        // The sender is `self`: it cannot be gone.
        let _ = cancelled.wait_for(|cancelled| *cancelled).await;
    }

    /// The end: nothing changes afterwards. What did not run is aborted.
    pub(super) fn end(&self, status: Status, error: Option<String>) {
        let mut state = self.state();
        for part in state.parts.iter_mut().filter(|part| !part.status.is_terminal()) {
            part.go_to(Status::Aborted);
        }
        state.whole.error = error;
        state.whole.go_to(status);
        drop(state);
        self.ended.send_replace(true);
    }

    /// Waits for the end, but not longer than this.
    pub(super) async fn wait(&self, time: Duration) {
        let mut ended = self.ended.subscribe();
        let _ = tokio::time::timeout(time, ended.wait_for(|ended| *ended)).await;
    }
}

#[derive(Default)]
struct Known {
    by_id: HashMap<String, Arc<Statement>>,
    /// Ids by caller and client token: kept for 8 hours (§7), which no double lives.
    by_token: HashMap<(String, String), Arc<Statement>>,
    in_order: Vec<Arc<Statement>>,
}

/// All statements; clones share them.
#[derive(Clone, Default)]
pub(super) struct Statements(Arc<Mutex<Known>>);

/// What became of a submission.
pub(super) enum Submitted {
    /// It is new and shall run.
    New(Arc<Statement>),
    /// The token was there before, with the same request.
    Known(Arc<Statement>),
    /// The token was there before, with another request.
    Mismatch,
    /// Too many are active.
    TooMany,
}

impl Statements {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn submit(&self, asked: Asked, token: Option<String>, most: usize) -> Submitted {
        let mut known = self.known();
        let token = token.map(|token| (asked.principal.clone(), token));
        if let Some(before) = token.as_ref().and_then(|token| known.by_token.get(token)) {
            return if before.asked == asked {
                Submitted::Known(Arc::clone(before))
            } else {
                Submitted::Mismatch
            };
        }
        if known.in_order.iter().filter(|statement| !statement.status().is_terminal()).count() >= most {
            return Submitted::TooMany;
        }
        let statement = Arc::new(Statement::new(uuid::Uuid::new_v4().to_string(), asked));
        known.by_id.insert(statement.id.clone(), Arc::clone(&statement));
        known.in_order.push(Arc::clone(&statement));
        if let Some(token) = token {
            known.by_token.insert(token, Arc::clone(&statement));
        }
        Submitted::New(statement)
    }

    pub(super) fn get(&self, id: &str, principal: &str) -> Option<Arc<Statement>> {
        let known = self.known();
        known.by_id.get(id).filter(|statement| statement.asked.principal == principal).cloned()
    }

    /// The newest first.
    pub(super) fn all(&self) -> Vec<Arc<Statement>> {
        self.known().in_order.iter().rev().cloned().collect()
    }
}
