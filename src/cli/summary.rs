//! What a run came to, as text for people. Pure: an outcome in, text out.
//!
//! The last lines matter most: a terminal shows them. So tables come first, then the snapshots that
//! they show, then how the run ended and what went wrong.

use std::time::Duration;

use crate::{
    cli::{columns, names::ShortNames, quantity, style},
    clock,
    error::{Class, Failure},
    event::{InputTaken, RunOutcome, RunStatus, TaskOutcome, TaskStatus, Tier},
};

/// Where a run writes: `production: analytics, raw_shop on warehouse.internal`.
pub(super) fn first_line(mode: &str, schemas: &[String], place: &str) -> String {
    match schemas {
        // Checks write nowhere.
        [] => format!("{mode}: {place}"),
        schemas => format!("{mode}: {} on {place}", schemas.join(", ")),
    }
}

/// The whole summary, with a newline at its end.
pub(super) fn summary(outcome: &RunOutcome) -> String {
    let names = ShortNames::of(outcome.tasks.iter().map(|task| task.task.as_str()));
    let mut sections = vec![table(outcome, &names), snapshots(outcome, &names), ending(outcome, &names)];
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

/// A run's status in a word.
pub(super) fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Succeeded => "succeeded",
        RunStatus::Degraded => "degraded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    }
}

/// A task's status in a word.
pub(super) fn task_status_word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Succeeded => "succeeded",
        TaskStatus::Unchanged => "unchanged",
        TaskStatus::Failed => "failed",
        TaskStatus::Blocked => "blocked",
        TaskStatus::Held => "held",
        TaskStatus::Skipped => "skipped",
        TaskStatus::Cancelled => "cancelled",
    }
}

/// What was done, one line a task.
fn table(outcome: &RunOutcome, names: &ShortNames) -> String {
    let done = outcome.tasks.iter().filter(|task| is_done(task));
    let rows: Vec<_> = done.map(|task| row(task, names)).collect();
    if rows.is_empty() {
        return String::new();
    }
    columns::lay(&["table", ">rows", ">staged", ">time", "published", "why"], rows)
}

fn row(task: &TaskOutcome, names: &ShortNames) -> Vec<String> {
    let published = match (task.status, &task.publish) {
        (TaskStatus::Unchanged, _) => "unchanged".to_owned(),
        (_, Some(publish)) => publish.clone(),
        (_, None) => String::new(),
    };
    vec![
        names.short(&task.task).to_owned(),
        task.rows.map_or(String::new(), quantity::exact),
        task.bytes.map_or(String::new(), quantity::bytes),
        quantity::duration(task.seconds),
        published,
        task.reason.clone().unwrap_or_default(),
    ]
}

/// Which tables show which moment: those of one line match each other.
pub(super) fn snapshots(outcome: &RunOutcome, names: &ShortNames) -> String {
    let mut groups: Vec<(&str, Vec<&TaskOutcome>)> = Vec::new();
    for task in &outcome.tasks {
        let Some(snapshot) = task.snapshot.as_deref() else { continue };
        match groups.iter_mut().find(|(known, _)| *known == snapshot) {
            Some((_, tasks)) => tasks.push(task),
            None => groups.push((snapshot, vec![task])),
        }
    }
    // Several snapshots of one moment are still several: only one makes tables match.
    groups.sort_by_key(|(_, tasks)| tasks[0].as_of);
    groups.iter().map(|(_, tasks)| moment(tasks, names)).collect()
}

fn moment(tasks: &[&TaskOutcome], names: &ShortNames) -> String {
    let first = tasks[0];
    let as_of =
        first.as_of.map_or("an unknown time".to_owned(), |time| time.strftime("%F %T UTC").to_string());
    let lag = match first.lag_seconds {
        Some(seconds) if seconds >= 1.0 => format!(", {} behind", quantity::duration(seconds)),
        Some(_) => ", not behind".to_owned(),
        None => String::new(),
    };
    let members: Vec<_> = tasks.iter().map(|task| names.short(&task.task)).collect();
    format!("as of {as_of}{lag}: {}\n", members.join(", "))
}

