//! A backfill: chunk after chunk, each under the table's lock for itself, so that loads can go between
//! them.

use std::{collections::BTreeSet, num::NonZeroU64, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Mode, RunError,
    open::{Opened, open},
    retry, start, tasks, verdict,
};
use crate::{
    clock::{self, Clock},
    config::{Environment, LoadSpec, Project},
    control::{Backfill, BackfillChunk, Holder, Lease},
    error::{Class, Failure},
    event::{BackfillOutcome, BackfilledChunk, ChunkOutcome, Event, RunOutcome, TaskOutcome, TaskStatus},
    fail_point,
    load::{
        Attempt, BackfillError, Chunk, LoadError, Loaded, Pace, Wish, Workshop, load_chunk, plan_backfill,
        refuse_if_changed,
    },
};

/// How long a chunk waits for the table's lock: loads go first, and a first load may take long.
const LOCK_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

/// How often is looked whether somebody else still wants the table.
const GIVE_WAY_LOOK: Duration = Duration::from_millis(250);

/// What a backfill is asked to do.
#[derive(Debug, Clone)]
pub struct BackfillRequest {
    /// The table.
    pub table: String,
    /// Where to write.
    pub mode: Mode,
    /// Which rows.
    pub begin: Begin,
    /// How many parts of a chunk are read at once.
    pub parts: usize,
    /// How fast rows are read at most.
    pub rows_per_second: Option<NonZeroU64>,
}

/// Whether a backfill is a new one.
#[derive(Debug, Clone)]
pub enum Begin {
    /// It is; an unfinished one of the table is an error.
    Anew(Wish),
    /// It is; an unfinished one of the table is given up.
    Restart(Wish),
    /// The table's unfinished one goes on.
    Resume,
}

