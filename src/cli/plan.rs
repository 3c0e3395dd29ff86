//! `plan`: what a run would do, and why.

mod advice;

use jiff::Timestamp;
use serde::Serialize;

use self::advice::{JsonCursor, JsonLateRows};
use super::{
    Context,
    args::{Mode, Selection},
    columns,
    complaint::Complaint,
    exit::Exit,
    hold::Hold,
    names::ShortNames,
    quantity, style, summary,
};
use crate::{
    config::Strategy,
    error::{Class, Failure},
    event::Tier,
    load::Forecast,
    run::{self, Foreseen, Plan, PlannedOther, PlannedTask},
    schema::{Format, in_words},
    warehouse::PublishKind,
};

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct Json<'a> {
    mode: &'a str,
    place: &'a str,
    /// Whether a publish can wait for readers with older snapshots.
    sees_snapshots: bool,
    tasks: Vec<JsonTask<'a>>,
    /// Models, checks and commands.
    others: Vec<JsonOther<'a>>,
    /// When tasks with a deadline would be done.
    deadlines: Vec<JsonDeadline<'a>>,
    /// Published, and no longer in the project.
    orphans: Vec<String>,
    /// Published and in the project, and no longer in its source.
    gone: Vec<String>,
}

#[derive(Debug, Serialize)]
struct JsonDeadline<'a> {
    task: &'a str,
    due_at: Timestamp,
    /// From the run's beginning to the task's end.
    seconds_expected: Option<f64>,
}

#[derive(Debug, Serialize)]
struct JsonOther<'a> {
    task: &'a str,
    kind: String,
    tier: Tier,
    critical: Option<&'a str>,
    needs: &'a [String],
    soft: &'a [String],
    seconds_expected: Option<f64>,
    hold: Option<Hold<'a>>,
    error: Option<&'a Failure>,
}

#[derive(Debug, Serialize)]
struct JsonTask<'a> {
    task: String,
    kind: &'static str,
    tier: Tier,
    critical: Option<&'a str>,
    strategy: String,
    source: &'a str,
    source_table: String,
    reason: Option<&'a str>,
    publish: Option<String>,
    format: Option<Format>,
    schema_changes: Vec<String>,
    parts: Option<usize>,
    bytes_expected: Option<u64>,
    rows_expected: Option<u64>,
    seconds_expected: Option<f64>,
    lag_seconds: Option<f64>,
    cursor: Option<JsonCursor<'a>>,
    late_rows: Option<JsonLateRows>,
    notes: Vec<&'a str>,
    hold: Option<Hold<'a>>,
    error: Option<&'a Failure>,
}

/// Prints what a run would do.
pub(super) async fn plan(
    context: &Context,
    selection: Selection,
    exit_code: bool,
    (mode, rows): (Mode, Option<u32>),
) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let request = run::Request {
        select: selection.select,
        exclude: selection.exclude,
        sample: super::run::sample(rows, mode)?,
        ..run::Request::of(mode.into())
    };
    let plan = tokio::select! {
        biased;
        () = context.stop.token.cancelled() => return Ok(Exit::Failed),
        plan = run::plan(&project, &environment, &request) => plan?,
    };
    if context.output.is_json() {
        context.output.json(&json(&plan))?;
    } else {
        context.output.data(&text(&plan))?;
    }
    Ok(exit(&plan, exit_code))
}

/// A task that would fail is told by the status; so is, where it is asked for, a changed schema.
fn exit(plan: &Plan, exit_code: bool) -> Exit {
    let of_loads = plan.tasks.iter().filter_map(|task| task.forecast.as_ref().err());
    let failures: Vec<&Failure> =
        of_loads.chain(plan.others.iter().filter_map(|other| other.error.as_ref())).collect();
    if failures.iter().any(|failure| failure.class != Class::Usage) {
        Exit::Failed
    } else if !failures.is_empty() {
        Exit::Usage
    } else if exit_code && plan.tasks.iter().any(changes) {
        Exit::ChangesAhead
    } else {
        Exit::Done
    }
}

/// Whether a published table would get another form.
fn changes(task: &PlannedTask) -> bool {
    let Ok(Forecast { decision, .. }) = &task.forecast else { return false };
    // A loop merges what its work brings, and has no new rows by a cursor.
    let is_rebuilt = task.spec.strategy != Strategy::Full
        && decision.new_rows.is_none()
        && decision.publish != PublishKind::Merge;
    decision.last.is_some() && (decision.live.is_none() || is_rebuilt || !decision.changes.is_empty())
}

