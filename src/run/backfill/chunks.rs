//! The chunks of a backfill: each tried until it is done, under the table's lock.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    super::{
        retry, tasks,
        time_limits::{Timed, within},
    },
    Backfilling,
    prepare::refuse_if_held,
};
use crate::{
    control::{Holder, Lease},
    error::{Class, Failure},
    event::{BackfillOutcome, ChunkOutcome, Event, TaskOutcome, TaskStatus, Tier},
    fail_point,
    load::{Attempt, BackfillError, Chunk, LoadError, Loaded, load_chunk},
};

/// How long a chunk waits for the table's lock: loads go first, and a first load may take long.
const LOCK_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

/// How often is looked whether somebody else still wants the table.
const GIVE_WAY_LOOK: Duration = Duration::from_millis(250);

impl Backfilling {
    /// Does the chunks that are not done, up to the first that cannot be.
    pub(super) async fn run(&mut self, begun: Instant) -> (TaskOutcome, BackfillOutcome) {
        let workshop = self.workshop.clone();
        let tier = tasks::tier(&self.spec);
        if let Err(error) = workshop.control.start_task(&workshop.run, &self.task, "backfill", tier).await {
            tracing::warn!(%error, "the task's start was not written to the control database");
        }
        self.tell_start().await;
        let result = self.all().await;
        let mut task = TaskOutcome {
            kind: "backfill".to_owned(),
            strategy: Some(self.spec.strategy.to_string()),
            seconds: begun.elapsed().as_secs_f64(),
            ..TaskOutcome::new(&self.task, tier)
        };
        match result {
            Ok(()) => task.status = TaskStatus::Succeeded,
            Err(LoadError::Cancelled) => {}
            Err(error) => {
                let failure = Failure::of(&error);
                let is_held = failure.class == Class::Held;
                task.status = if is_held { TaskStatus::Held } else { TaskStatus::Failed };
                task.error = Some(failure);
            }
        }
        self.fill_in(&mut task);
        if let Err(error) = workshop.control.finish_task(&workshop.run, &task).await {
            tracing::warn!(%error, "the task's end was not written to the control database");
        }
        let _ = workshop.events.send(Event::TaskFinished(Box::new(task.clone()))).await;
        let outcome = self.outcome(&task);
        (task, outcome)
    }

    async fn all(&mut self) -> Result<(), LoadError> {
        for place in 0..self.chunks.len() {
            if self.chunks[place].done.is_some() {
                continue;
            }
            self.tell_chunk(place).await;
            let begun = Instant::now();
            let mut done = self.tries(place).await?;
            done.seconds = Some(begun.elapsed().as_secs_f64());
            self.read += done.rows_read.unwrap_or(0);
            fail_point!("backfill.chunk.after");
            let (id, number) = (&self.backfill.id, self.chunks[place].number);
            self.workshop.control.finish_chunk(id, number, &done).await?;
            self.chunks[place].done = Some(done);
        }
        self.workshop.control.finish_backfill(&self.backfill.id, "succeeded").await?;
        Ok(())
    }

    /// Tries a chunk until it is done or it is not worth it.
    async fn tries(&mut self, place: usize) -> Result<ChunkOutcome, LoadError> {
        let most = self.spec.attempts.max(1);
        let mut waits = retry::waits(most);
        let mut tried = self.chunks[place].load.clone();
        for number in 1.. {
            if let Some(done) = self.is_done(tried.as_deref()).await? {
                return Ok(done);
            }
            let error = match self.under_lock(place, number).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let failure = Failure::of(&error);
            let wait = match waits.next() {
                Some(wait) if retry::is_worth_another_try(failure.class) => wait,
                _ => return Err(error),
            };
            if matches!(error, LoadError::Cancelled) {
                return Err(error);
            }
            self.tell_retry(number, most, wait, failure);
            self.workshop.unless_cancelled(sleep(wait)).await?;
            tried = self.workshop.control.chunk_load(&self.backfill.id, self.chunks[place].number).await?;
        }
        Err(LoadError::Cancelled)
    }

    /// What an earlier try did, if it was published after all: its process died, or the answer was lost.
    async fn is_done(&self, load: Option<&str>) -> Result<Option<ChunkOutcome>, LoadError> {
        let Some(load) = load else { return Ok(None) };
        let warehouse = &self.workshop.warehouse;
        if !warehouse.is_published(load).await.map_err(LoadError::Warehouse)? {
            return Ok(None);
        }
        let rows = warehouse.loads(&self.spec.target).await.map_err(LoadError::Warehouse)?;
        let row = rows.into_iter().find(|row| row.load == load);
        Ok(Some(ChunkOutcome {
            load: load.to_owned(),
            rows_read: row.as_ref().map(|row| row.rows),
            rows_written: None,
            rows_deleted: row.as_ref().and_then(|row| row.deleted_rows),
            rows_kept: None,
            seconds: None,
        }))
    }

