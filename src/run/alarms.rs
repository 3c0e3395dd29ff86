//! From how a task ended to what people should know of it. Pure.

use std::collections::BTreeSet;

use super::{RunError, tasks::Tasks};
use crate::{
    check,
    config::Severity,
    control::Observation,
    dag::NodeId,
    error::{Class, Failure, Fault},
    event::{CheckStatus, TaskOutcome, TaskStatus, Tier},
    incident::{Affected, Alarm, AlarmKind, Effect, Seen},
};

/// What a task's end says; `None`: nothing.
///
/// What is blocked is a part of what blocks it, and told by itself only where that is not open.
pub(super) fn of_task(tasks: &Tasks, task: NodeId, outcome: &TaskOutcome) -> Option<Observation> {
    let kind = match (outcome.kind.as_str(), outcome.status) {
        // A person is at work with these, and looks.
        ("restore" | "adopt", _) => return None,
        ("verify", _) => AlarmKind::Verify,
        (_, TaskStatus::Blocked) => AlarmKind::Blocked,
        ("check", _) => AlarmKind::Check,
        _ => AlarmKind::Failed,
    };
    let name = &outcome.task;
    let alarm = Alarm::of_task(kind, outcome.tier, name, what(outcome));
    let cause = alarm.cause.clone();
    let warns =
        kind == AlarmKind::Check && outcome.checks.iter().any(|check| check.status == CheckStatus::Warned);
    let seen = match outcome.status {
        TaskStatus::Succeeded if warns => Seen::Wrong(Box::new(warned(tasks, task, outcome, alarm))),
        TaskStatus::Succeeded | TaskStatus::Unchanged => Seen::Well,
        TaskStatus::Failed | TaskStatus::Blocked => Seen::Wrong(Box::new(told(tasks, task, outcome, alarm))),
        TaskStatus::Held | TaskStatus::Skipped | TaskStatus::Cancelled => return None,
    };
    let part_of = match outcome.status {
        TaskStatus::Blocked => outcome.blocked_by.iter().map(|by| format!("task {by}")).collect(),
        _ => Vec::new(),
    };
    Some(Observation { cause, seen, part_of })
}

/// A run that could not begin; `None` where its project or command line is wrong, and whoever wrote it sees that
/// (`is_ticks`: it is a schedule's, and nobody looks).
pub(super) fn of_run(error: &RunError, is_ticks: bool) -> Option<Observation> {
    if error.class() == Class::Usage && !is_ticks {
        return None;
    }
    let Failure { message, hint, .. } = Failure::of(error);
    let alarm = Alarm {
        task: None,
        why: Some(message),
        hint,
        command: "barncat doctor".to_owned(),
        ..Alarm::of_task(AlarmKind::Run, Tier::Critical, "", "a run could not begin")
    };
    Some(Observation { cause: alarm.cause.clone(), seen: Seen::Wrong(Box::new(alarm)), part_of: Vec::new() })
}

/// A run that could.
pub(super) fn run_began() -> Observation {
    let cause = Alarm::of_task(AlarmKind::Run, Tier::Critical, "", "").cause;
    Observation { cause, seen: Seen::Well, part_of: Vec::new() }
}

fn what(outcome: &TaskOutcome) -> String {
    let task = &outcome.task;
    match (outcome.status, outcome.kind.as_str(), outcome.attempts) {
        (TaskStatus::Blocked, ..) => format!("{task} is blocked"),
        (TaskStatus::Succeeded, "check", _) => format!("the check {task} warns"),
        (_, "check", _) => format!("the check {task} failed"),
        (_, "verify", _) => format!("{task} differs from its source"),
        (_, _, 0 | 1) => format!("{task} failed"),
        (_, _, times) => format!("{task} failed {times} times"),
    }
}

/// The alarm with all that is known of the task.
fn told(tasks: &Tasks, task: NodeId, outcome: &TaskOutcome, alarm: Alarm) -> Alarm {
    let job = tasks.job(task);
    let error = outcome.error.as_ref();
    Alarm {
        severity: Severity::Error,
        owner: job.owner().map(str::to_owned),
        tags: tasks.graph.node(task).tags.clone(),
        why: error.map(|error| error.message.clone()),
        hint: error.and_then(|error| error.hint.clone()),
        data_as_of: outcome.as_of,
        effect: effect(tasks, task),
        ..alarm
    }
}

/// The same of a check that only warns.
fn warned(tasks: &Tasks, task: NodeId, outcome: &TaskOutcome, alarm: Alarm) -> Alarm {
    let why = check::warnings(&outcome.checks).collect::<Vec<_>>().join("; ");
    Alarm { severity: Severity::Warn, why: Some(why), ..told(tasks, task, outcome, alarm) }
}

/// All that cannot run without a task, of this run or not.
pub(super) fn effect(tasks: &Tasks, task: NodeId) -> Effect {
    let mut found = BTreeSet::new();
    let mut open = vec![task];
    while let Some(task) = open.pop() {
        let hard = tasks.graph.needed_by(task).iter().filter(|edge| edge.way.is_hard());
        open.extend(hard.map(|edge| edge.task).filter(|task| found.insert(*task)));
    }
    let is_critical = |task: &NodeId| tasks.graph.tier(*task) == Tier::Critical;
    let affected = |task: &NodeId| Affected {
        task: tasks.job(*task).name(),
        deadline: tasks.job(*task).deadline().map(ToString::to_string),
    };
    let critical: Vec<Affected> = found.iter().filter(|task| is_critical(task)).map(affected).collect();
    let others = u32::try_from(found.len() - critical.len()).unwrap_or(u32::MAX);
    Effect { critical, others }
}
