//! `status`: what is running, what is on hold, what awaits a backfill, how deadlines and limits of services stand, when
//! schedules tick.

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, complaint::Complaint, exit::Exit, hold::Hold, moment, quantity, schedules, style};
use crate::{
    clock::{Clock, System},
    config::{Environment, Project},
    control::{self, RunningRun, Standing},
    error::Failure,
    run::{self, Awaiting, DeadlineState, ShownDeadline},
    serve,
};

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct Status<'a> {
    runs: Vec<Run<'a>>,
    holds: Vec<Hold<'a>>,
    /// Tables whose older rows do not have the values of columns that were added in place.
    awaiting_backfill: Vec<JsonAwaiting<'a>>,
    /// Today's, and the next one of tasks that have none today.
    deadlines: Vec<JsonDeadline<'a>>,
    /// How much of their limits services may have counted by now.
    limits: Vec<JsonLimit<'a>>,
    /// Services that want not to be asked.
    paused: Vec<JsonPaused<'a>>,
    /// The service that runs the schedules.
    service: Option<schedules::Service<'a>>,
    schedules: Vec<schedules::Schedule<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonDeadline<'a> {
    task: &'a str,
    due_at: Timestamp,
    state: &'static str,
    ready_at: Option<Timestamp>,
    expected_at: Option<Timestamp>,
    /// Where no run works for it.
    takes_seconds: Option<f64>,
    held_up_by: Option<&'a str>,
    held_up_seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct JsonLimit<'a> {
    source: &'a str,
    /// In how long a stretch, `second`, `minute`, `hour`, or of the calendar, `day`.
    per: &'static str,
    most: u32,
    used: u64,
    /// Of a day: when it ends in the service's zone.
    ends_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct JsonPaused<'a> {
    source: &'a str,
    until: Timestamp,
}

#[derive(Debug, Serialize)]
struct JsonAwaiting<'a> {
    task: String,
    columns: &'a [String],
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    run: &'a str,
    mode: &'a str,
    selection: &'a str,
    host: &'a str,
    pid: i64,
    started_at: Timestamp,
    /// `user@host`, `service@host`.
    by: &'a str,
    /// Of a tick's run: the schedule, and the tick.
    schedule: Option<&'a str>,
    tick: Option<Timestamp>,
    is_crashed: bool,
    tasks: Vec<Task<'a>>,
}

#[derive(Debug, Serialize)]
struct Task<'a> {
    task: &'a str,
    kind: &'a str,
    attempt: u32,
    load: Option<&'a str>,
    started_at: Timestamp,
}

/// Prints what is running, what is on hold, and what awaits a backfill.
pub(super) async fn status(context: &Context) -> Result<Exit, Complaint> {
    let (mut runs, mut holds) = (Vec::new(), Vec::new());
    let (project, environment) = context.read()?;
    for control in context.controls(&project, &environment).await? {
        runs.extend(control.running().await?);
        holds.extend(control.holds().await?);
    }
    runs.sort_by_key(|run| run.started_at);
    let awaiting = awaiting(&project, &environment).await;
    let deadlines = deadlines(&project, &environment).await;
    let allowances = allowances(&project, &environment).await;
    let shown = scheduled(&project, &environment).await;
    if context.output.is_json() {
        context.output.json(&Status {
            runs: runs.iter().map(json).collect(),
            holds: holds.iter().map(Hold::from).collect(),
            awaiting_backfill: awaiting.iter().map(json_awaiting).collect(),
            deadlines: deadlines.iter().map(json_deadline).collect(),
            limits: allowances.iter().flat_map(json_limits).collect(),
            paused: allowances.iter().filter_map(json_paused).collect(),
            service: shown.as_ref().and_then(|shown| shown.leader.as_ref()).map(Into::into),
            schedules: shown.iter().flat_map(|shown| &shown.schedules).map(Into::into).collect(),
        })?;
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        context.output.say("nothing is running; `barncat history` shows what ran");
    }
    let text = text(&runs, System.now());
    let (held, awaiting, due) = (on_hold(&holds), in_want(&awaiting), due(&deadlines));
    let schedules = shown.filter(|shown| !shown.schedules.is_empty() || shown.leader.is_some());
    let schedules = schedules.map(|shown| schedules::text(&shown, &project.zone())).unwrap_or_default();
    let limits = of_limits(&allowances);
    context.output.data(&format!("{text}{held}{awaiting}{due}{limits}{schedules}"))?;
    Ok(Exit::Done)
}

