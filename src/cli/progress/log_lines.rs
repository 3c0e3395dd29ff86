//! Log lines: what a run does where nobody watches a terminal.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::{
    cli::{quantity, summary},
    control::Tick,
    event::{Event, Step, TaskOutcome, TaskStatus},
};

/// A task that goes on says so this often, and no more.
const EVERY: Duration = Duration::from_secs(30);

/// What is remembered of each task, and which run this is: in each line.
#[derive(Debug, Default)]
pub(in crate::cli) struct LogLines {
    last: HashMap<String, Last>,
    /// Of a tick's run.
    schedule: Option<String>,
    run: Option<String>,
}

/// When a task was last heard of, in which attempt and step.
#[derive(Debug)]
struct Last {
    at: Instant,
    attempt: Option<u32>,
    step: Step,
}

impl LogLines {
    /// Of a run that goes on beside others.
    pub(super) fn of_a_tick(tick: &Tick) -> Self {
        Self { schedule: Some(tick.schedule.clone()), ..Self::default() }
    }

    pub(super) fn take(&mut self, event: &Event) {
        if let Event::RunStarted { run, .. } = event {
            self.run = Some(run.clone());
        }
        let of = self.run.clone();
        match event {
            Event::RunStarted { run, mode, place, schemas, tasks } => {
                let line = summary::first_line(mode, schemas, place);
                info!(run, schedule = self.schedule, tasks = tasks.len(), "{line}");
            }
            Event::TaskStarted { task, strategy, attempt, rows_expected, .. } => {
                let last = Last { at: Instant::now(), attempt: Some(*attempt), step: Step::Waiting };
                self.last.insert(task.clone(), last);
                info!(run = of, task, strategy, attempt, rows_expected, "started");
            }
            Event::ChunkStarted { task, chunk, chunks, rows_before } => {
                info!(run = of, task, rows_before, "chunk {chunk} of {chunks}");
            }
            Event::TaskProgress { task, step, rows, bytes } => self.advance(task, *step, *rows, *bytes),
            Event::TaskRetry { task, attempt, attempts_max, next_in_seconds, failure } => {
                let seconds = next_in_seconds.ceil();
                warn!(
                    run = of,
                    task,
                    attempt,
                    error = failure.message,
                    "attempt {attempt} of {attempts_max} failed, next in {seconds} s"
                );
            }
            Event::TaskSlow { task, attempt, warn_after_seconds } => {
                warn!(run = of, task, attempt, "{}", super::line::slow(*warn_after_seconds));
            }
            Event::Warning { task, message } => warn!(run = of, task, "{message}"),
            Event::TaskFinished(outcome) => {
                self.last.remove(&outcome.task);
                ended(of.as_deref(), outcome);
            }
            Event::RunFinished(outcome) => {
                let seconds = outcome.seconds;
                info!(
                    run = outcome.run,
                    schedule = self.schedule,
                    status = summary::status_word(outcome.status),
                    seconds,
                    "ended"
                );
            }
        }
    }

    fn advance(&mut self, task: &str, step: Step, rows: u64, bytes: u64) {
        let now = Instant::now();
        let last = self.last.get(task);
        let due = last.is_none_or(|last| {
            last.step != step && matches!(step, Step::AwaitingConnection | Step::Publishing | Step::Comparing)
                || now - last.at >= EVERY
        });
        if due {
            let attempt = last.and_then(|last| last.attempt);
            self.last.insert(task.to_owned(), Last { at: now, attempt, step });
            let doing = match step {
                Step::Waiting => "waits",
                Step::AwaitingConnection => "waits for a connection",
                Step::Working => "works",
                Step::Extracting => "extracts",
                Step::Filling => "fills",
                Step::Publishing => "publishes",
                Step::Comparing => "compares source and warehouse",
            };
            info!(run = self.run, task, attempt, rows, bytes, "{doing}");
        }
    }
}

fn ended(run: Option<&str>, outcome: &TaskOutcome) {
    let TaskOutcome { task, seconds, rows, bytes, attempts, load, .. } = outcome;
    let status = summary::task_status_word(outcome.status);
    match (&outcome.error, outcome.status) {
        (Some(failure), TaskStatus::Failed) => {
            error!(
                run,
                task,
                seconds,
                attempts,
                load,
                error = failure.message,
                hint = failure.hint,
                "{status}"
            );
        }
        (_, TaskStatus::Succeeded | TaskStatus::Unchanged) => {
            let took = quantity::duration(*seconds);
            info!(run, task, seconds, rows, bytes, attempts, load, "{status} in {took}");
        }
        (Some(failure), _) => warn!(run, task, seconds, error = failure.message, "{status}"),
        (None, TaskStatus::Blocked) => {
            warn!(run, task, blocked_by = outcome.blocked_by.join(", "), "{status}")
        }
        (None, _) => warn!(run, task, seconds, "{status}"),
    }
}
