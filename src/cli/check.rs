//! `check`: asks the checks now, and says what they found.

use serde_json::Value;

use super::{
    Context, args::CheckArgs, columns, complaint::Complaint, exit::Exit, names::ShortNames, run::watched,
    style, summary,
};
use crate::{
    event::{CheckOutcome, CheckStatus, RowSample, RunOutcome, TaskOutcome},
    run,
};

/// Asks, and tells what was found.
pub(super) async fn check(context: &Context, args: CheckArgs) -> Result<Exit, Complaint> {
    if args.accept && args.selection.select.is_empty() {
        return Err(Complaint::usage(
            "`--accept` is about tables, and none is named".to_owned(),
            Some("barncat check orders --accept".to_owned()),
        ));
    }
    let request = run::Request {
        select: args.selection.select,
        exclude: args.selection.exclude,
        work: run::Work::Check,
        accept_measures: args.accept,
        jobs: args.jobs as usize,
        ..run::Request::of(args.mode.into())
    };
    let outcome = watched(context, &request).await?;
    if context.output.is_json() {
        context.output.json(&json(&outcome, args.rows))?;
    } else if !context.output.is_json_lines() {
        context.output.data(&text(&outcome, args.rows))?;
    }
    Ok(Exit::of_run(&outcome, true))
}

/// The outcome as `run` has it, and the rows where they were asked for: no outcome holds them otherwise.
fn json(outcome: &RunOutcome, with_rows: bool) -> Value {
    let mut value = serde_json::to_value(outcome).unwrap_or_default();
    let tasks = value.get_mut("tasks").and_then(Value::as_array_mut);
    let (true, Some(tasks)) = (with_rows, tasks) else { return value };
    for (task, of) in tasks.iter_mut().zip(&outcome.tasks) {
        let checks = task.get_mut("checks").and_then(Value::as_array_mut);
        for (check, of) in checks.into_iter().flatten().zip(&of.checks) {
            if let Some(check) = check.as_object_mut() {
                check.insert("sample".to_owned(), serde_json::to_value(&of.sample).unwrap_or_default());
            }
        }
    }
    value
}

fn text(outcome: &RunOutcome, with_rows: bool) -> String {
    let names = ShortNames::of(outcome.tasks.iter().map(|task| task.task.as_str()));
    let mut text = String::new();
    for task in &outcome.tasks {
        text.push_str(&of_task(task, names.short(&task.task), with_rows));
    }
    format!("{text}\n{}", summary::ending(outcome, &names))
}

/// A line for each check, and its rows below it.
fn of_task(task: &TaskOutcome, name: &str, with_rows: bool) -> String {
    let mut text = format!("{}\n", style::paint(style::STRONG, name));
    if task.checks.is_empty() {
        let why = task.error.as_ref().map_or("nothing was asked", |error| error.message.as_str());
        text.push_str(&format!("  {why}\n"));
    }
    for check in &task.checks {
        text.push_str(&format!("  {} {}\n", mark(check), check.message));
        if let (true, Some(sample)) = (with_rows, &check.sample) {
            text.push_str(&rows(sample));
        }
    }
    text
}

fn mark(check: &CheckOutcome) -> String {
    match check.status {
        CheckStatus::Passed => style::paint(style::GOOD, "✓"),
        CheckStatus::Warned => style::paint(style::WARNING, "!"),
        CheckStatus::Failed => style::paint(style::ERROR, "✗"),
    }
}

/// Rows below their columns' names, indented.
pub(super) fn rows(sample: &RowSample) -> String {
    let titles: Vec<&str> = sample.columns.iter().map(String::as_str).collect();
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
    let lines = columns::lay(&titles, sample.rows.iter().map(|row| row.iter().map(shown).collect()));
    lines.lines().map(|line| format!("      {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::sample, event::TaskStatus};

    fn outcome() -> RunOutcome {
        let check = |name: &str, status, rows, message: &str| CheckOutcome {
            check: name.to_owned(),
            status,
            rows,
            of: Some(200),
            message: format!("{name}: {message}"),
            before_publish: false,
            measures: Vec::new(),
            sample: None,
        };
        let sample = RowSample {
            columns: vec!["id".into(), "state".into()],
            rows: vec![vec![Some("7".into()), None]],
        };
        let checks = vec![
            check("unique (id)", CheckStatus::Passed, Some(0), "0 of 200 rows share `id` with another row"),
            check("row_count", CheckStatus::Warned, None, "it has 200 rows, and at least 300 are expected"),
            CheckOutcome {
                sample: Some(sample),
                ..check("not_null (state)", CheckStatus::Failed, Some(1), "1 of 200 rows have no `state`")
            },
        ];
        let task = TaskOutcome { checks, ..sample::task("raw.orders.checks", TaskStatus::Failed) };
        RunOutcome { tasks: vec![task], ..sample::degraded() }
    }

    #[test]
    fn rows_are_shown_to_who_asks_for_them_alone() {
        insta::assert_snapshot!(text(&outcome(), true));
        assert!(!text(&outcome(), false).contains("NULL"));
        assert!(
            json(&outcome(), true)
                .to_string()
                .contains(r#""sample":{"columns":["id","state"],"rows":[["7",null]]}"#)
        );
        assert!(!json(&outcome(), false).to_string().contains("sample\":{"));
    }
}