/// What runs is told also where the warehouse does not answer.
async fn awaiting(project: &Project, environment: &Environment) -> Vec<Awaiting> {
    run::awaiting(project, environment).await.unwrap_or_else(|error| {
        let error = Failure::of(&error);
        tracing::warn!(%error, "which tables await a backfill is not known");
        Vec::new()
    })
}

/// What runs is told also where schedules are not known.
async fn scheduled(project: &Project, environment: &Environment) -> Option<serve::Shown> {
    serve::look(project, environment)
        .await
        .inspect_err(|error| {
            let error = Failure::of(error);
            tracing::warn!(%error, "when the schedules tick is not known");
        })
        .ok()
}

/// What runs is told also where deadlines are not known.
async fn deadlines(project: &Project, environment: &Environment) -> Vec<ShownDeadline> {
    run::deadlines(project, environment).await.unwrap_or_else(|error| {
        let error = Failure::of(&error);
        tracing::warn!(%error, "how the deadlines stand is not known");
        Vec::new()
    })
}

/// What runs is told also where limits are not known.
async fn allowances(project: &Project, environment: &Environment) -> Vec<(String, Standing)> {
    run::allowances(project, environment).await.unwrap_or_else(|error| {
        let error = Failure::of(&error);
        tracing::warn!(%error, "how the limits of services stand is not known");
        Vec::new()
    })
}

fn json_limits((source, standing): &(String, Standing)) -> impl Iterator<Item = JsonLimit<'_>> {
    standing.windows.iter().map(move |one| JsonLimit {
        source,
        per: one.window.unit(),
        most: one.window.most(),
        used: one.used,
        ends_at: one.ends_at,
    })
}

fn json_paused((source, standing): &(String, Standing)) -> Option<JsonPaused<'_>> {
    standing.paused_until.map(|until| JsonPaused { source, until })
}

fn json_deadline(deadline: &ShownDeadline) -> JsonDeadline<'_> {
    JsonDeadline {
        task: &deadline.task,
        due_at: deadline.due.at,
        state: match deadline.state {
            DeadlineState::Met => "met",
            DeadlineState::Expected => "expected",
            DeadlineState::InDanger => "in_danger",
            DeadlineState::Missed => "missed",
        },
        ready_at: deadline.ready_at,
        expected_at: deadline.expected_at,
        takes_seconds: deadline.takes_seconds,
        held_up_by: deadline.held_up_by.as_deref(),
        held_up_seconds: deadline.held_up_seconds,
    }
}

fn json_awaiting(awaiting: &Awaiting) -> JsonAwaiting<'_> {
    JsonAwaiting { task: awaiting.table.to_string(), columns: &awaiting.columns }
}

fn json(run: &RunningRun) -> Run<'_> {
    let tasks = run.tasks.iter().map(|task| Task {
        task: &task.task,
        kind: &task.kind,
        attempt: task.attempt,
        load: task.load.as_deref(),
        started_at: task.started_at,
    });
    Run {
        run: &run.run,
        mode: &run.mode,
        selection: &run.selection,
        host: &run.host,
        pid: run.pid,
        started_at: run.started_at,
        by: &run.origin.by,
        schedule: run.origin.tick.as_ref().map(|tick| tick.schedule.as_str()),
        tick: run.origin.tick.as_ref().map(|tick| tick.at),
        is_crashed: run.is_crashed,
        tasks: tasks.collect(),
    }
}

fn text(runs: &[RunningRun], now: Timestamp) -> String {
    let ago = |since: Timestamp| quantity::duration(now.duration_since(since).as_secs_f64());
    let mut text = String::new();
    for run in runs {
        let state = if run.is_crashed { "crashed" } else { "running" };
        let style = if run.is_crashed { style::WARNING } else { style::GOOD };
        text.push_str(&format!(
            "{}   {} by {} on {}, pid {}   since {} ({})   run {}\n",
            style::paint(style, state),
            run.mode,
            super::history::by(&run.origin),
            run.host,
            run.pid,
            moment(run.started_at),
            ago(run.started_at),
            run.run
        ));
        if run.is_crashed {
            text.push_str("  its process is gone; the next run takes over and leaves nothing of it\n");
        }
        for task in &run.tasks {
            let attempt = match task.attempt {
                0 => "waits".to_owned(),
                attempt => format!("attempt {attempt}"),
            };
            text.push_str(&format!("  {}   {attempt}   {}\n", task.task, ago(task.started_at)));
        }
    }
    text
}