fn json(plan: &Plan) -> Json<'_> {
    Json {
        mode: &plan.mode,
        place: &plan.place,
        sees_snapshots: plan.sees_snapshots,
        tasks: plan.tasks.iter().map(json_task).collect(),
        others: plan.others.iter().map(json_other).collect(),
        deadlines: plan.deadlines.iter().map(json_deadline).collect(),
        orphans: plan.orphans.iter().map(ToString::to_string).collect(),
        gone: plan.gone.iter().map(ToString::to_string).collect(),
    }
}

fn json_deadline(deadline: &Foreseen) -> JsonDeadline<'_> {
    let Foreseen { task, due, seconds_expected, .. } = deadline;
    JsonDeadline { task, due_at: due.at, seconds_expected: *seconds_expected }
}

fn json_other(other: &PlannedOther) -> JsonOther<'_> {
    JsonOther {
        task: &other.task,
        kind: other.kind.to_string(),
        tier: other.tier,
        critical: other.critical.as_deref(),
        needs: &other.needs,
        soft: &other.soft,
        seconds_expected: other.expected.as_ref().map(|expected| expected.seconds),
        hold: other.hold.as_ref().map(Hold::from),
        error: other.error.as_ref(),
    }
}

fn json_task(task: &PlannedTask) -> JsonTask<'_> {
    let forecast = task.forecast.as_ref().ok();
    let decision = forecast.map(|forecast| &forecast.decision);
    let changes = decision.map(|decision| decision.changes.as_slice()).unwrap_or_default();
    let advice = decision.and_then(|decision| decision.advice.as_ref());
    JsonTask {
        task: task.spec.target.to_string(),
        kind: "load",
        tier: task.tier,
        critical: task.critical.as_deref(),
        strategy: task.spec.strategy.to_string(),
        source: &task.spec.source,
        source_table: task.spec.source_table.to_string(),
        reason: decision.map(|decision| decision.reason.as_str()),
        publish: decision.map(|decision| decision.publish.to_string()),
        format: decision.map(|decision| decision.shape.format),
        schema_changes: changes.iter().map(|change| in_words(std::slice::from_ref(change))).collect(),
        parts: forecast.map(|forecast| forecast.parts),
        bytes_expected: forecast.map(|forecast| forecast.bytes_estimate),
        rows_expected: task.expected.as_ref().and_then(|expected| expected.rows),
        seconds_expected: task.expected.as_ref().map(|expected| expected.seconds),
        lag_seconds: forecast.and_then(|forecast| forecast.position.lag_seconds),
        cursor: advice.map(JsonCursor::from),
        late_rows: advice.map(|advice| advice.late_rows.into()),
        notes: decision
            .map(|decision| decision.notes.iter().map(String::as_str).collect())
            .unwrap_or_default(),
        hold: task.hold.as_ref().map(Hold::from),
        error: task.forecast.as_ref().err(),
    }
}

fn text(plan: &Plan) -> String {
    let full: Vec<String> = plan.tasks.iter().map(|task| task.spec.target.to_string()).collect();
    let names = ShortNames::of(full.iter().map(String::as_str));
    let mut text = format!("{}\n", summary::first_line(&plan.mode, &plan.schemas, &plan.place));
    let rows: Vec<_> = plan.tasks.iter().map(|task| row(task, &names)).collect();
    if !rows.is_empty() {
        let titles =
            ["table", "tier", "strategy", "publish", "format", ">parts", ">size", ">rows", ">time", "why"];
        text.push_str(&columns::lay(&titles, rows));
    }
    text.push_str(&others(plan));
    for task in &plan.tasks {
        text.push_str(&below(task, names.short(&task.spec.target.to_string())));
    }
    text.push_str(&advice::text(plan, &names));
    for deadline in &plan.deadlines {
        let mark = if deadline.is_late { style::paint(style::WARNING, "!") } else { " ".to_owned() };
        text.push_str(&format!("  {mark} {}\n", deadline.words));
    }
    for lag in lags(plan) {
        text.push_str(&lag);
    }
    for orphan in &plan.orphans {
        let mark = style::paint(style::WARNING, "!");
        text.push_str(&format!("  {mark} {orphan} is published, and no longer in the project\n"));
    }
    if !plan.orphans.is_empty() {
        let hint = style::paint(style::HINT, "hint:");
        text.push_str(&format!(
            "      {hint} `barncat clean --removed` drops what the project does not name\n"
        ));
    }
    for gone in &plan.gone {
        let mark = style::paint(style::WARNING, "!");
        text.push_str(&format!("  {mark} {gone} keeps its rows: its source has the table no longer\n"));
    }
    if !plan.sees_snapshots {
        text.push_str(&format!(
            "  {} other sessions' snapshots cannot be seen in the warehouse: a publish of a table that is filled by \
             several connections does not know whom to wait for\n      {} GRANT pg_read_all_stats TO the \
             warehouse's role; `barncat doctor` prints it\n",
            style::paint(style::WARNING, "!"),
            style::paint(style::HINT, "hint:")
        ));
    }
    text
}

