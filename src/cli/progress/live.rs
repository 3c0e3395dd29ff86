//! Live lines on a terminal: one a task that is under way; ended ones stay above them.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::line::{self, Line, Now, Widths};
use crate::{
    cli::{
        names::ShortNames,
        screen::{LiveLine, Screen},
        style, summary,
    },
    event::{Event, Step, Tier},
};

/// The tasks that are under way.
pub(in crate::cli) struct Live {
    screen: Screen,
    names: ShortNames,
    widths: Widths,
    tasks: HashMap<String, Task>,
}

struct Task {
    line: Line,
    shown: LiveLine,
    /// Rows of chunks that are done.
    rows_before: u64,
    began: Instant,
    next_attempt: Instant,
}

impl Live {
    pub(super) fn new(screen: Screen) -> Self {
        Self { screen, names: ShortNames::default(), widths: Widths::default(), tasks: HashMap::new() }
    }

    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted { mode, place, schemas, tasks, .. } => {
                self.screen.write(&format!("{}\n", summary::first_line(mode, schemas, place)));
                self.names = ShortNames::of(tasks.iter().map(String::as_str));
                self.widths = Widths { name: self.names.width(), screen: self.screen.width() };
            }
            Event::TaskStarted { task, tier, strategy, rows_expected, .. } => {
                self.start(task, *tier, strategy, *rows_expected);
            }
            Event::ChunkStarted { task, chunk, chunks, rows_before } => {
                if let Some(task) = self.tasks.get_mut(task) {
                    task.line.chunk = Some((*chunk, *chunks));
                    task.rows_before = *rows_before;
                }
            }
            Event::TaskProgress { task, step, rows, bytes } => self.advance(task, *step, *rows, *bytes),
            Event::TaskRetry { task, attempt, attempts_max, next_in_seconds, failure } => {
                let wait = Duration::try_from_secs_f64(*next_in_seconds).unwrap_or_default();
                if let Some(task) = self.tasks.get_mut(task) {
                    task.next_attempt = Instant::now() + wait;
                    task.line.now = Now::Retrying {
                        attempt: *attempt,
                        attempts_max: *attempts_max,
                        wait,
                        failure: failure.clone(),
                    };
                }
            }
            Event::TaskSlow { task, warn_after_seconds, .. } => {
                self.warn(Some(task), &line::slow(*warn_after_seconds));
            }
            Event::Warning { task, message } => self.warn(task.as_deref(), message),
            Event::TaskFinished(outcome) => {
                self.tasks.remove(&outcome.task);
                let text = line::ended(self.names.short(&outcome.task), outcome, self.widths);
                self.screen.write(&format!("{text}\n"));
            }
            Event::RunFinished(_) => self.tasks.clear(),
        }
    }

    pub(super) fn refresh(&mut self) {
        self.widths.screen = self.screen.width();
        for task in self.tasks.values_mut() {
            task.refresh(self.widths);
        }
    }

    fn start(&mut self, name: &str, tier: Tier, strategy: &str, rows_expected: Option<u64>) {
        let now =
            Now::Working { step: Step::Waiting, rows: 0, bytes: 0, rows_expected, elapsed: Duration::ZERO };
        let (name_shown, strategy) = (self.names.short(name).to_owned(), strategy.to_owned());
        let line = Line { name: name_shown, tier, strategy, chunk: None, now };
        // A second attempt goes on in the same line.
        let shown = match self.tasks.remove(name) {
            Some(earlier) => earlier.shown,
            None => self.screen.add_line(),
        };
        let began = Instant::now();
        let mut task = Task { line, shown, rows_before: 0, began, next_attempt: began };
        task.refresh(self.widths);
        self.tasks.insert(name.to_owned(), task);
    }

    fn advance(&mut self, name: &str, new_step: Step, new_rows: u64, new_bytes: u64) {
        let Some(task) = self.tasks.get_mut(name) else { return };
        if let Now::Working { step, rows, bytes, .. } = &mut task.line.now {
            if *step != new_step && is_before_the_rows(*step) {
                // The rate counts from the first byte, not from the wait for a lock.
                task.began = Instant::now();
            }
            (*step, *rows, *bytes) = (new_step, task.rows_before + new_rows, new_bytes);
        }
    }

    fn warn(&self, task: Option<&str>, message: &str) {
        let about = task.map_or(String::new(), |task| format!("{}: ", self.names.short(task)));
        self.screen.write(&format!("{} {about}{message}\n", style::paint(style::WARNING, "warning:")));
    }
}

fn is_before_the_rows(step: Step) -> bool {
    matches!(step, Step::Waiting | Step::AwaitingConnection | Step::Working)
}

impl Task {
    fn refresh(&mut self, widths: Widths) {
        match &mut self.line.now {
            Now::Working { elapsed, .. } => *elapsed = self.began.elapsed(),
            Now::Retrying { wait, .. } => {
                *wait = self.next_attempt.saturating_duration_since(Instant::now());
            }
        }
        self.shown.set(&self.line.text(widths));
    }
}