/// A line for each task on hold.
fn on_hold(holds: &[control::Hold]) -> String {
    let mark = style::paint(style::WARNING, "○");
    holds.iter().map(|hold| format!("{mark} {}   {hold}\n", hold.task)).collect()
}

/// A line for each deadline.
fn due(deadlines: &[ShownDeadline]) -> String {
    let mark = |state: DeadlineState| match state {
        DeadlineState::Met => style::paint(style::GOOD, "✓"),
        DeadlineState::Expected => " ".to_owned(),
        DeadlineState::InDanger => style::paint(style::WARNING, "!"),
        DeadlineState::Missed => style::paint(style::ERROR, "✗"),
    };
    deadlines.iter().map(|one| format!("{} {}\n", mark(one.state), one.words)).collect()
}

/// A line for each service with limits, or that wants not to be asked.
fn of_limits(allowances: &[(String, Standing)]) -> String {
    let line = |(source, standing): &(String, Standing)| {
        let used = standing.windows.iter().map(|one| {
            let (used, most) = (quantity::exact(one.used), quantity::exact(one.window.most().into()));
            let ends = one.ends_at.map(|at| format!(" (until {})", moment(at))).unwrap_or_default();
            format!("{used} of {most} requests a {}{ends}", one.window.unit())
        });
        let paused =
            standing.paused_until.map(|until| format!("it wants not to be asked until {}", moment(until)));
        let words: Vec<String> = used.chain(paused).collect();
        let is_full = standing.windows.iter().any(|one| one.used >= one.window.most().into());
        let mark = match is_full || standing.paused_until.is_some() {
            true => style::paint(style::WARNING, "!"),
            false => " ".to_owned(),
        };
        format!("{mark} {source}   {}\n", words.join(", "))
    };
    allowances.iter().map(line).collect()
}

/// A line for each table that awaits a backfill.
fn in_want(awaiting: &[Awaiting]) -> String {
    let mark = style::paint(style::WARNING, "!");
    awaiting.iter().map(|one| format!("{mark} {}   {}\n", one.table, one.words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Origin, RunningTask, Window};

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn run(is_crashed: bool) -> RunningRun {
        let task = |task: &str, attempt| RunningTask {
            task: task.into(),
            kind: "load".into(),
            attempt,
            load: None,
            started_at: time("2026-11-22T05:00:30Z"),
        };
        RunningRun {
            run: "01JD3RUN".into(),
            mode: "production".into(),
            selection: "*".into(),
            host: "loader-1".into(),
            pid: 4711,
            started_at: time("2026-11-22T05:00:00Z"),
            is_crashed,
            origin: Origin { by: "ana@loader-1".into(), ..Origin::default() },
            tasks: vec![task("raw_shop.orders", 2), task("raw_shop.riders", 0)],
        }
    }

    #[test]
    fn each_service_is_shown_with_what_it_may_have_counted() {
        let used = |window, used, ends_at| control::UsedWindow { window, used, ends_at };
        let windows = vec![
            used(Window::per_minute(60), 12, None),
            used(Window::per_day(1_000), 1_000, Some(time("2026-11-23T00:00:00Z"))),
        ];
        let limits = vec![
            ("fx".to_owned(), Standing { windows, paused_until: None }),
            (
                "geo".to_owned(),
                Standing { paused_until: Some(time("2026-11-22T06:00:00Z")), ..Standing::default() },
            ),
        ];
        insta::assert_snapshot!(anstream::adapter::strip_str(&of_limits(&limits)).to_string());
        let json: Vec<_> = limits.iter().flat_map(json_limits).collect();
        insta::assert_json_snapshot!(json);
    }

    #[test]
    fn each_run_is_shown_with_its_tasks_and_their_age() {
        let text = text(&[run(false), run(true)], time("2026-11-22T05:00:41Z"));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
