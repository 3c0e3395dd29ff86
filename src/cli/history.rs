//! `history`: what ran and what it cost; of one table, its loads.

mod found;
mod loads;

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, columns, complaint::Complaint, exit::Exit, moment, quantity};
use crate::{
    control::{Control, Origin, PastRun},
    event::{RunOutcome, TaskOutcome, TaskStatus},
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
    /// `user@host`, `service@host`.
    by: &'a str,
    /// Of a tick's run: the schedule, and the tick.
    schedule: Option<&'a str>,
    tick: Option<Timestamp>,
    tasks: &'a [TaskOutcome],
}

/// Prints the last runs, or the last loads of one table.
pub(super) async fn history(
    context: &Context,
    table: Option<&str>,
    limit: u32,
    with_rows: bool,
) -> Result<Exit, Complaint> {
    if let Some(name) = table {
        return loads::loads(context, name, limit, with_rows).await;
    }
    let (project, environment) = context.read()?;
    let runs = past_runs(&context.controls(&project, &environment).await?, limit).await?;
    let output = &context.output;
    match (output.is_json(), runs.is_empty()) {
        (true, _) => output.json(&Runs { runs: runs.iter().map(run_json).collect() })?,
        (false, true) => output.say("nothing has run yet"),
        (false, false) => output.data(&runs_text(&runs))?,
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

fn run_json(run: &PastRun) -> Run<'_> {
    Run {
        run: &run.run,
        mode: &run.mode,
        selection: &run.selection,
        status: &run.status,
        started_at: run.started_at,
        ended_at: run.ended_at,
        by: &run.origin.by,
        schedule: run.origin.tick.as_ref().map(|tick| tick.schedule.as_str()),
        tick: run.origin.tick.as_ref().map(|tick| tick.at),
        tasks: run.outcome.as_ref().map_or(&[], |outcome| &outcome.tasks),
    }
}

fn runs_text(runs: &[PastRun]) -> String {
    let titles = ["started", "status", "mode", ">tasks", ">rows", ">staged", ">time", "by", "run"];
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
            by(&run.origin),
            run.run.clone(),
        ]
    };
    columns::lay(&titles, runs.iter().map(row))
}

/// Who asked for a run: the schedule, or a person.
pub(super) fn by(origin: &Origin) -> String {
    origin.tick.as_ref().map_or_else(|| origin.by.clone(), |tick| tick.schedule.clone())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::sample, control::Tick};

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
            origin: Origin { by: "ana@loader-1".into(), ..Origin::default() },
        }
    }

    #[test]
    fn runs_are_shown_with_their_cost_and_crashed_ones_without() {
        let mut of_tick = past("crashed", None);
        let at = time("2026-11-22T05:00:00Z");
        of_tick.origin.tick = Some(Tick { schedule: "nightly".to_owned(), at });
        let runs = [past("degraded", Some(sample::degraded())), of_tick];
        insta::assert_snapshot!(runs_text(&runs));
    }
}
