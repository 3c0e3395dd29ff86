//! `history`: what ran and what it cost; of one table, its loads.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, columns, complaint::Complaint, exit::Exit, moment, quantity};
use crate::{
    config::{Environment, Project},
    control::{Control, HistoryRow, PastRun},
    error::Failure,
    event::{RunOutcome, TaskOutcome, TaskStatus},
    run,
    sql::TableName,
};

#[derive(Debug, Serialize)]
struct Runs<'a> {
    runs: Vec<Run<'a>>,
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    run: &'a str,
    mode: &'a str,
    selection: &'a str,
    status: &'a str,
    started_at: Timestamp,
    ended_at: Timestamp,
    tasks: &'a [TaskOutcome],
}

#[derive(Debug, Serialize)]
struct Tasks<'a> {
    tasks: Vec<Task<'a>>,
}

#[derive(Debug, Serialize)]
struct Task<'a> {
    run: &'a str,
    task: &'a str,
    status: &'a str,
    started_at: Timestamp,
    seconds: Option<f64>,
    rows: Option<u64>,
    bytes: Option<u64>,
    load: Option<&'a str>,
    as_of: Option<Timestamp>,
    /// The command that publishes it again, where that can be done.
    restore: Option<&'a str>,
    error: Option<&'a Failure>,
}

