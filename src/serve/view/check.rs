//! What checks found the last time.

use jiff::Timestamp;
use serde::Serialize;

use super::argument;
use crate::{control::LastCheck, run::Overview};

/// A check, and what it found the last time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Check {
    /// The task that asks it.
    pub(in crate::serve) task: String,
    /// `not_null (rider_id)`; of a file its name.
    pub(in crate::serve) check: String,
    /// Whether it is asked of the staging table.
    pub(in crate::serve) before_publish: bool,
    /// `passed`, `warned` or `failed`.
    pub(in crate::serve) status: String,
    /// What it found, in words without any row's value.
    pub(in crate::serve) message: String,
    /// Failing rows, where it counts any.
    pub(in crate::serve) rows: Option<u64>,
    /// Of how many.
    pub(in crate::serve) of: Option<u64>,
    /// When it was asked.
    pub(in crate::serve) at: Timestamp,
    /// In which run.
    pub(in crate::serve) run: String,
}

/// All checks that were ever asked: what failed first, then what is warned of, then by name.
pub(in crate::serve) fn checks(overview: &Overview) -> Vec<Check> {
    let mut checks: Vec<Check> = overview.checks.iter().map(Check::of).collect();
    checks.sort_by(|a, b| (a.severity(), &a.task, &a.check).cmp(&(b.severity(), &b.task, &b.check)));
    checks
}

impl Check {
    pub(in crate::serve) fn of(last: &LastCheck) -> Self {
        Self {
            task: last.task.clone(),
            check: last.check.clone(),
            before_publish: last.before_publish,
            status: last.status.clone(),
            message: last.message.clone(),
            rows: last.rows,
            of: last.of,
            at: last.at,
            run: last.run.clone(),
        }
    }

    fn severity(&self) -> u8 {
        match self.status.as_str() {
            "failed" => 0,
            "warned" => 1,
            _ => 2,
        }
    }

    /// The table that it looks at; of a file's check its own name.
    pub(in crate::serve) fn table(&self) -> &str {
        self.task.strip_suffix(".checks").unwrap_or(&self.task)
    }

    /// The command that asks it again, or shows what it found.
    pub(in crate::serve) fn command(&self) -> String {
        let task = argument(&self.task);
        match (self.status.as_str(), self.before_publish) {
            ("passed", false) => format!("barncat check {task}"),
            ("passed", true) => format!("barncat history {task}"),
            (_, false) => format!("barncat check {task} --rows"),
            (_, true) => format!("barncat history {task} --rows"),
        }
    }
}
