//! `history TABLE`: the loads of one table.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::found;
use crate::{
    cli::{Context, columns, complaint::Complaint, exit::Exit, moment, quantity, style},
    config::{Environment, Project},
    control::{Control, HistoryRow},
    error::Failure,
    event::TaskOutcome,
    run,
    sql::TableName,
};

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct Tasks<'a> {
    tasks: Vec<Task<'a>>,
    /// With `--rows`: what its checks found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<found::Check<'a>>,
}

#[derive(Debug, Serialize)]
struct Task<'a> {
    run: &'a str,
    task: &'a str,
    kind: &'a str,
    status: &'a str,
    started_at: Timestamp,
    seconds: Option<f64>,
    strategy: Option<&'a str>,
    publish: Option<&'a str>,
    reason: Option<&'a str>,
    rows: Option<u64>,
    late_rows: Option<u64>,
    bytes: Option<u64>,
    load: Option<&'a str>,
    as_of: Option<Timestamp>,
    watermark: Option<&'a str>,
    schema_hash: Option<&'a str>,
    /// Against the load before.
    schema_changes: &'a [String],
    warnings: &'a [String],
    /// The command that publishes it again, where that can be done.
    restore: Option<&'a str>,
    error: Option<&'a Failure>,
}

/// Prints the last loads of one table.
pub(super) async fn loads(
    context: &Context,
    name: &str,
    limit: u32,
    with_rows: bool,
) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let controls = context.controls(&project, &environment).await?;
    let rows = found(&schemas(&project), &controls, name, limit).await?;
    let output = &context.output;
    if rows.is_empty() && with_rows {
        // A check in a file has no schema.
        let checks = found::found(&controls, name, limit).await?;
        if !checks.is_empty() {
            match output.is_json() {
                true => output.json(&Tasks { tasks: Vec::new(), checks: found::json(&checks) })?,
                false => output.data(&found::text(&checks))?,
            }
            return Ok(Exit::Done);
        }
    }
    if rows.is_empty() {
        expect_task(&project, &environment, &controls, name).await?;
        match output.is_json() {
            true => output.json(&Tasks { tasks: Vec::new(), checks: Vec::new() })?,
            false => output.say(&format!("`{name}` has not run yet")),
        }
        return Ok(Exit::Done);
    }
    let restores = restores(&project, &environment, &rows).await;
    let checks = match with_rows {
        true => found::found(&controls, &rows[0].task, limit).await?,
        false => Vec::new(),
    };
    if output.is_json() {
        let restore = |row: &HistoryRow| row.load.as_ref().and_then(|load| restores.get(load));
        let tasks = rows.iter().map(|row| json(row, restore(row))).collect();
        output.json(&Tasks { tasks, checks: found::json(&checks) })?;
    } else {
        let found = found::text(&checks);
        output.data(&format!("{}{}{found}", text(&rows), restores_text(&rows, &restores)))?;
    }
    Ok(Exit::Done)
}

/// A name that nothing bears is a mistake; a task that has not run yet is none.
async fn expect_task(
    project: &Project,
    environment: &Environment,
    controls: &[Control],
    name: &str,
) -> Result<(), Complaint> {
    let mut past = BTreeSet::new();
    for control in controls {
        past.extend(control.task_names().await?);
    }
    Ok(run::expect_task(project, environment, &past, name).await?)
}

/// The schemas that the project's tables are published to, of production only: a test's table is
/// asked for by its full name.
fn schemas(project: &Project) -> BTreeSet<String> {
    let of_loaders = project.loaders.iter().map(|loader| loader.into.clone());
    of_loaders.chain(project.models.iter().map(|model| model.target.schema.clone())).collect()
}

