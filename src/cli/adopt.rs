//! `adopt`: take over tables that are there already.

use serde::Serialize;

use super::{
    Context, args::AdoptArgs, complaint::Complaint, confirm::confirmed, exit::Exit, moment, quantity,
    run::watched, style, summary,
};
use crate::{
    config::LoadSpec,
    error::Failure,
    load::{Adoption, LoadError},
    run::{self, PlannedAdoption},
};

/// What `--dry-run --output json` prints.
#[derive(Debug, Serialize)]
struct Json<'a> {
    place: &'a str,
    tables: Vec<JsonTable<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonTable<'a> {
    task: String,
    rows: Option<u64>,
    watermark: Option<&'a str>,
    missing: Option<u64>,
    extra: Option<u64>,
    different: Option<u64>,
    newer: Option<u64>,
    owner: Option<&'a str>,
    views: &'a [String],
    warnings: Vec<String>,
    error: Option<Failure>,
}

/// Shows what was found, asks, and takes the tables over.
pub(super) async fn adopt(context: &Context, args: AdoptArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let (mode, with_rows) = (args.mode.into(), !args.without_rows);
    let planned = tokio::select! {
        biased;
        () = context.stop.token.cancelled() => return Ok(Exit::Failed),
        // After a yes all is looked at again, under the table's lock: given beforehand, once will do.
        planned = run::plan_adopt(&project, &environment, mode, &args.tables, with_rows && !args.yes) => planned?,
    };
    let (output, is_later) = (&context.output, with_rows && args.yes);
    let is_refused = planned.tables.iter().any(|(_, found)| failure(found.as_ref()).is_some());
    if args.dry_run || is_refused {
        match output.is_json() {
            true => output.json(&json(&planned))?,
            false => output.data(&format!("{}{}", text(&planned, is_later), nothing(&planned)))?,
        }
        return Ok(if is_refused { Exit::Failed } else { Exit::Done });
    }
    output.say(text(&planned, is_later).trim_end());
    let select: Vec<String> = planned.tables.iter().map(|(spec, _)| spec.target.to_string()).collect();
    if !confirmed(context, args.yes, &format!("take over {}?", select.join(", "))).await? {
        output.say("nothing was changed");
        return Ok(Exit::Failed);
    }
    let request = run::Request { select, work: run::Work::Adopt { with_rows }, ..run::Request::of(mode) };
    let outcome = watched(context, &request).await?;
    match output.is_json() {
        true => output.json(&outcome)?,
        false => output.data(&summary::summary(&outcome))?,
    }
    Ok(Exit::of_run(&outcome, true))
}

/// Why a table cannot be taken over, if it cannot.
fn failure(found: Result<&Adoption, &Failure>) -> Option<Failure> {
    match found {
        Ok(adoption) => adoption.refuse().err().map(|error: LoadError| Failure::of(&error)),
        Err(failure) => Some(failure.clone()),
    }
}

fn json(planned: &PlannedAdoption) -> Json<'_> {
    Json { place: &planned.place, tables: planned.tables.iter().map(json_table).collect() }
}

fn json_table((spec, found): &(LoadSpec, Result<Adoption, Failure>)) -> JsonTable<'_> {
    let adoption = found.as_ref().ok();
    let differences = adoption.and_then(|adoption| adoption.differences.as_ref());
    JsonTable {
        task: spec.target.to_string(),
        rows: adoption.filter(|adoption| adoption.wrong.is_empty()).map(|adoption| adoption.rows),
        watermark: adoption.and_then(|adoption| adoption.watermark.as_deref()),
        missing: differences.map(|found| found.missing),
        extra: differences.map(|found| found.extra),
        different: differences.map(|found| found.different),
        newer: differences.map(|found| found.newer),
        owner: adoption.map(|adoption| adoption.survey.owner.as_str()),
        views: adoption.map(|adoption| adoption.live.views.as_slice()).unwrap_or_default(),
        warnings: adoption.map(Adoption::warnings).unwrap_or_default(),
        error: failure(found.as_ref()),
    }
}

/// That none is taken over where one cannot be, and which stand in the way of which.
fn nothing(planned: &PlannedAdoption) -> String {
    let (refused, others): (Vec<_>, Vec<_>) =
        planned.tables.iter().partition(|(_, found)| failure(found.as_ref()).is_some());
    if refused.is_empty() || others.is_empty() {
        return String::new();
    }
    let names = |tables: Vec<&(LoadSpec, _)>, between: &str| {
        tables.iter().map(|(spec, _)| spec.target.to_string()).collect::<Vec<_>>().join(between)
    };
    let hint = style::paint(style::HINT, "hint:");
    format!(
        "nothing is taken over: in the way {} {}\n      {hint} `barncat adopt {}` takes the others\n",
        if refused.len() == 1 { "is" } else { "are" },
        names(refused, ", "),
        names(others, " ")
    )
}

/// `is_later`: the rows will be compared when the table is taken over.
fn text(planned: &PlannedAdoption, is_later: bool) -> String {
    let mut text = format!("on {}\n", planned.place);
    for (spec, found) in &planned.tables {
        text.push_str(&format!("{}\n", style::paint(style::STRONG, &spec.target.to_string())));
        if let (Ok(adoption), true) = (found, failure(found.as_ref()).is_none()) {
            text.push_str(&facts(adoption, is_later));
        }
        if let Some(failure) = failure(found.as_ref()) {
            text.push_str(&format!("  {} {}\n", style::paint(style::ERROR, "✗"), failure.message));
            if let Some(hint) = &failure.hint {
                text.push_str(&format!("      {} {hint}\n", style::paint(style::HINT, "hint:")));
            }
        }
    }
    text
}

fn facts(adoption: &Adoption, is_later: bool) -> String {
    let mut text = String::new();
    let mut line = |title: &str, what: String| {
        if !what.is_empty() {
            text.push_str(&format!("  {title:<10} {what}\n"));
        }
    };
    line("columns", format!("{}, as they would arrive", adoption.live.columns.len()));
    line("key", adoption.key().join(", "));
    line("rows", rows(adoption, is_later));
    line("watermark", adoption.watermark.clone().unwrap_or_default());
    line("owner", adoption.survey.owner.clone());
    line("grants", stay(&adoption.survey.grants));
    line("views", stay(&adoption.live.views));
    for warning in adoption.warnings() {
        text.push_str(&format!("  {} {warning}\n", style::paint(style::WARNING, "!")));
    }
    text
}

fn stay(what: &[String]) -> String {
    if what.is_empty() { String::new() } else { format!("{}: they stay", what.join("; ")) }
}

fn rows(adoption: &Adoption, is_later: bool) -> String {
    let rows = quantity::exact(adoption.rows);
    let as_of = moment(adoption.position.as_of);
    match &adoption.differences {
        None if is_later => format!("{rows}, to be compared before it is taken over"),
        None => format!("{rows}, not compared"),
        Some(found) => match adoption.differing(found) {
            differing if differing.is_empty() => format!("{rows}, equal to the source as of {as_of}"),
            differing => format!("{rows}; of those of the source as of {as_of} {}", differing.join(", ")),
        },
    }
}
