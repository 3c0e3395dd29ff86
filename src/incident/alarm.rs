//! What some part of barncat sees: plain data, without rows' values and secrets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{config::Severity, event::Tier};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What makes it one and the same: `task raw_shop.orders`. One incident a cause.
    pub cause: String,
    /// What kind of thing it is.
    pub kind: AlarmKind,
    /// How bad.
    pub severity: Severity,
    /// How important what it is about is.
    pub tier: Tier,
    /// The task that it is about.
    pub task: Option<String>,
    /// Who is asked about it.
    pub owner: Option<String>,
    /// The task's tags.
    pub tags: Vec<String>,
    /// What is wrong, in one line: `raw_shop.orders failed 3 times`.
    pub what: String,
    /// Why, as far as is known: the error.
    pub why: Option<String>,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// The moment that the task's published rows show.
    pub data_as_of: Option<Timestamp>,
    /// What it does to other tasks.
    pub effect: Effect,
    /// The command that helps: `barncat why raw_shop.orders`.
    pub command: String,
}

/// The kinds of things that go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum AlarmKind {
    /// A run could not begin.
    Run,
    /// A task failed, after all of its attempts.
    Failed,
    /// A task could not run without another one.
    Blocked,
    /// A check found something.
    Check,
    /// A table differs from its source.
    Verify,
    /// A number is not what its history makes one expect.
    Anomaly,
    /// A deadline is going to be missed.
    Deadline,
    /// A deadline was missed: the same incident, and worse.
    Missed,
}

/// What it does to other tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Critical tasks that cannot run without it.
    pub critical: Vec<Affected>,
    /// How many others.
    pub others: u32,
}

/// A task that cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// Its full name.
    pub task: String,
    /// The time of day by which it must be published.
    pub deadline: Option<String>,
}

impl Alarm {
    /// An alarm about a task, of which nothing more is known yet.
    pub fn of_task(kind: AlarmKind, tier: Tier, task: &str, what: impl Into<String>) -> Self {
        let cause = match kind {
            AlarmKind::Failed | AlarmKind::Blocked | AlarmKind::Check => format!("task {task}"),
            AlarmKind::Run => "run".to_owned(),
            AlarmKind::Verify => format!("verify {task}"),
            AlarmKind::Anomaly => format!("anomaly {task}"),
            AlarmKind::Deadline | AlarmKind::Missed => format!("deadline {task}"),
        };
        Self {
            cause,
            kind,
            severity: Severity::Error,
            tier,
            task: Some(task.to_owned()),
            owner: None,
            tags: Vec::new(),
            what: what.into(),
            why: None,
            hint: None,
            data_as_of: None,
            effect: Effect::default(),
            command: format!("barncat why {task}"),
        }
    }

    /// Whether somebody is woken for it: only for what operations depend on and that cannot wait.
    pub fn pages(&self) -> bool {
        matches!(self.kind, AlarmKind::Deadline | AlarmKind::Missed)
            && self.tier == Tier::Critical
            && self.severity == Severity::Error
    }

    /// Whether it can wait until people look by themselves.
    pub fn can_wait(&self) -> bool {
        self.severity == Severity::Warn || (self.tier == Tier::Optional && self.effect.critical.is_empty())
    }

    /// Whether it became worse in kind: what could wait cannot any more.
    pub(super) fn rose_above(&self, before: &Self) -> bool {
        let is_missed = |alarm: &Self| alarm.kind == AlarmKind::Missed;
        (before.can_wait() && !self.can_wait())
            || (self.pages() && !before.pages())
            || (is_missed(self) && !is_missed(before))
    }

    /// Whether critical tasks are affected that were not before.
    pub(super) fn spread_beyond(&self, before: &Self) -> bool {
        let known = |task: &Affected| before.effect.critical.iter().any(|other| other.task == task.task);
        self.effect.critical.iter().any(|task| !known(task))
    }
}