/// How it ended, and what people should know or do.
pub(super) fn ending(outcome: &RunOutcome, names: &ShortNames) -> String {
    let mut text = status_line(outcome);
    for task in &outcome.tasks {
        for warning in &task.warnings {
            let name = names.short(&task.task);
            text.push_str(&format!("  {} {name}   {warning}\n", style::paint(style::WARNING, "!")));
        }
    }
    for task in outcome.tasks.iter().filter(|task| task.status != TaskStatus::Blocked) {
        text.push_str(&trouble(task, names));
        text.push_str(&stale(task, names));
    }
    text.push_str(&blocked(outcome, names));
    for warning in &outcome.warnings {
        text.push_str(&format!("  {} {warning}\n", style::paint(style::WARNING, "!")));
    }
    if outcome.status == RunStatus::Degraded && outcome.tasks.iter().any(|t| t.tier == Tier::Critical) {
        text.push_str("  all critical tasks are published\n");
    }
    for deadline in &outcome.deadlines {
        let is_met = deadline.ready_at.is_some_and(|at| at <= deadline.due_at);
        let mark = if is_met { " ".to_owned() } else { style::paint(style::WARNING, "!") };
        text.push_str(&format!("  {mark} {}\n", deadline.words));
    }
    text
}

fn status_line(outcome: &RunOutcome) -> String {
    let colour = match outcome.status {
        RunStatus::Succeeded => style::GOOD,
        RunStatus::Degraded | RunStatus::Cancelled => style::WARNING,
        RunStatus::Failed => style::ERROR,
    };
    let done = outcome.tasks.iter().filter(|task| is_done(task)).count();
    let mut counts = vec![format!("{done} of {}", quantity::count(outcome.tasks.len(), "task"))];
    for status in [
        TaskStatus::Failed,
        TaskStatus::Blocked,
        TaskStatus::Held,
        TaskStatus::Skipped,
        TaskStatus::Cancelled,
    ] {
        let number = outcome.tasks.iter().filter(|task| task.status == status).count();
        if number > 0 {
            counts.push(format!("{number} {}", task_status_word(status)));
        }
    }
    format!(
        "{}   {}   {}   run {}\n",
        style::paint(colour, status_word(outcome.status)),
        counts.join(", "),
        quantity::duration(outcome.seconds),
        outcome.run
    )
}

/// A task's lines below the status: why it is not done, and what to do.
fn trouble(task: &TaskOutcome, names: &ShortNames) -> String {
    let name = names.short(&task.task);
    let text = match (task.status, &task.error) {
        (TaskStatus::Failed, Some(failure)) => {
            let times = match task.attempts {
                0 | 1 => "failed".to_owned(),
                times => format!("failed {times} times"),
            };
            let class = class_word(failure.class);
            format!("  {} {name}   {times}: {} ({class})\n", style::paint(style::ERROR, "✗"), failure.message)
        }
        (TaskStatus::Failed, None) => format!("  {} {name}   failed\n", style::paint(style::ERROR, "✗")),
        (TaskStatus::Held | TaskStatus::Cancelled, error) => {
            let why = error.as_ref().map_or(String::new(), |failure| format!(": {}", failure.message));
            let word = task_status_word(task.status);
            format!("  {} {name}   {word}{why}\n", style::paint(style::WARNING, "○"))
        }
        (TaskStatus::Skipped, _) if task.reason.is_some() => {
            let why = task.reason.as_deref().unwrap_or_default();
            format!("  {} {name}   skipped: {why}\n", style::paint(style::DIM, "-"))
        }
        _ => String::new(),
    };
    text + &hint(task)
}

fn hint(task: &TaskOutcome) -> String {
    match &task.error {
        Some(Failure { hint: Some(hint), .. }) => {
            format!("      {} {hint}\n", style::paint(style::HINT, "hint:"))
        }
        _ => String::new(),
    }
}

