//! What the double does wrong, and what it has kept.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

/// One way to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Out of order: 503, nothing is done.
    Down,
    /// 429 with this Retry-After, in seconds; nothing is done.
    Throttle(u64),
    /// Does what was asked, and closes the connection before it answers.
    DoAndCut,
    /// Closes the connection; nothing is done.
    Cut,
}

/// Something that was taken.
#[derive(Debug, Clone)]
pub struct Kept {
    /// `slack`, `pagerduty`, `webhook`, `heartbeat`.
    pub service: &'static str,
    /// Which place: Slack's channel, a webhook's path.
    pub place: String,
    /// What Slack calls it.
    pub ts: Option<String>,
    /// The message below which it stands.
    pub thread_ts: Option<String>,
    /// All of it, as it is now; a message that was changed shows its last form.
    pub body: Value,
    /// What was said in it before, the oldest first.
    pub before: Vec<Value>,
    /// When it came.
    pub at: Instant,
}

/// Faults that are planned, and what was taken and refused.
#[derive(Default)]
pub struct Knobs {
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) kept: Vec<Kept>,
    pub(crate) refused: Vec<String>,
    pub(crate) throttled: u32,
    pub(crate) last: HashMap<String, Instant>,
    faults: Vec<(&'static str, Fault, u32)>,
}

impl Knobs {
    /// The next `times` requests to a service go wrong so.
    pub fn plan(&self, service: &'static str, fault: Fault, times: u32) {
        self.state().faults.push((service, fault, times));
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.state().faults.clear();
    }

    /// What was taken, in its order.
    pub fn kept(&self) -> Vec<Kept> {
        self.state().kept.clone()
    }

    /// What was taken by one service.
    pub fn kept_by(&self, service: &str) -> Vec<Kept> {
        self.kept().into_iter().filter(|kept| kept.service == service).collect()
    }

    /// Why messages were refused that no double should have been sent.
    pub fn refused(&self) -> Vec<String> {
        self.state().refused.clone()
    }

    /// How often somebody came too early.
    pub fn throttled(&self) -> u32 {
        self.state().throttled
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fault(&self, service: &str) -> Option<Fault> {
        let mut state = self.state();
        let (_, fault, times) =
            state.faults.iter_mut().find(|(at, _, times)| *at == service && *times > 0)?;
        *times -= 1;
        Some(*fault)
    }
}

impl State {
    /// One message a second and place.
    pub(crate) fn is_too_early(&mut self, place: &str, pause: Duration) -> bool {
        let now = Instant::now();
        if self.last.get(place).is_some_and(|last| now.duration_since(*last) < pause) {
            self.throttled += 1;
            return true;
        }
        self.last.insert(place.to_owned(), now);
        false
    }
}
