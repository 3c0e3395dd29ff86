//! Words for tiers, statuses and spans of time, as they are shown and selected by.

use std::time::Duration;

use crate::event::{TaskStatus, Tier};

/// All statuses of a task.
const STATUSES: [(TaskStatus, &str); 7] = [
    (TaskStatus::Succeeded, "succeeded"),
    (TaskStatus::Unchanged, "unchanged"),
    (TaskStatus::Failed, "failed"),
    (TaskStatus::Blocked, "blocked"),
    (TaskStatus::Held, "held"),
    (TaskStatus::Skipped, "skipped"),
    (TaskStatus::Cancelled, "cancelled"),
];

pub(super) fn of_status(status: TaskStatus) -> &'static str {
    STATUSES.iter().find(|(known, _)| *known == status).map_or("", |(_, word)| word)
}

pub(super) fn status(word: &str) -> Option<TaskStatus> {
    STATUSES.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
}

pub(super) fn of_tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Critical => "critical",
        Tier::Optional => "optional",
    }
}

/// `24h`, `90m`, `45s`: as it is written in a project.
pub(super) fn of_age(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// `0.4 s`, `41 s`, `12 min 5 s`.
pub(super) fn of_seconds(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    match seconds.round() {
        whole if whole < 120.0 => format!("{whole} s"),
        whole if whole < 7200.0 => format!("{} min {} s", (whole / 60.0).floor(), whole % 60.0),
        whole => format!("{} h {} min", (whole / 3600.0).floor(), (whole % 3600.0 / 60.0).floor()),
    }
}
