//! What happens, as it happens: one JSON object a line on stdout, for programs that follow along
//! (`--output jsonl`).

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    cli::output::Output,
    clock::{Clock, System},
    control::Tick,
    error::Failure,
    event::{Event, RunOutcome, Step, TaskOutcome, Tier},
};

/// How far a task has come is told no more often, unless it comes to another step.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Writes the events of one run.
pub(in crate::cli) struct EventLines {
    output: Output,
    tick: Option<Tick>,
    run: Option<String>,
    told: HashMap<String, (Instant, Step)>,
}

/// What each line has.
#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    event: &'static str,
    run: Option<&'a str>,
    /// Of a service's run.
    schedule: Option<&'a str>,
    tick: Option<Timestamp>,
    task: Option<&'a str>,
    #[serde(flatten)]
    more: More<'a>,
}

/// What lines of a kind have.
#[derive(Serialize)]
#[serde(untagged)]
enum More<'a> {
    RunStarted { mode: &'a str, place: &'a str, schemas: &'a [String], tasks: &'a [String] },
    TaskStarted { tier: Tier, strategy: &'a str, attempt: u32, rows_expected: Option<u64> },
    ChunkStarted { chunk: u32, chunks: u32, rows_before: u64 },
    Progress { step: Step, rows: u64, bytes: u64 },
    Retry { attempt: u32, attempts_max: u32, next_in_seconds: f64, error: &'a Failure },
    Slow { attempt: u32, warn_after_seconds: f64 },
    Warning { message: &'a str },
    Task { outcome: &'a TaskOutcome },
    Run { outcome: &'a RunOutcome },
}

impl EventLines {
    pub(super) fn new(output: Output, tick: Option<&Tick>) -> Self {
        Self { output, tick: tick.cloned(), run: None, told: HashMap::new() }
    }

    pub(super) fn take(&mut self, event: &Event) {
        if let Event::RunStarted { run, .. } = event {
            self.run = Some(run.clone());
        }
        if let Event::TaskProgress { task, step, .. } = event
            && !self.is_news(task, *step)
        {
            return;
        }
        let (event, task, more) = parts(event);
        let line = Line {
            at: System.now(),
            event,
            run: self.run.as_deref(),
            schedule: self.tick.as_ref().map(|tick| tick.schedule.as_str()),
            tick: self.tick.as_ref().map(|tick| tick.at),
            task,
            more,
        };
        // Who reads along and went away is no reason to stop; a full disk is told with the outcome.
        let _ = self.output.json_line(&line);
    }

    fn is_news(&mut self, task: &str, step: Step) -> bool {
        let now = Instant::now();
        let last = self.told.get(task);
        let is_news = last.is_none_or(|(at, before)| *before != step || now - *at >= PROGRESS_EVERY);
        if is_news {
            self.told.insert(task.to_owned(), (now, step));
        }
        is_news
    }
}

/// An event's name, the task that it is about, and what it says.
fn parts(event: &Event) -> (&'static str, Option<&str>, More<'_>) {
    match event {
        Event::RunStarted { mode, place, schemas, tasks, .. } => {
            ("run.started", None, More::RunStarted { mode, place, schemas, tasks })
        }
        Event::TaskStarted { task, tier, strategy, attempt, rows_expected } => {
            let (tier, attempt, rows_expected) = (*tier, *attempt, *rows_expected);
            ("task.started", Some(task), More::TaskStarted { tier, strategy, attempt, rows_expected })
        }
        Event::ChunkStarted { task, chunk, chunks, rows_before } => {
            let (chunk, chunks, rows_before) = (*chunk, *chunks, *rows_before);
            ("chunk.started", Some(task), More::ChunkStarted { chunk, chunks, rows_before })
        }
        Event::TaskProgress { task, step, rows, bytes } => {
            ("task.progress", Some(task), More::Progress { step: *step, rows: *rows, bytes: *bytes })
        }
        Event::TaskRetry { task, attempt, attempts_max, next_in_seconds, failure } => {
            let (attempt, attempts_max, next_in_seconds) = (*attempt, *attempts_max, *next_in_seconds);
            let more = More::Retry { attempt, attempts_max, next_in_seconds, error: failure };
            ("task.retry", Some(task), more)
        }
        Event::TaskSlow { task, attempt, warn_after_seconds } => {
            let (attempt, warn_after_seconds) = (*attempt, *warn_after_seconds);
            ("task.slow", Some(task), More::Slow { attempt, warn_after_seconds })
        }
        Event::Warning { task, message } => ("warning", task.as_deref(), More::Warning { message }),
        Event::TaskFinished(outcome) => ("task.finished", Some(&outcome.task), More::Task { outcome }),
        Event::RunFinished(outcome) => ("run.finished", None, More::Run { outcome }),
    }
}