    /// One try, under the table's lock.
    async fn under_lock(&mut self, place: usize, number: u32) -> Result<ChunkOutcome, LoadError> {
        let workshop = self.workshop.clone();
        let lease = self.workshop.unless_cancelled(self.lock()).await??;
        let chunk = Arc::new(self.chunk(place));
        // Nothing waits for it: a load goes first, whatever its tier. Rows of before are brought as they are: what is
        // checked is what loads bring.
        let attempt = Attempt { number, ..Attempt::of(self.spec.clone(), Tier::Optional) };
        fail_point!("backfill.chunk.before");
        let limit = self.spec.time_limit;
        let timed = [Timed::new(self.task.clone(), self.spec.warn_after)];
        let work = load_chunk(&workshop, &attempt, chunk);
        let result = tokio::select! {
            result = within(&workshop, number, &timed, limit, &attempt.beginning, work) => {
                result.unwrap_or_else(|| {
                    let (table, limit) = (self.spec.target.clone(), limit.unwrap_or_default());
                    Err(LoadError::TimeLimit { table, limit })
                })
            }
            () = lease.lost() => Err(BackfillError::LockLost { table: self.spec.target.clone() }.into()),
        };
        self.warnings.extend(timed.iter().filter_map(|timed| timed.warning(number)));
        self.end_attempt(number, &result).await;
        if let Err(error) = lease.release().await {
            tracing::warn!(%error, "the table's lock was not given back; it frees itself");
        }
        let loaded = result?;
        self.written += loaded.rows;
        self.bytes += loaded.bytes;
        self.warnings.extend(loaded.warnings);
        Ok(ChunkOutcome {
            load: loaded.load,
            rows_read: Some(loaded.read_rows),
            rows_written: Some(loaded.rows),
            rows_deleted: loaded.deleted_rows,
            rows_kept: Some(loaded.kept_rows),
            seconds: None,
        })
    }

    /// The table's lock, when nobody else wants it any more.
    async fn lock(&self) -> Result<Lease, LoadError> {
        let (workshop, begun) = (&self.workshop, Instant::now());
        // Who has the lock may be waiting for just the connections that the last chunk's snapshot holds. And the next
        // chunk must not stand behind a load that goes first.
        if let Some(snapshots) = workshop.sources.get(&self.spec.source) {
            snapshots.give_up(None).await;
        }
        while workshop.control.is_wanted_elsewhere(&workshop.run, &self.task).await?
            && begun.elapsed() < LOCK_WAIT
        {
            sleep(GIVE_WAY_LOOK).await;
        }
        let number = self.chunks.iter().filter(|chunk| chunk.done.is_some()).count() + 1;
        let what = format!("backfill {}, chunk {number} of {}", self.task, self.chunks.len());
        let holder = Holder { run: workshop.run.clone(), what };
        let wait = LOCK_WAIT.saturating_sub(begun.elapsed());
        let lease = workshop.control.acquire(&format!("task/{}", self.task), &holder, wait).await?;
        let Some(lease) = lease else {
            let (table, waited_seconds) = (self.spec.target.clone(), begun.elapsed().as_secs());
            return Err(BackfillError::Locked { table, waited_seconds }.into());
        };
        // Once the lock is had: whoever had it may have put the table on hold.
        refuse_if_held(workshop, &self.spec).await.map(|()| lease)
    }

    fn chunk(&self, place: usize) -> Chunk {
        let (chunk, wanted) = (&self.chunks[place], &self.backfill.wanted);
        let is_last = self.chunks[place + 1..].iter().all(|later| later.done.is_some());
        Chunk {
            backfill: self.backfill.id.clone(),
            number: chunk.number,
            range: chunk.range.clone(),
            expected: chunk.expected,
            delete: wanted.delete,
            base: self.backfill.base.clone(),
            definition: self.backfill.definition.clone(),
            completes: if is_last && wanted.is_whole { wanted.awaiting.clone() } else { Vec::new() },
            deleted_before: self.sum(|done| done.rows_deleted),
            parts: self.parts,
            pace: self.pace.clone(),
        }
    }

    async fn end_attempt(&self, number: u32, result: &Result<Loaded, LoadError>) {
        let (status, failure) = match result {
            Ok(_) => (TaskStatus::Succeeded, None),
            Err(LoadError::Cancelled) => (TaskStatus::Cancelled, None),
            Err(error) => (TaskStatus::Failed, Some(Failure::of(error))),
        };
        let (control, run) = (&self.workshop.control, &self.workshop.run);
        let ended = control.finish_attempt(run, &self.task, number, status, failure.as_ref()).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the attempt's end was not written to the control database");
        }
    }
}
