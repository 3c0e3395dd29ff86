//! What people are told of a deadline.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    culprit::Delay,
    judge::{Judged, Outlook},
    watch::Say,
};
use crate::{
    control::Observation,
    dag::NodeId,
    event::{DeadlineOutcome, Tier},
    incident::{Alarm, AlarmKind, Seen},
    run::{alarms, ready, tasks::Tasks},
};

/// What is seen of a deadline.
pub(super) fn observation(
    judged: &Judged,
    say: Say,
    (tasks, zone): (&Tasks, &TimeZone),
    now: Timestamp,
) -> Observation {
    let name = |task: NodeId| tasks.job(task).name();
    let kind = if say == Say::Missed { AlarmKind::Missed } else { AlarmKind::Deadline };
    let job = tasks.job(judged.task);
    let alarm = Alarm {
        owner: job.owner().map(str::to_owned),
        tags: tasks.graph.node(judged.task).tags.clone(),
        why: why(judged, &name, zone, now),
        hint: hint(judged),
        effect: alarms::effect(tasks, judged.task),
        command: command(judged, &name),
        ..Alarm::of_task(kind, Tier::Critical, &job.name(), what(judged, &name, zone, now))
    };
    let cause = alarm.cause.clone();
    let seen = match say {
        Say::Danger | Say::Missed => Seen::Wrong(Box::new(alarm)),
        Say::Well => Seen::Well,
    };
    Observation { cause, seen, part_of: Vec::new() }
}

/// `analytics.rider_payments is due at 06:00 and expected at 06:24`.
pub(super) fn what(
    judged: &Judged,
    name: &dyn Fn(NodeId) -> String,
    zone: &TimeZone,
    now: Timestamp,
) -> String {
    let (task, due) = (name(judged.task), due_time(judged.due.at, now, zone));
    let is = if judged.due.at < now { "was" } else { "is" };
    let expected = |at: Timestamp| clock_time(at, judged.due.at, zone);
    match judged.outlook {
        Outlook::Met { at } => format!("{task} {is} due at {due} and was ready at {}", expected(at)),
        Outlook::Expected { at, .. } => format!("{task} {is} due at {due} and expected at {}", expected(at)),
        Outlook::Lost { .. } => format!("{task} {is} due at {due} and cannot be done"),
        Outlook::Idle { .. } => format!("{task} {is} due at {due}, and no run does it"),
    }
}

/// What of it, and why.
pub(super) fn line(
    judged: &Judged,
    name: &dyn Fn(NodeId) -> String,
    zone: &TimeZone,
    now: Timestamp,
) -> String {
    let what = what(judged, name, zone, now);
    let late = match judged.outlook {
        Outlook::Met { at } if at > judged.due.at => {
            Some(format!("{} late", span(seconds(judged.due.at, at))))
        }
        _ => why(judged, name, zone, now),
    };
    late.map_or(what.clone(), |late| format!("{what}: {late}"))
}

/// The task that holds it up, where there is one, and by how many seconds.
pub(super) fn held_up_by(judged: &Judged) -> Option<(NodeId, Option<f64>)> {
    match judged.outlook {
        Outlook::Expected { held_up, .. } => held_up.map(|delay| (delay.task, Some(delay.seconds))),
        Outlook::Lost { cause } => Some((cause.map_or(judged.task, |cause| cause.task), None)),
        Outlook::Met { .. } | Outlook::Idle { .. } => None,
    }
}

/// How it stands at a run's end.
pub(super) fn outcome(
    judged: &Judged,
    name: &dyn Fn(NodeId) -> String,
    zone: &TimeZone,
    now: Timestamp,
) -> DeadlineOutcome {
    let ready_at = match judged.outlook {
        Outlook::Met { at } => Some(at),
        _ => None,
    };
    let words = line(judged, name, zone, now);
    DeadlineOutcome { task: name(judged.task), due_at: judged.due.at, ready_at, words }
}

/// Why it comes when it does, where that is worth a word.
pub(super) fn why(
    judged: &Judged,
    name: &dyn Fn(NodeId) -> String,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<String> {
    match judged.outlook {
        Outlook::Met { .. } => None,
        Outlook::Expected { held_up: Some(delay), .. } => Some(delay_in_words(&delay, name)),
        Outlook::Expected { at, began_at, held_up: None } => {
            let takes = seconds(began_at, at);
            (at > judged.due.at).then(|| {
                let began = clock_time(began_at, judged.due.at, zone);
                format!("it began at {began}, and takes {}", span(takes))
            })
        }
        Outlook::Lost { cause: None } => Some(format!("{} failed", name(judged.task))),
        Outlook::Lost { cause: Some(cause) } => {
            let task = name(cause.task);
            Some(match cause.why {
                ready::Why::Failed => format!("{task} failed"),
                ready::Why::Cancelled => format!("{task} was stopped"),
                ready::Why::NeverPublished => format!("{task} was never published, and is not of the run"),
                ready::Why::TooOld { .. } => format!("the published data of {task} is too old"),
            })
        }
        Outlook::Idle { takes_seconds } if judged.due.at <= now => {
            Some(format!("it takes {}", span(takes_seconds)))
        }
        Outlook::Idle { takes_seconds } => {
            let left = span(seconds(now, judged.due.at));
            Some(format!("it takes {} and is due in {left}", span(takes_seconds)))
        }
    }
}

fn delay_in_words(delay: &Delay, name: &dyn Fn(NodeId) -> String) -> String {
    let Delay { task, seconds, takes_seconds, usual_seconds, has_ended } = *delay;
    let takes = if has_ended { "took" } else { "will take" };
    format!(
        "{} holds it up by {}: it {takes} {} instead of {}",
        name(task),
        span(seconds),
        span(takes_seconds),
        span(usual_seconds)
    )
}

fn hint(judged: &Judged) -> Option<String> {
    let hint = "once it is mended, `barncat run --failed` does what is left";
    matches!(judged.outlook, Outlook::Lost { .. }).then(|| hint.to_owned())
}

fn command(judged: &Judged, name: &dyn Fn(NodeId) -> String) -> String {
    match judged.outlook {
        Outlook::Met { .. } | Outlook::Expected { .. } => "barncat status".to_owned(),
        Outlook::Lost { cause } => {
            format!("barncat why {}", name(cause.map_or(judged.task, |cause| cause.task)))
        }
        Outlook::Idle { .. } => format!("barncat run +{}", name(judged.task)),
    }
}

/// The same of a deadline, with its day where that is not today.
pub(super) fn due_time(due: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, today) = (due.to_zoned(zone.clone()), now.to_zoned(zone.clone()).date());
    let time = clock_time(due, due, zone);
    if at.date() == today { time } else { format!("{} {time}", at.strftime("%a")) }
}

/// The project's time of day: `06:00`, with its day where that is another than `beside` has.
pub(super) fn clock_time(at: Timestamp, beside: Timestamp, zone: &TimeZone) -> String {
    let (at, beside) = (at.to_zoned(zone.clone()), beside.to_zoned(zone.clone()));
    let time = if beside.second() == 0 { at.strftime("%H:%M") } else { at.strftime("%H:%M:%S") };
    match at.date() == beside.date() {
        true => time.to_string(),
        false => format!("{} {time}", at.strftime("%a")),
    }
}

/// `50 s`, `40 min`, `1 h 10 min`.
pub(super) fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match (minutes / 60, minutes % 60) {
        _ if seconds < 90.0 => format!("{} s", seconds.max(0.0).round()),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