/// Does what is asked for. `Err` means that nothing was started, `Ok(None)` that it was stopped before.
pub async fn backfill(
    project: &Project,
    environment: &Environment,
    request: &BackfillRequest,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Option<BackfillOutcome>, RunError> {
    let (started_at, begun, run) = (clock::System.now(), Instant::now(), clock::new_id());
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(None),
        opened = open(project, environment, request.mode, &run, events.clone(), cancel.clone()) => opened?,
    };
    let control = opened.workshop.control.clone();
    let prepared = tokio::select! {
        biased;
        () = cancel.cancelled() => Ok(None),
        prepared = prepare(project, request, &opened) => prepared.map(Some),
    };
    let outcome = match prepared {
        Ok(Some((mut backfilling, guard))) => {
            let (task, outcome) = backfilling.run(begun).await;
            drop(guard);
            let run = RunOutcome {
                status: verdict::status(std::slice::from_ref(&task), true, cancel.is_cancelled()),
                run,
                mode: request.mode.to_string(),
                started_at,
                seconds: begun.elapsed().as_secs_f64(),
                tasks: vec![task],
            };
            if let Err(error) = control.finish_run(&run).await {
                tracing::warn!(%error, "the run's end was not written to the control database");
            }
            let _ = events.send(Event::RunFinished(Box::new(run))).await;
            Ok(Some(outcome))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    if let Err(error) = control.close().await {
        tracing::warn!(%error, "the session with the control database was not closed; it ends by itself");
    }
    outcome
}

/// Everything before the first chunk. The lease keeps other backfills of the table away.
async fn prepare(
    project: &Project,
    request: &BackfillRequest,
    opened: &Opened,
) -> Result<(Backfilling, Lease), RunError> {
    let workshop = opened.workshop.clone();
    workshop.warehouse.prepare().await.map_err(RunError::Below)?;
    let reached = (&workshop.sources, &opened.schemas);
    let spec = tasks::only(project, reached, &*workshop.warehouse, &request.table).await?;
    let task = spec.target.to_string();
    refuse_if_held(&workshop, &spec).await.map_err(below)?;
    let guard = alone(&workshop, &spec).await.map_err(below)?;
    let (backfill, chunks, is_new) = journal(&workshop, &spec, &request.begin).await.map_err(below)?;
    let selection = format!("backfill {task}");
    workshop.control.start_run(&start(request.mode, selection, &workshop.run)).await?;
    // A leftover that cannot be taken away now is no reason to wait.
    if let Err(error) = crate::load::tidy(&workshop).await {
        tracing::warn!(%error, "what earlier crashes left was not all taken away");
    }
    if is_new {
        workshop.control.start_backfill(&workshop.run, &backfill, &chunks).await?;
    }
    let pace = request.rows_per_second.map(|rows| Arc::new(Pace::new(rows)));
    let (parts, warnings) = (request.parts, BTreeSet::new());
    Ok((
        Backfilling {
            workshop,
            spec,
            task,
            backfill,
            chunks,
            parts,
            pace,
            read: 0,
            written: 0,
            bytes: 0,
            warnings,
        },
        guard,
    ))
}

pub(super) fn below(error: LoadError) -> RunError {
    RunError::Below(Box::new(error))
}

async fn alone(workshop: &Workshop, spec: &LoadSpec) -> Result<Lease, LoadError> {
    let name = format!("backfill/{}", spec.target);
    let holder = Holder { run: workshop.run.clone(), what: format!("backfill {}", spec.target) };
    if let Some(lease) = workshop.control.acquire(&name, &holder, Duration::ZERO).await? {
        return Ok(lease);
    }
    Err(match workshop.control.who_holds(&name).await? {
        Some(held) => BackfillError::UnderWay {
            table: spec.target.clone(),
            run: held.run,
            host: held.host,
            pid: held.pid,
        }
        .into(),
        None => BackfillError::Locked { table: spec.target.clone(), waited_seconds: 0 }.into(),
    })
}

async fn refuse_if_held(workshop: &Workshop, spec: &LoadSpec) -> Result<(), LoadError> {
    let task = spec.target.to_string();
    match workshop.control.holds().await?.into_iter().find(|hold| hold.task == task) {
        Some(hold) => {
            Err(BackfillError::OnHold { table: spec.target.clone(), hold: hold.to_string() }.into())
        }
        None => Ok(()),
    }
}

/// The backfill that is to be done, and whether it is a new one.
async fn journal(
    workshop: &Workshop,
    spec: &LoadSpec,
    begin: &Begin,
) -> Result<(Backfill, Vec<BackfillChunk>, bool), LoadError> {
    let table = || spec.target.clone();
    let unfinished = workshop.control.unfinished_backfill(&spec.target.to_string()).await?;
    let wish = match (begin, &unfinished) {
        (Begin::Resume, None) => return Err(BackfillError::NoneToResume { table: table() }.into()),
        (Begin::Anew(_), Some((_, chunks))) => {
            let done = chunks.iter().filter(|chunk| chunk.done.is_some()).count();
            return Err(BackfillError::Unfinished { table: table(), done, chunks: chunks.len() }.into());
        }
        (Begin::Resume, Some(_)) => None,
        (Begin::Anew(wish) | Begin::Restart(wish), _) => Some(wish),
    };
    let Some(wish) = wish else {
        let last = workshop.warehouse.last_load(&spec.target).await.map_err(LoadError::Warehouse)?;
        let Some((backfill, chunks)) = unfinished else {
            return Err(BackfillError::NoneToResume { table: table() }.into());
        };
        refuse_if_changed(spec, last.as_ref(), (&backfill.base, &backfill.definition))?;
        return Ok((backfill, chunks, false));
    };
    let snapshots = workshop.sources.get(&spec.source);
    let snapshots =
        snapshots.ok_or_else(|| LoadError::NoSource { table: table(), source_name: spec.source.clone() })?;
    let snapshot = snapshots.get().await.map_err(LoadError::Source)?;
    let plan = plan_backfill(&workshop.project, spec, wish, &*snapshot, &*workshop.warehouse).await?;
    if let Some((before, _)) = &unfinished {
        workshop.control.finish_backfill(&before.id, "given_up").await?;
    }
    let backfill = Backfill {
        id: clock::new_id(),
        task: spec.target.to_string(),
        definition: plan.last.state.definition.clone(),
        base: plan.last.state.base.clone(),
        wanted: plan.wanted,
    };
    let chunks = (1..).zip(plan.slices).map(|(number, slice)| BackfillChunk {
        number,
        range: slice.range,
        expected: slice.rows,
        load: None,
        done: None,
    });
    Ok((backfill, chunks.collect(), true))
}

/// A backfill under way.
struct Backfilling {
    workshop: Arc<Workshop>,
    spec: LoadSpec,
    task: String,
    backfill: Backfill,
    chunks: Vec<BackfillChunk>,
    parts: usize,
    pace: Option<Arc<Pace>>,
    /// Rows that this process has read, and written, and their bytes in the stage.
    read: u64,
    written: u64,
    bytes: u64,
    warnings: BTreeSet<String>,
}

impl Backfilling {
    /// Does the chunks that are not done, up to the first that cannot be.
    async fn run(&mut self, begun: Instant) -> (TaskOutcome, BackfillOutcome) {
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
            self.unless_cancelled(sleep(wait)).await?;
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
        let lease = self.unless_cancelled(self.lock()).await??;
        let chunk = Arc::new(self.chunk(place));
        let attempt = Attempt {
            spec: self.spec.clone(),
            number,
            full: false,
            accept_shrink: false,
            repair: None,
            chunk: None,
            deadline_near: false,
        };
        fail_point!("backfill.chunk.before");
        let limit = self.spec.time_limit.unwrap_or(Duration::MAX);
        let late = |_| LoadError::TimeLimit { table: self.spec.target.clone(), limit };
        let result = tokio::select! {
            result = timeout(limit, load_chunk(&workshop, &attempt, chunk)) => result.map_err(late).flatten(),
            () = lease.lost() => Err(BackfillError::LockLost { table: self.spec.target.clone() }.into()),
        };
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

    async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, LoadError> {
        tokio::select! {
            biased;
            () = self.workshop.cancel.cancelled() => Err(LoadError::Cancelled),
            done = work => Ok(done),
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

    fn done(&self) -> impl Iterator<Item = &ChunkOutcome> {
        self.chunks.iter().filter_map(|chunk| chunk.done.as_ref())
    }

    fn sum(&self, what: impl Fn(&ChunkOutcome) -> Option<u64>) -> u64 {
        self.done().filter_map(what).sum()
    }

    fn fill_in(&self, task: &mut TaskOutcome) {
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

    fn outcome(&self, task: &TaskOutcome) -> BackfillOutcome {
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

    async fn tell_start(&self) {
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

    async fn tell_chunk(&self, place: usize) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let told = Event::ChunkStarted {
            task: self.task.clone(),
            chunk: self.chunks[place].number,
            chunks: count(self.chunks.len()),
            rows_before: self.read,
        };
        let _ = self.workshop.events.send(told).await;
    }

    fn tell_retry(&self, attempt: u32, attempts_max: u32, wait: Duration, failure: Failure) {
        let next_in_seconds = wait.as_secs_f64();
        let task = self.task.clone();
        let told = Event::TaskRetry { task, attempt, attempts_max, next_in_seconds, failure };
        let _ = self.workshop.events.try_send(told);
    }
}