/// What is blocked, by its cause: one failure may block hundreds.
fn blocked(outcome: &RunOutcome, names: &ShortNames) -> String {
    let mut causes: Vec<(&TaskOutcome, Vec<&str>)> = Vec::new();
    for task in outcome.tasks.iter().filter(|task| task.status == TaskStatus::Blocked) {
        let name = names.short(&task.task);
        let is_same = |(other, _): &&mut (&TaskOutcome, _)| {
            other.blocked_by == task.blocked_by && hint(other) == hint(task)
        };
        match causes.iter_mut().find(is_same) {
            Some((_, tasks)) => tasks.push(name),
            None => causes.push((task, vec![name])),
        }
    }
    let mut text = String::new();
    for (first, mut tasks) in causes {
        let by: Vec<_> = first.blocked_by.iter().map(|by| names.short(by)).collect();
        let more = match tasks.len().saturating_sub(BLOCKED_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        tasks.truncate(BLOCKED_NAMED);
        let mark = style::paint(style::WARNING, "○");
        text.push_str(&format!(
            "  {mark} {}{more}   blocked by {}\n{}",
            tasks.join(", "),
            by.join(", "),
            hint(first)
        ));
    }
    text
}

/// So many names of what one failure blocks: `run --output json` has all.
const BLOCKED_NAMED: usize = 20;

/// What a task was made of that should have been newer.
fn stale(task: &TaskOutcome, names: &ShortNames) -> String {
    let line = |input: &InputTaken| {
        let (name, read) = (names.short(&task.task), names.short(&input.task));
        let as_of = input.as_of.strftime("%F %T UTC");
        let age = quantity::duration(clock::seconds(Duration::from_secs(input.age_seconds)));
        let mark = style::paint(style::WARNING, "!");
        format!("  {mark} {name}   made of {read} as of {as_of}, {age} old: it {}\n", input.because)
    };
    let old = task.inputs.iter().filter(|input| is_done(task) && input.because != NOT_SELECTED);
    old.map(line).collect()
}

/// Why an input was taken as it was, where a person named other tasks alone: that is no news.
const NOT_SELECTED: &str = "not of this run";

fn class_word(class: Class) -> &'static str {
    match class {
        Class::Passing => "passing",
        Class::Lasting => "lasting",
        Class::Usage => "usage",
        Class::Held => "held",
        Class::Bug => "a bug in barncat",
    }
}

fn is_done(task: &TaskOutcome) -> bool {
    matches!(task.status, TaskStatus::Succeeded | TaskStatus::Unchanged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    fn plain(outcome: &RunOutcome) -> String {
        anstream::adapter::strip_str(&summary(outcome)).to_string()
    }

    #[test]
    fn a_degraded_run() {
        insta::assert_snapshot!(plain(&sample::degraded()));
    }

    #[test]
    fn a_cancelled_run_with_every_kind_of_end() {
        insta::assert_snapshot!(plain(&sample::outcome(RunStatus::Cancelled, sample::every_status())));
    }

    #[test]
    fn tables_of_different_snapshots_stand_on_different_lines() {
        let mut late = sample::task("raw_shop.riders", TaskStatus::Succeeded);
        late.snapshot = Some("S2".into());
        late.lag_seconds = Some(95.0);
        let orders = sample::task("raw_shop.orders", TaskStatus::Succeeded);
        let items = sample::task("raw_shop.order_items", TaskStatus::Succeeded);
        insta::assert_snapshot!(plain(&sample::outcome(RunStatus::Succeeded, vec![orders, late, items])));
    }

    #[test]
    fn what_one_failure_blocks_stands_on_one_line() {
        let blocked = |name: &str| {
            let mut task = sample::task(name, TaskStatus::Blocked);
            task.blocked_by = vec!["raw_shop.fx_rates".to_owned()];
            task
        };
        let failed = sample::task("raw_shop.fx_rates", TaskStatus::Failed);
        let many = (0..22).map(|number| blocked(&format!("analytics.m{number}")));
        let all = std::iter::once(failed).chain(many).collect();
        let text = plain(&sample::outcome(RunStatus::Failed, all));
        assert!(
            text.contains("  ○ m0, m1, ") && text.contains(", m19 and 2 more   blocked by fx_rates\n"),
            "{text}"
        );
    }

    #[test]
    fn a_run_without_tasks_says_so() {
        let text = plain(&sample::outcome(RunStatus::Succeeded, Vec::new()));
        assert_eq!(text, "succeeded   0 of 0 tasks   41 s   run 01JD3RUN\n");
    }
}
