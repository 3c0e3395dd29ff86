//! Which tasks of a run may start now, and which cannot any more.
//!
//! Decides, and does nothing: no clock, no connection, nothing that waits. Whoever does the tasks asks
//! [`Scheduler::next`] after each end, starts what it says, and tells [`Scheduler::ended`].
//!
//! - A task waits for all that it needs **of this run**, by hard and soft edges. What it needs beyond
//!   the run is taken as it was last published.
//! - A dependency that failed, was blocked or cancelled blocks by a hard edge. By a soft one its last
//!   published data serves, if it is young enough **when the task starts**.
//! - A dependency that is held or skipped keeps its published data, which serves by both.
//! - Critical tasks start first; then what a critical one waits for, be it by soft edges (*urgent*);
//!   then by the longest expected time that hangs on them; then by name.

mod input;
mod scheduler;
mod slots;

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

pub use self::scheduler::Scheduler;
use crate::dag::NodeId;

/// What is known before the run.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// How long each task will take, by the tasks' numbers.
    pub expected_seconds: &'a [f64],
    /// The moment that each task's published rows show, by the tasks' numbers; `None`: it was never
    /// published. Of checks and commands: when they last came to a good end.
    pub published: &'a [Option<Timestamp>],
    /// Of a run that is resumed: what has ended and is not done again, in the order in which it ended.
    pub ended: &'a [(NodeId, End)],
}

/// How much may be done at once.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Tasks at once; at least one.
    pub jobs: usize,
    /// Tasks at once of each source that has such a limit; at least one.
    pub sources: HashMap<String, usize>,
}

/// How a task ended that had started. The moment is that which its rows show, where it has rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is published.
    Succeeded(Option<Timestamp>),
    /// What is published is as it should be.
    Unchanged(Option<Timestamp>),
    /// Its last attempt failed.
    Failed,
    /// Somebody holds its lock, or a person put it on hold: its published data stays.
    Held,
    /// It was not to be done, by a setting: its published data stays.
    Skipped,
    /// It was stopped.
    Cancelled,
}

/// What is to be done now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Next {
    /// What starts, in this order. Each counts as running from now on.
    pub starts: Vec<Start>,
    /// What cannot run any more, in the order in which it became known.
    pub blocked: Vec<Blocked>,
}

/// A task that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The task.
    pub task: NodeId,
    /// What it needs and takes as it was last published, in the order of the names.
    pub stale: Vec<StaleInput>,
}

/// Published data that was not brought up to date in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleInput {
    /// The task that published it.
    pub task: NodeId,
    /// The moment that its rows show.
    pub as_of: Timestamp,
    /// How long ago that is.
    pub age: Duration,
    /// Whether it is needed softly.
    pub is_soft: bool,
    /// Why it was not.
    pub because: Because,
}

/// Why an input was not brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Because {
    /// It is not of this run.
    NotSelected,
    /// It failed.
    Failed,
    /// It was blocked.
    Blocked,
    /// It was stopped.
    Cancelled,
    /// It was held.
    Held,
    /// It was skipped.
    Skipped,
}

/// A task that cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// The task.
    pub task: NodeId,
    /// What it needs that is not there.
    pub through: NodeId,
    /// Walked back from there: what went wrong first.
    pub cause: Cause,
    /// How old the data of `through` was, where it would have served if it were younger.
    pub too_old: Option<Duration>,
    /// The moment that the task's own published rows show: what readers see meanwhile.
    pub published: Option<Timestamp>,
}

/// What went wrong first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The task.
    pub task: NodeId,
    /// What is wrong with it.
    pub why: Why,
}

/// What can be wrong with a task that others need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It failed.
    Failed,
    /// It was stopped.
    Cancelled,
    /// It is not brought up to date in this run, and has never been published.
    NeverPublished,
    /// It is not brought up to date in this run, and its published data is too old.
    TooOld {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        max_age: Duration,
    },
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