/// The history of a task; a name without a schema is looked for in each of `schemas`.
async fn found(
    schemas: &BTreeSet<String>,
    controls: &[Control],
    name: &str,
    limit: u32,
) -> Result<Vec<HistoryRow>, Complaint> {
    let mut found = Vec::new();
    for task in candidates(name, schemas) {
        let mut rows = Vec::new();
        for control in controls {
            rows.extend(control.history(Some(&task), limit).await?);
        }
        if !rows.is_empty() {
            found.push((task, rows));
        }
    }
    if found.len() > 1 {
        let choices: Vec<_> = found.iter().map(|(task, _)| task.clone()).collect();
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

/// Full names: its own, which a check's and a command's is, and that of a table of these schemas.
fn candidates(name: &str, schemas: &BTreeSet<String>) -> Vec<String> {
    let tables = schemas.iter().map(|schema| format!("{schema}.{name}"));
    tables.chain([name.to_owned()]).collect()
}

fn json<'a>(row: &'a HistoryRow, restore: Option<&'a String>) -> Task<'a> {
    let outcome = row.outcome.as_ref();
    let text = |of: fn(&TaskOutcome) -> &Option<String>| outcome.and_then(|outcome| of(outcome).as_deref());
    Task {
        run: &row.run,
        task: &row.task,
        kind: &row.kind,
        status: &row.status,
        started_at: row.started_at,
        seconds: row.seconds,
        strategy: text(|outcome| &outcome.strategy),
        publish: text(|outcome| &outcome.publish),
        reason: text(|outcome| &outcome.reason),
        rows: row.rows,
        late_rows: outcome.and_then(|outcome| outcome.late_rows),
        bytes: row.bytes,
        load: row.load.as_deref(),
        as_of: outcome.and_then(|outcome| outcome.as_of),
        watermark: text(|outcome| &outcome.watermark),
        schema_hash: text(|outcome| &outcome.schema_hash),
        schema_changes: outcome.map_or(&[], |outcome| &outcome.schema_changes),
        warnings: outcome.map_or(&[], |outcome| &outcome.warnings),
        restore: restore.map(String::as_str),
        error: outcome.and_then(|outcome| outcome.error.as_ref()),
    }
}

/// A line of figures a load, and below it in words how and why it was done.
fn text(rows: &[HistoryRow]) -> String {
    let titles = ["started (UTC)", "status", ">rows", ">late", ">staged", ">time", "load"];
    let row = |row: &HistoryRow| {
        let late_rows = row.outcome.as_ref().and_then(|outcome| outcome.late_rows);
        vec![
            row.started_at.strftime("%F %T").to_string(),
            row.status.clone(),
            row.rows.map_or(String::new(), quantity::exact),
            late_rows.map_or(String::new(), quantity::exact),
            row.bytes.map_or(String::new(), quantity::bytes),
            row.seconds.map_or(String::new(), quantity::duration),
            row.load.clone().unwrap_or_default(),
        ]
    };
    let table = columns::lay(&titles, rows.iter().map(row));
    let mut lines = table.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, row) in lines.zip(rows) {
        text.push_str(&format!("{line}\n{}", below(row)));
    }
    text
}

/// What a line of figures has no room for.
fn below(row: &HistoryRow) -> String {
    let Some(outcome) = &row.outcome else { return String::new() };
    let mut text = format!("  {}\n", how(row, outcome));
    let reason = outcome.reason.as_deref().unwrap_or_default();
    if !reason.is_empty() {
        text.push_str(&format!("  {reason}\n"));
    }
    // Most often they are the reason.
    for change in outcome.schema_changes.iter().filter(|change| !reason.contains(*change)) {
        text.push_str(&format!("  {change}\n"));
    }
    if let Some(watermark) = &outcome.watermark {
        text.push_str(&format!("  the cursor is loaded up to {watermark}\n"));
    }
    if let Some(Failure { message, hint, .. }) = &outcome.error {
        text.push_str(&format!("  {} {message}\n", style::paint(style::ERROR, "✗")));
        let hint = hint.iter().map(|hint| format!("    {} {hint}\n", style::paint(style::HINT, "hint:")));
        text.extend(hint);
    }
    text
}

/// `append by insert, schema 3fa9c1d2, as of …`.
fn how(row: &HistoryRow, outcome: &TaskOutcome) -> String {
    let strategy = outcome.strategy.as_deref().unwrap_or(&row.kind);
    let mut what = if row.kind == "load" { strategy.to_owned() } else { row.kind.clone() };
    if let Some(publish) = outcome.publish.as_ref().filter(|publish| **publish != what) {
        what.push_str(&format!(" by {publish}"));
    }
    let mut words = vec![what];
    words.extend(outcome.schema_hash.as_deref().map(|hash| format!("schema {}", short(hash))));
    words.extend(outcome.as_of.map(|as_of| format!("as of {}", moment(as_of))));
    words.join(", ")
}

/// As much of a hash as tells apart what one table had.
fn short(hash: &str) -> &str {
    let digits = hash.split_once(':').map_or(hash, |(_, digits)| digits);
    digits.get(..8).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::sample, event::TaskStatus};

    fn row(outcome: TaskOutcome) -> HistoryRow {
        HistoryRow {
            run: "01JD3RUN".into(),
            task: outcome.task.clone(),
            kind: outcome.kind.clone(),
            status: crate::cli::summary::task_status_word(outcome.status).into(),
            started_at: "2026-11-22T05:00:00Z".parse().expect("a time"),
            seconds: Some(outcome.seconds),
            rows: outcome.rows,
            bytes: outcome.bytes,
            load: outcome.load.clone(),
            outcome: Some(outcome),
        }
    }

    #[test]
    fn loads_are_shown_with_their_ids_and_failures_with_their_cause() {
        let mut rows: Vec<_> = sample::every_status().into_iter().take(3).map(row).collect();
        let mut merged = sample::task("raw_shop.orders", TaskStatus::Succeeded);
        merged.strategy = Some("merge".to_owned());
        merged.publish = Some("merge".to_owned());
        merged.reason = Some("new rows, and a column that was added".to_owned());
        merged.schema_changes = vec!["column `tip` was added".to_owned()];
        merged.rows = Some(200_000_000);
        merged.late_rows = Some(12_345);
        merged.seconds = 45_000.0;
        merged.load = Some("01KB7Q4ZJ5XM3T8N0V2W6Y9RCD".to_owned());
        merged.watermark = Some("2026-11-22 04:59:59.123456+00".to_owned());
        rows.push(row(merged));
        rows.push(HistoryRow { outcome: None, status: "crashed".into(), ..rows[0].clone() });
        let text = anstream::adapter::strip_str(&text(&rows)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_name_without_a_schema_is_looked_for_in_every_schema() {
        let schemas = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(candidates("t", &schemas), ["a.t", "b.t", "t"]);
        assert_eq!(candidates("c.t", &schemas).last().map(String::as_str), Some("c.t"));
    }
}
