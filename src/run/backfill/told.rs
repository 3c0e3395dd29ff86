//! What a backfill came to, and how it tells where it is.

use std::time::Duration;

use super::{super::tasks, Backfilling};
use crate::{
    control::BackfillChunk,
    error::Failure,
    event::{BackfillOutcome, BackfilledChunk, ChunkOutcome, Event, TaskOutcome},
};

impl Backfilling {
    pub(super) fn done(&self) -> impl Iterator<Item = &ChunkOutcome> {
        self.chunks.iter().filter_map(|chunk| chunk.done.as_ref())
    }

    pub(super) fn sum(&self, what: impl Fn(&ChunkOutcome) -> Option<u64>) -> u64 {
        self.done().filter_map(what).sum()
    }

    pub(super) fn fill_in(&self, task: &mut TaskOutcome) {
        task.attempts = 1;
        task.publish = Some("merge".to_owned());
        task.reason = Some(format!("{} of {} chunks are done", self.done().count(), self.chunks.len()));
        task.rows = Some(self.written);
        task.bytes = Some(self.bytes);
        task.load = self.done().last().map(|done| done.load.clone());
        task.warnings = self.warnings.iter().cloned().collect();
        let kept = self.sum(|done| done.rows_kept);
        if kept > 0 {
            let rows = match kept {
                1 => "1 row that the source does not have was".to_owned(),
                rows => format!("{rows} rows that the source does not have were"),
            };
            task.warnings.push(format!("{rows} left: `--delete` takes such rows away"));
        }
    }

    pub(super) fn outcome(&self, task: &TaskOutcome) -> BackfillOutcome {
        let chunk = |chunk: &BackfillChunk| BackfilledChunk {
            number: chunk.number,
            range: chunk.range.clone(),
            rows_expected: chunk.expected,
            done: chunk.done.clone(),
        };
        BackfillOutcome {
            run: self.workshop.run.clone(),
            backfill: self.backfill.id.clone(),
            mode: self.workshop.mode.clone(),
            task: self.task.clone(),
            status: task.status,
            chunks: self.chunks.iter().map(chunk).collect(),
            seconds: task.seconds,
            warnings: task.warnings.clone(),
            error: task.error.clone(),
        }
    }

    pub(super) async fn tell_start(&self) {
        let left = self.chunks.iter().filter(|chunk| chunk.done.is_none()).map(|chunk| chunk.expected);
        let events = &self.workshop.events;
        let run = Event::RunStarted {
            run: self.workshop.run.clone(),
            mode: self.workshop.mode.clone(),
            place: self.workshop.warehouse.place(),
            schemas: vec![self.spec.target.schema.clone()],
            tasks: vec![self.task.clone()],
        };
        let _ = events.send(run).await;
        let task = Event::TaskStarted {
            task: self.task.clone(),
            tier: tasks::tier(&self.spec),
            strategy: self.spec.strategy.to_string(),
            attempt: 1,
            rows_expected: Some(left.sum()),
        };
        let _ = events.send(task).await;
    }

    pub(super) async fn tell_chunk(&self, place: usize) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let told = Event::ChunkStarted {
            task: self.task.clone(),
            chunk: self.chunks[place].number,
            chunks: count(self.chunks.len()),
            rows_before: self.read,
        };
        let _ = self.workshop.events.send(told).await;
    }

    pub(super) fn tell_retry(&self, attempt: u32, attempts_max: u32, wait: Duration, failure: Failure) {
        let next_in_seconds = wait.as_secs_f64();
        let task = self.task.clone();
        let told = Event::TaskRetry { task, attempt, attempts_max, next_in_seconds, failure };
        let _ = self.workshop.events.try_send(told);
    }
}
