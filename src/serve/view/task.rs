//! A task, as it stands.

use jiff::Timestamp;
use serde::Serialize;

use crate::{event::Tier, run::TaskSeen};

/// A task and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Task {
    /// Its full name.
    pub(in crate::serve) task: String,
    /// `load`, `model`, `check` or `command`.
    pub(in crate::serve) kind: &'static str,
    /// `critical` or `optional`.
    pub(in crate::serve) tier: &'static str,
    /// Why it is critical.
    pub(in crate::serve) critical_by: Option<String>,
    /// The source that it reads.
    pub(in crate::serve) source: Option<String>,
    /// Its tags.
    pub(in crate::serve) tags: Vec<String>,
    /// Who is asked about it.
    pub(in crate::serve) owner: Option<String>,
    /// `full`, `append`, `merge`; of a model what it makes.
    pub(in crate::serve) strategy: Option<String>,
    /// By when it must be done, as it is written.
    pub(in crate::serve) deadline: Option<String>,
    /// How it ended the last time that it was tried; `null`: it never was.
    pub(in crate::serve) status: Option<String>,
    /// The run that tried it.
    pub(in crate::serve) run: Option<String>,
    /// When that began.
    pub(in crate::serve) started_at: Option<Timestamp>,
    /// When it ended.
    pub(in crate::serve) ended_at: Option<Timestamp>,
    /// How long it took, all attempts together.
    pub(in crate::serve) seconds: Option<f64>,
    /// Why it failed.
    pub(in crate::serve) error: Option<String>,
    /// What a person can do about it.
    pub(in crate::serve) hint: Option<String>,
    /// By whom it is blocked.
    pub(in crate::serve) blocked_by: Option<String>,
    /// The load that its table shows.
    pub(in crate::serve) load: Option<String>,
    /// The moment that its table's rows show.
    pub(in crate::serve) as_of: Option<Timestamp>,
    /// When they were published, or found unchanged.
    pub(in crate::serve) published_at: Option<Timestamp>,
    /// Rows of that load; of new rows alone those that were written.
    pub(in crate::serve) rows: Option<u64>,
    /// Its bytes in the stage.
    pub(in crate::serve) bytes: Option<u64>,
    /// How far the source was behind.
    pub(in crate::serve) lag_seconds: Option<f64>,
    /// What it usually takes.
    pub(in crate::serve) expected_seconds: Option<f64>,
    /// The run that does it just now.
    pub(in crate::serve) running_in: Option<String>,
    /// Since when.
    pub(in crate::serve) running_since: Option<Timestamp>,
    /// The hold that keeps it as it is, in words.
    pub(in crate::serve) hold: Option<String>,
}

impl Task {
    pub(in crate::serve) fn of(seen: &TaskSeen) -> Self {
        let ended = seen.latest.ended.as_ref();
        let shows = seen.latest.shows.as_ref().filter(|_| seen.kind.publishes());
        let running = seen.running.as_ref();
        Self {
            task: seen.name.clone(),
            kind: seen.kind.as_str(),
            tier: match seen.tier {
                Tier::Critical => "critical",
                Tier::Optional => "optional",
            },
            critical_by: seen.critical.clone(),
            source: seen.source.clone(),
            tags: seen.tags.clone(),
            owner: seen.owner.clone(),
            strategy: seen.strategy.clone(),
            deadline: seen.deadline.clone(),
            status: ended.map(|ended| ended.status.clone()),
            run: ended.map(|ended| ended.run.clone()),
            started_at: ended.map(|ended| ended.started_at),
            ended_at: ended.map(|ended| ended.ended_at),
            seconds: ended.and_then(|ended| ended.seconds),
            error: ended.and_then(|ended| ended.error.clone()),
            hint: ended.and_then(|ended| ended.hint.clone()),
            blocked_by: ended.and_then(|ended| ended.blocked_by.clone()),
            load: shows.and_then(|shows| shows.load.clone()),
            as_of: shows.and_then(|shows| shows.as_of),
            published_at: shows.map(|shows| shows.ended_at),
            rows: shows.and_then(|shows| shows.rows),
            bytes: shows.and_then(|shows| shows.bytes),
            lag_seconds: shows.and_then(|shows| shows.lag_seconds),
            expected_seconds: seen.expected.map(|expected| expected.seconds),
            running_in: running.map(|(run, _)| run.clone()),
            running_since: running.map(|(_, task)| task.started_at),
            hold: seen.hold.as_ref().map(ToString::to_string),
        }
    }

    /// How it is to be seen just now: as it ended, but for what runs and what was never tried.
    pub(in crate::serve) fn state(&self) -> &str {
        match (&self.running_in, &self.status) {
            (Some(_), _) => "running",
            (None, Some(status)) => status,
            (None, None) => "never run",
        }
    }

    /// Whether a person should look at it.
    pub(in crate::serve) fn is_bad(&self) -> bool {
        let is_bad = |status: &str| !matches!(status, "succeeded" | "unchanged" | "skipped");
        self.running_in.is_none() && self.status.as_deref().is_some_and(is_bad)
    }
}