/// Prints the last runs, or the last loads of one table.
pub(super) async fn history(context: &Context, table: Option<&str>, limit: u32) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let controls = context.controls(&project, &environment).await?;
    let output = &context.output;
    match table {
        None => {
            let runs = past_runs(&controls, limit).await?;
            match (output.is_json(), runs.is_empty()) {
                (true, _) => output.json(&Runs { runs: runs.iter().map(run_json).collect() })?,
                (false, true) => output.say("nothing has run yet"),
                (false, false) => output.data(&runs_text(&runs))?,
            }
        }
        Some(name) => {
            let rows = loads(&schemas(&project), &controls, name, limit).await?;
            let restores = restores(&project, &environment, &rows).await;
            let restore = |row: &HistoryRow| row.load.as_ref().and_then(|load| restores.get(load));
            match (output.is_json(), rows.is_empty()) {
                (true, _) => {
                    let tasks = rows.iter().map(|row| task_json(row, restore(row))).collect();
                    output.json(&Tasks { tasks })?;
                }
                (false, true) => output.say(&format!("`{name}` has not run yet")),
                (false, false) => {
                    output.data(&format!("{}{}", tasks_text(&rows), restores_text(&rows, &restores)))?
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// The last runs of all modes, the latest first.
async fn past_runs(controls: &[Control], limit: u32) -> Result<Vec<PastRun>, Complaint> {
    let mut runs = Vec::new();
    for control in controls {
        runs.extend(control.past_runs(limit).await?);
    }
    runs.sort_by_key(|run| Reverse(run.started_at));
    runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(runs)
}

/// The schemas that the project's tables are published to, of production only: a test's table is
/// asked for by its full name.
fn schemas(project: &Project) -> BTreeSet<String> {
    project.loaders.iter().map(|loader| loader.into.clone()).collect()
}

/// The history of a table; a name without a schema is looked for in each of `schemas`.
async fn loads(
    schemas: &BTreeSet<String>,
    controls: &[Control],
    name: &str,
    limit: u32,
) -> Result<Vec<HistoryRow>, Complaint> {
    let mut found = Vec::new();
    for table in candidates(name, schemas) {
        let mut rows = Vec::new();
        for control in controls {
            rows.extend(control.history(Some(&table), limit).await?);
        }
        if !rows.is_empty() {
            found.push((table, rows));
        }
    }
    if found.len() > 1 {
        let choices: Vec<_> = found.iter().map(|(table, _)| table.to_string()).collect();
        let message = format!("`{name}` is not unique");
        return Err(Complaint::usage(message, Some(format!("one of {}", choices.join(", ")))));
    }
    Ok(found.pop().map(|(_, rows)| rows).unwrap_or_default())
}

/// The commands that publish earlier loads again, of those that can be.
async fn restores(
    project: &Project,
    environment: &Environment,
    rows: &[HistoryRow],
) -> BTreeMap<String, String> {
    let loads: BTreeSet<String> = rows.iter().filter_map(|row| row.load.clone()).collect();
    let loads: Vec<String> = loads.into_iter().collect();
    let Some((schema, table)) = rows.first().and_then(|row| row.task.split_once('.')) else {
        return BTreeMap::new();
    };
    let table = TableName::new(schema, table);
    let found = match run::restorable(project, environment, &table, &loads).await {
        Ok(found) => found,
        Err(error) => {
            let error = Failure::of(&error);
            tracing::warn!(%error, "which of these loads can be restored is not known");
            return BTreeMap::new();
        }
    };
    let command = |(load, mode): (String, run::Mode)| {
        let mode = if mode == run::Mode::Test { " --mode test" } else { "" };
        let command = format!("barncat restore {table} --load {load}{mode}");
        (load, command)
    };
    found.into_iter().map(command).collect()
}

/// The newest first, as the lines above.
fn restores_text(rows: &[HistoryRow], restores: &BTreeMap<String, String>) -> String {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for row in rows {
        let Some(command) = row.load.as_ref().and_then(|load| restores.get(load)) else { continue };
        if seen.insert(command) {
            let as_of = row.outcome.as_ref().and_then(|outcome| outcome.as_of).map(moment);
            text.push_str(&format!("  {command}   # as of {}\n", as_of.unwrap_or_default()));
        }
    }
    if text.is_empty() { text } else { format!("\nearlier states that the stage still has:\n{text}") }
}

fn candidates(name: &str, schemas: &BTreeSet<String>) -> Vec<TableName> {
    match name.split_once('.') {
        Some((schema, table)) => vec![TableName::new(schema, table)],
        None => schemas.iter().map(|schema| TableName::new(schema, name)).collect(),
    }
}

fn run_json(run: &PastRun) -> Run<'_> {
    Run {
        run: &run.run,
        mode: &run.mode,
        selection: &run.selection,
        status: &run.status,
        started_at: run.started_at,
        ended_at: run.ended_at,
        tasks: run.outcome.as_ref().map_or(&[], |outcome| &outcome.tasks),
    }
}

fn task_json<'a>(row: &'a HistoryRow, restore: Option<&'a String>) -> Task<'a> {
    Task {
        run: &row.run,
        task: &row.task,
        status: &row.status,
        started_at: row.started_at,
        seconds: row.seconds,
        rows: row.rows,
        bytes: row.bytes,
        load: row.load.as_deref(),
        as_of: row.outcome.as_ref().and_then(|outcome| outcome.as_of),
        restore: restore.map(String::as_str),
        error: row.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()),
    }
}

fn runs_text(runs: &[PastRun]) -> String {
    let titles = ["started", "status", "mode", ">tasks", ">rows", ">staged", ">time", "run"];
    let row = |run: &PastRun| {
        let seconds = run.ended_at.duration_since(run.started_at).as_secs_f64();
        let (tasks, rows, bytes) = run.outcome.as_ref().map(cost).unwrap_or_default();
        vec![
            moment(run.started_at),
            run.status.clone(),
            run.mode.clone(),
            tasks,
            rows,
            bytes,
            quantity::duration(seconds),
            run.run.clone(),
        ]
    };
    columns::lay(&titles, runs.iter().map(row))
}

/// Tasks done of all, rows and bytes that were published.
fn cost(outcome: &RunOutcome) -> (String, String, String) {
    let published = || outcome.tasks.iter().filter(|task| task.status == TaskStatus::Succeeded);
    let unchanged = outcome.tasks.iter().filter(|task| task.status == TaskStatus::Unchanged).count();
    (
        format!("{} of {}", published().count() + unchanged, outcome.tasks.len()),
        quantity::exact(published().filter_map(|task| task.rows).sum()),
        quantity::bytes(published().filter_map(|task| task.bytes).sum()),
    )
}

fn tasks_text(rows: &[HistoryRow]) -> String {
    let titles = ["started", "status", ">rows", ">staged", ">time", "as of", "load", "why"];
    let row = |row: &HistoryRow| {
        let outcome = row.outcome.as_ref();
        let error = outcome.and_then(|outcome| outcome.error.as_ref()).map(|error| error.message.clone());
        let why = error.or_else(|| outcome.and_then(|outcome| outcome.reason.clone()));
        vec![
            moment(row.started_at),
            row.status.clone(),
            row.rows.map_or(String::new(), quantity::exact),
            row.bytes.map_or(String::new(), quantity::bytes),
            row.seconds.map_or(String::new(), quantity::duration),
            outcome.and_then(|outcome| outcome.as_of).map_or(String::new(), moment),
            row.load.clone().unwrap_or_default(),
            why.unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
        ]
    };
    columns::lay(&titles, rows.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn past(status: &str, outcome: Option<RunOutcome>) -> PastRun {
        PastRun {
            run: "01JD3RUN".into(),
            mode: "production".into(),
            selection: "*".into(),
            started_at: time("2026-11-22T05:00:00Z"),
            ended_at: time("2026-11-22T05:02:05Z"),
            status: status.into(),
            outcome,
        }
    }

    #[test]
    fn runs_are_shown_with_their_cost_and_crashed_ones_without() {
        let runs = [past("degraded", Some(sample::degraded())), past("crashed", None)];
        insta::assert_snapshot!(runs_text(&runs));
    }

    #[test]
    fn loads_are_shown_with_their_ids_and_failures_with_their_cause() {
        let rows: Vec<_> = sample::every_status()
            .into_iter()
            .take(3)
            .map(|task| HistoryRow {
                run: "01JD3RUN".into(),
                task: task.task.clone(),
                kind: task.kind.clone(),
                status: crate::cli::summary::task_status_word(task.status).into(),
                started_at: time("2026-11-22T05:00:00Z"),
                seconds: Some(task.seconds),
                rows: task.rows,
                bytes: task.bytes,
                load: task.load.clone(),
                outcome: Some(task),
            })
            .collect();
        insta::assert_snapshot!(tasks_text(&rows));
    }

    #[test]
    fn a_name_without_a_schema_is_looked_for_in_every_schema() {
        let schemas = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(candidates("t", &schemas), [TableName::new("a", "t"), TableName::new("b", "t")]);
        assert_eq!(candidates("c.t", &schemas), [TableName::new("c", "t")]);
    }
}
