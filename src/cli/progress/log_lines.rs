//! Log lines: what a run does where nobody watches a terminal.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::{
    cli::{quantity, summary},
    event::{Event, Step, TaskOutcome, TaskStatus},
};

/// A task that goes on says so this often, and no more.
const EVERY: Duration = Duration::from_secs(30);

/// What is remembered: when each task was last heard of, and in which step.
#[derive(Debug, Default)]
pub(in crate::cli) struct LogLines {
    last: HashMap<String, (Instant, Step)>,
}

impl LogLines {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, mode, place, schemas, tasks } => {
                let line = summary::first_line(mode, schemas, place);
                info!(run, tasks = tasks.len(), "{line}");
            }
            Event::TaskStarted { task, strategy, attempt, rows_expected, .. } => {
                self.last.insert(task.clone(), (Instant::now(), Step::Waiting));
                info!(task, strategy, attempt, rows_expected, "started");
            }
            Event::ChunkStarted { task, chunk, chunks, rows_before } => {
                info!(task, rows_before, "chunk {chunk} of {chunks}");
            }
            Event::TaskProgress { task, step, rows, bytes } => self.advance(task, *step, *rows, *bytes),
            Event::TaskRetry { task, attempt, attempts_max, next_in_seconds, failure } => {
                let seconds = next_in_seconds.ceil();
                warn!(
                    task,
                    error = failure.message,
                    "attempt {attempt} of {attempts_max} failed, next in {seconds} s"
                );
            }
            Event::TaskSlow { task, attempt, warn_after_seconds } => {
                warn!(task, attempt, "{}", super::line::slow(*warn_after_seconds));
            }
            Event::Warning { task, message } => warn!(task, "{message}"),
            Event::TaskFinished(outcome) => {
                self.last.remove(&outcome.task);
                ended(outcome);
            }
            Event::RunFinished(outcome) => {
                let seconds = outcome.seconds;
                info!(run = outcome.run, status = summary::status_word(outcome.status), seconds, "ended");
            }
        }
    }

    fn advance(&mut self, task: &str, step: Step, rows: u64, bytes: u64) {
        let now = Instant::now();
        let due = match self.last.get(task) {
            Some((at, last_step)) => {
                *last_step != step
                    && matches!(step, Step::AwaitingConnection | Step::Publishing | Step::Comparing)
                    || now - *at >= EVERY
            }
            None => true,
        };
        if due {
            self.last.insert(task.to_owned(), (now, step));
            let doing = match step {
                Step::Waiting => "waits",
                Step::AwaitingConnection => "waits for a connection",
                Step::Working => "works",
                Step::Extracting => "extracts",
                Step::Filling => "fills",
                Step::Publishing => "publishes",
                Step::Comparing => "compares source and warehouse",
            };
            info!(task, rows, bytes, "{doing}");
        }
    }
}

fn ended(outcome: &TaskOutcome) {
    let TaskOutcome { task, seconds, rows, bytes, attempts, .. } = outcome;
    let status = summary::task_status_word(outcome.status);
    match (&outcome.error, outcome.status) {
        (Some(failure), TaskStatus::Failed) => {
            error!(task, seconds, attempts, error = failure.message, hint = failure.hint, "{status}");
        }
        (_, TaskStatus::Succeeded | TaskStatus::Unchanged) => {
            let took = quantity::duration(*seconds);
            info!(task, seconds, rows, bytes, attempts, load = outcome.load, "{status} in {took}");
        }
        (Some(failure), _) => warn!(task, seconds, error = failure.message, "{status}"),
        (None, TaskStatus::Blocked) => warn!(task, blocked_by = outcome.blocked_by.join(", "), "{status}"),
        (None, _) => warn!(task, seconds, "{status}"),
    }
}
