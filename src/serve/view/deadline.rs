//! Deadlines, as they stand.

use jiff::Timestamp;
use serde::Serialize;

use super::argument;
use crate::run::{DeadlineState, ShownDeadline};

/// A deadline.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Deadline {
    /// The task's full name.
    pub(in crate::serve) task: String,
    /// By when it must be done.
    pub(in crate::serve) due_at: Timestamp,
    /// `met`, `expected`, `in_danger` or `missed`.
    pub(in crate::serve) state: &'static str,
    /// When it was done, in time or late.
    pub(in crate::serve) ready_at: Option<Timestamp>,
    /// When the run under way has done it.
    pub(in crate::serve) expected_at: Option<Timestamp>,
    /// Where no run works for it: how long it takes with all that it needs.
    pub(in crate::serve) takes_seconds: Option<f64>,
    /// The task that holds it up.
    pub(in crate::serve) held_up_by: Option<String>,
    /// By how much.
    pub(in crate::serve) held_up_seconds: Option<f64>,
    /// How long before its time it is done, or will be; negative: after it. `null` where it cannot be done.
    pub(in crate::serve) slack_seconds: Option<f64>,
    /// The same in words, in the project's time zone.
    pub(in crate::serve) words: String,
}

impl Deadline {
    pub(in crate::serve) fn of(shown: &ShownDeadline, now: Timestamp) -> Self {
        let due_at = shown.due.at;
        let takes = || Some(due_at.duration_since(now).as_secs_f64() - shown.takes_seconds?);
        let done_at = shown.ready_at.or(shown.expected_at);
        Self {
            task: shown.task.clone(),
            due_at,
            state: match shown.state {
                DeadlineState::Met => "met",
                DeadlineState::Expected => "expected",
                DeadlineState::InDanger => "in_danger",
                DeadlineState::Missed => "missed",
            },
            ready_at: shown.ready_at,
            expected_at: shown.expected_at,
            takes_seconds: shown.takes_seconds,
            held_up_by: shown.held_up_by.clone(),
            held_up_seconds: shown.held_up_seconds,
            slack_seconds: done_at.map(|at| due_at.duration_since(at).as_secs_f64()).or_else(takes),
            words: shown.words.clone(),
        }
    }

    /// The command that acts on it.
    pub(in crate::serve) fn command(&self) -> String {
        match (self.ready_at, &self.held_up_by) {
            (Some(_), _) => format!("barncat history {}", argument(&self.task)),
            (None, Some(task)) => format!("barncat why {}", argument(task)),
            (None, None) if self.expected_at.is_none() => {
                format!("barncat run {}", argument(&format!("+{}", self.task)))
            }
            (None, None) => "barncat status".to_owned(),
        }
    }
}