/// Models, checks and commands, one line each.
fn others(plan: &Plan) -> String {
    if plan.others.is_empty() {
        return String::new();
    }
    let row = |other: &PlannedOther| {
        let soft = other.soft.iter().map(|name| format!("⇢ {name}"));
        let needs: Vec<String> = other.needs.iter().cloned().chain(soft).collect();
        let tier = match (&other.critical, other.tier) {
            (Some(by), _) => format!("critical: {by}"),
            (None, Tier::Critical) => "critical".to_owned(),
            (None, Tier::Optional) => String::new(),
        };
        let time =
            other.expected.as_ref().map_or(String::new(), |expected| quantity::duration(expected.seconds));
        vec![other.task.clone(), other.kind.to_string(), tier, time, needs.join(", ")]
    };
    let rows: Vec<Vec<String>> = plan.others.iter().map(row).collect();
    let mut text = columns::lay(&["task", "kind", "tier", ">time", "needs"], rows);
    for other in &plan.others {
        if let Some(failure) = &other.error {
            text.push_str(&format!(
                "  {} {}   {}\n",
                style::paint(style::ERROR, "✗"),
                other.task,
                failure.message
            ));
            if let Some(hint) = &failure.hint {
                text.push_str(&format!("      {} {hint}\n", style::paint(style::HINT, "hint:")));
            }
        }
    }
    text
}

fn row(task: &PlannedTask, names: &ShortNames) -> Vec<String> {
    let full = task.spec.target.to_string();
    let tier = match task.tier {
        Tier::Critical => "critical",
        Tier::Optional => "",
    };
    let mut cells = vec![names.short(&full).to_owned(), tier.to_owned(), task.spec.strategy.to_string()];
    match &task.forecast {
        Ok(Forecast { decision, parts, bytes_estimate, .. }) => cells.extend([
            decision.publish.to_string(),
            format_word(decision.shape.format).to_owned(),
            quantity::exact(*parts as u64),
            quantity::bytes(*bytes_estimate),
            task.expected.as_ref().and_then(|e| e.rows).map_or(String::new(), quantity::exact),
            task.expected.as_ref().map_or(String::new(), |expected| quantity::duration(expected.seconds)),
            decision.reason.clone(),
        ]),
        Err(_) => {
            cells.extend(std::iter::repeat_n(String::new(), 6));
            cells.push(style::paint(style::ERROR, "cannot be loaded"));
        }
    }
    cells
}

fn format_word(format: Format) -> &'static str {
    match format {
        Format::Binary => "binary",
        Format::Csv => "csv",
    }
}

/// What keeps a task from being loaded.
fn below(task: &PlannedTask, name: &str) -> String {
    let mut text = task.hold.as_ref().map_or(String::new(), |hold| {
        let (mark, hint) = (style::paint(style::WARNING, "○"), style::paint(style::HINT, "hint:"));
        format!("  {mark} {name}   {hold}\n      {hint} `barncat release {}` lets it go\n", hold.task)
    });
    if let Err(failure) = &task.forecast {
        text.push_str(&format!("  {} {name}   {}\n", style::paint(style::ERROR, "✗"), failure.message));
        if let Some(hint) = &failure.hint {
            text.push_str(&format!("      {} {hint}\n", style::paint(style::HINT, "hint:")));
        }
    }
    text
}

/// How far each source is behind, one line a source.
fn lags(plan: &Plan) -> Vec<String> {
    let mut seen: Vec<(&str, String)> = Vec::new();
    for task in &plan.tasks {
        let Ok(Forecast { position, .. }) = &task.forecast else { continue };
        if seen.iter().any(|(source, _)| *source == task.spec.source) {
            continue;
        }
        let lag = match position.lag_seconds {
            Some(seconds) if seconds >= 1.0 => format!("{} behind", quantity::duration(seconds)),
            Some(_) => "not behind".to_owned(),
            None => "no replica".to_owned(),
        };
        let line =
            format!("source {}: as of {}, {lag}\n", task.spec.source, position.as_of.strftime("%F %T UTC"));
        seen.push((&task.spec.source, line));
    }
    seen.into_iter().map(|(_, line)| line).collect()
}
