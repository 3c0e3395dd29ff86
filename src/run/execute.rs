//! Doing the tasks: what may start is asked of the scheduler, each task is done under its lock and tried as
//! often as it is worth.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Request, alarms,
    attempt::attempt,
    blocked,
    deadlines::{self, Attempts, Deadlines},
    held,
    job::{self, Came, Job, JobError, Showing, Shown},
    ready::{Because, Before, Blocked, End, Limits, Scheduler, Start},
    retry,
    tasks::Tasks,
    tell::Teller,
    work::{How, Work},
};
use crate::{
    clock::{self, Clock},
    control::{Holder, Lease, Observation},
    dag::{Kind, NodeId},
    error::{Class, Failure, Fault},
    event::{DeadlineOutcome, Event, InputTaken, Step, TaskOutcome, TaskStatus, Verification},
    incident::Seen,
    load::{LoadError, Loaded, Verified, Workshop, verified_in_words},
    schema::in_words,
    sql::TableName,
};

/// What is known before a run.
pub(super) struct Known {
    /// The last published load of each table.
    pub(super) showing: Showing,
    /// Of a run that is resumed: what has ended well already.
    pub(super) ended: Vec<(NodeId, End)>,
    /// How many attempts at each task ended with their process.
    pub(super) crashed: HashMap<NodeId, u32>,
    /// The time zone of the project's deadlines.
    pub(super) zone: TimeZone,
}

/// What became of a run.
pub(super) struct Executed {
    /// In the order in which they ended.
    pub(super) tasks: Vec<TaskOutcome>,
    pub(super) deadlines: Vec<DeadlineOutcome>,
}

/// Does all selected tasks.
pub(super) async fn execute(
    workshop: &Arc<Workshop>,
    tasks: Tasks,
    known: Known,
    request: &Request,
    teller: Option<&Teller>,
) -> Executed {
    let (tasks, showing) = (Arc::new(tasks), Arc::new(known.showing));
    let expected_seconds = tasks.expected_seconds();
    let of_table = |table: &TableName| Some(showing.get(table)?.as_of);
    let as_of = |task: NodeId| tasks.meanings.as_of(tasks.job(task).target()?, &of_table);
    let published: Vec<Option<Timestamp>> = tasks.graph.tasks().map(as_of).collect();
    let before = Before { expected_seconds: &expected_seconds, published: &published, ended: &known.ended };
    let limits = Limits { jobs: request.jobs.max(1), ..Limits::default() };
    let scheduler = Scheduler::new(&tasks.graph, tasks.selected(), before, &limits);
    let attempts = Attempts::default();
    let deadlines = match teller {
        Some(teller) if request.work == Work::Load => {
            let known = deadlines::Known {
                tasks: &tasks,
                zone: known.zone,
                published: published.clone(),
                ended: &known.ended,
                limits: limits.clone(),
                attempts: attempts.clone(),
                control: &workshop.control,
                run: &workshop.run,
            };
            Deadlines::watch(known, teller.observer()).await
        }
        _ => None,
    };
    let mut readers_left: HashMap<String, usize> = HashMap::new();
    let ended: HashSet<NodeId> = known.ended.iter().map(|(task, _)| *task).collect();
    let is_open = |task: &&NodeId| !ended.contains(task);
    for source in tasks.selected().iter().filter(is_open).filter_map(|task| tasks.job(*task).source()) {
        *readers_left.entry(source.to_owned()).or_default() += 1;
    }
    let walk = Walk {
        workshop: workshop.clone(),
        tasks: tasks.clone(),
        showing,
        how: How::of(request),
        under_way: JoinSet::new(),
        doing: HashMap::new(),
        outcomes: Vec::new(),
        readers_left,
        crashed: known.crashed,
        teller,
        deadlines,
        attempts,
        drain: request.drain.clone(),
    };
    if let Some(teller) = teller {
        teller.observe(alarms::run_began());
        if request.work == Work::Load && request.select.is_empty() {
            tell_gone(workshop, &tasks, teller).await;
        }
    }
    walk.end_all(scheduler).await
}

/// Ends incidents of tasks that the project has no more: nobody else would.
async fn tell_gone(workshop: &Workshop, tasks: &Tasks, teller: &Teller) {
    let open = match workshop.control.incidents(&workshop.project, false, INCIDENTS_LOOKED_AT).await {
        Ok(open) => open,
        Err(error) => {
            tracing::warn!(%error, "what is open of tasks that are gone is not known");
            return;
        }
    };
    let names: HashSet<String> = tasks.graph.tasks().map(|task| tasks.job(task).name()).collect();
    for kept in open {
        let Some(task) = kept.incident.alarm.task.filter(|task| !names.contains(task)) else { continue };
        tracing::info!(task, "its incident is over: the project has no such task any more");
        teller.observe(Observation {
            cause: kept.incident.alarm.cause,
            seen: Seen::Well,
            part_of: Vec::new(),
        });
    }
}

const INCIDENTS_LOOKED_AT: u32 = 1_000;

/// A run under way.
struct Walk<'a> {
    workshop: Arc<Workshop>,
    tasks: Arc<Tasks>,
    showing: Arc<Showing>,
    how: How,
    under_way: JoinSet<Vec<(NodeId, TaskOutcome)>>,
    /// What each of those does.
    doing: HashMap<Id, Vec<NodeId>>,
    outcomes: Vec<TaskOutcome>,
    /// By source.
    readers_left: HashMap<String, usize>,
    crashed: HashMap<NodeId, u32>,
    teller: Option<&'a Teller>,
    deadlines: Option<Deadlines>,
    attempts: Attempts,
    /// No other task begins.
    drain: CancellationToken,
}

impl Walk<'_> {
    async fn end_all(mut self, mut scheduler: Scheduler<'_>) -> Executed {
        loop {
            if self.workshop.cancel.is_cancelled() || self.drain.is_cancelled() {
                for task in scheduler.stop() {
                    let outcome = self.outcome(task);
                    self.end(task, outcome).await;
                }
            }
            let now = clock::System.now();
            let next = scheduler.next(now);
            let mut starts = next.starts;
            while !starts.is_empty() {
                // Tables that must match each other are one unit, however many of them got a slot.
                let first = starts.remove(0);
                let along = self.tasks.along(first.task);
                let (with, others) = starts.into_iter().partition(|start| along.contains(&start.task));
                starts = others;
                let mut unit: Vec<Start> = std::iter::once(first).chain(with).collect();
                unit.extend(along.into_iter().filter_map(|task| scheduler.start_along(task, now)));
                self.start(unit);
            }
            for blocked in next.blocked {
                self.block(&blocked).await;
            }
            if self.under_way.is_empty() {
                break;
            }
            let ended = tokio::select! {
                ended = self.under_way.join_next_with_id() => ended,
                () = self.workshop.cancel.cancelled(), if !self.workshop.cancel.is_cancelled() => continue,
                () = self.drain.cancelled(), if !self.drain.is_cancelled() => continue,
            };
            let mut ended = ended.map(|ended| self.came_back(ended)).unwrap_or_default();
            // What failed is known before what it blocks.
            ended.sort_by_key(|(_, outcome)| outcome.status != TaskStatus::Failed);
            for (task, outcome) in ended {
                scheduler.ended(task, end_of(&outcome));
                if let Some(deadlines) = &self.deadlines {
                    deadlines.end(task, end_of(&outcome));
                }
                self.release_snapshot(task).await;
                self.keep(task, outcome);
            }
        }
        let deadlines = match self.deadlines {
            Some(deadlines) => deadlines.finish().await,
            None => Vec::new(),
        };
        Executed { tasks: self.outcomes, deadlines }
    }

    /// A task as it is before it starts: stopped, until something else is known.
    fn outcome(&self, task: NodeId) -> TaskOutcome {
        let job = self.tasks.job(task);
        TaskOutcome {
            kind: kind_of(job, &self.how).to_owned(),
            strategy: job.strategy(),
            definition: self.tasks.definition(task, self.workshop.dialect()),
            ..TaskOutcome::new(&job.name(), self.tasks.graph.tier(task))
        }
    }

    /// Starts tasks that are done in one go.
    fn start(&mut self, starts: Vec<Start>) {
        let ids: Vec<NodeId> = starts.iter().map(|start| start.task).collect();
        let members = starts.iter().map(|start| self.member(start)).collect();
        let (workshop, tasks, showing) = (self.workshop.clone(), self.tasks.clone(), self.showing.clone());
        let (how, attempts, of) = (self.how.clone(), self.attempts.clone(), ids.clone());
        if let Some(deadlines) = &self.deadlines {
            ids.iter().for_each(|task| deadlines.begin(*task));
        }
        let work = async move {
            let around = Surroundings { tasks: &tasks, showing: &showing, how: &how, attempts: &attempts };
            let outcomes = do_unit(&workshop, members, &around).await;
            of.into_iter().zip(outcomes).collect()
        };
        let handle = self.under_way.spawn(work.in_current_span());
        self.doing.insert(handle.id(), ids);
    }

    fn member(&self, start: &Start) -> Member {
        let mut outcome = self.outcome(start.task);
        let mut stale = BTreeMap::new();
        for input in &start.stale {
            let job = self.tasks.job(input.task);
            let age_seconds = input.age.as_secs();
            outcome.inputs.push(InputTaken {
                task: job.name(),
                as_of: input.as_of,
                age_seconds,
                because: because(input.because).to_owned(),
            });
            if input.because != Because::NotSelected
                && let Some(target) = job.target()
            {
                stale.insert(target.clone(), input.age);
            }
        }
        Member {
            job: self.tasks.job(start.task).clone(),
            outcome,
            stale,
            rows_expected: self.tasks.expected(start.task).and_then(|expected| expected.rows),
            crashed: self.crashed.get(&start.task).copied().unwrap_or(0),
            due_at: self.deadlines.as_ref().and_then(|deadlines| deadlines.due_at(start.task)),
            done: false,
        }
    }

    /// What came back of a unit; a unit that ended by itself failed.
    fn came_back(
        &mut self,
        ended: Result<(Id, Vec<(NodeId, TaskOutcome)>), JoinError>,
    ) -> Vec<(NodeId, TaskOutcome)> {
        match ended {
            Ok((id, outcomes)) => {
                self.doing.remove(&id);
                outcomes
            }
            Err(error) => {
                tracing::error!(%error, "a task ended by itself");
                let ids = self.doing.remove(&error.id()).unwrap_or_default();
                let failure =
                    Failure { class: Class::Bug, message: "the task ended by itself".to_owned(), hint: None };
                let failed = |task: NodeId| {
                    let error = Some(failure.clone());
                    (task, TaskOutcome { status: TaskStatus::Failed, error, ..self.outcome(task) })
                };
                ids.into_iter().map(failed).collect()
            }
        }
    }

    /// Writes down a task that cannot run.
    async fn block(&mut self, blocked: &Blocked) {
        let mut outcome = self.outcome(blocked.task);
        outcome.status = TaskStatus::Blocked;
        outcome.blocked_by = vec![self.tasks.job(blocked.cause.task).name()];
        outcome.as_of = blocked.published;
        outcome.error = Some(blocked::failure(blocked, &self.tasks));
        self.end(blocked.task, outcome).await;
    }

    /// The end of a task that never started.
    async fn end(&mut self, task: NodeId, outcome: TaskOutcome) {
        finish(&self.workshop, &outcome).await;
        self.release_snapshot(task).await;
        self.keep(task, outcome);
    }

    fn keep(&mut self, task: NodeId, outcome: TaskOutcome) {
        if let Some(teller) = self.teller
            && let Some(observation) = alarms::of_task(&self.tasks, task, &outcome)
        {
            teller.observe(observation);
        }
        self.outcomes.push(outcome);
    }

    /// When nobody is left who reads a source nobody needs its snapshot any more: it must not be held while models
    /// are made.
    async fn release_snapshot(&mut self, task: NodeId) {
        let Some(source) = self.tasks.job(task).source() else { return };
        let Some(left) = self.readers_left.get_mut(source) else { return };
        *left = left.saturating_sub(1);
        if *left == 0
            && let Some(snapshots) = self.workshop.sources.get(source)
        {
            snapshots.give_up(None).await;
        }
    }
}

fn end_of(outcome: &TaskOutcome) -> End {
    match outcome.status {
        TaskStatus::Succeeded => End::Succeeded(outcome.as_of),
        TaskStatus::Unchanged => End::Unchanged(outcome.as_of),
        TaskStatus::Failed | TaskStatus::Blocked => End::Failed,
        TaskStatus::Held => End::Held,
        TaskStatus::Skipped => End::Skipped,
        TaskStatus::Cancelled => End::Cancelled,
    }
}

fn because(because: Because) -> &'static str {
    match because {
        Because::NotSelected => "not of this run",
        Because::Failed => "failed",
        Because::Blocked => "blocked",
        Because::Cancelled => "stopped",
        Because::Held => "held",
        Because::Skipped => "skipped",
    }
}

/// What a person asked for by hand is done with loads alone.
fn kind_of(job: &Job, how: &How) -> &'static str {
    match job.kind() {
        Kind::Load => how.work.verb(),
        kind => kind.as_str(),
    }
}

/// One unit, from its locks to its outcomes.
async fn do_unit(
    workshop: &Workshop,
    mut members: Vec<Member>,
    around: &Surroundings<'_>,
) -> Vec<TaskOutcome> {
    let Surroundings { showing, how, .. } = *around;
    let begun = Instant::now();
    for Member { outcome, .. } in &members {
        let started = workshop.control.start_task(&workshop.run, &outcome.task, &outcome.kind, outcome.tier);
        if let Err(error) = started.await {
            tracing::warn!(task = outcome.task, %error, "the task's start was not written to the control database");
        }
    }
    let leases = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => Err(LoadError::Cancelled),
        leases = may_begin(workshop, &members, how) => leases,
    };
    let mut held = Vec::new();
    match leases {
        Ok(May::Begin(leases)) => {
            tokio::select! {
                () = tries(workshop, &mut members, around, &leases) => {}
                () = lost(&leases) => fail_all(&mut members, &lock_lost()),
            }
            held = leases;
        }
        Ok(May::Wait(why)) => members.iter_mut().for_each(|member| {
            member.outcome.status = TaskStatus::Held;
            member.outcome.error = why.get(&member.outcome.task).cloned();
        }),
        Err(LoadError::Cancelled) => {}
        Err(error) => fail_all(&mut members, &Failure::of(&error)),
    }
    let mut outcomes = Vec::new();
    for member in members {
        let mut outcome = member.outcome;
        outcome.seconds = clock::seconds(begun.elapsed());
        if let (Some(target), Some(load), Some(as_of)) = (member.job.target(), &outcome.load, outcome.as_of) {
            showing.set(target, Shown { load: load.clone(), as_of, sample: outcome.sample });
        }
        outcomes.push(outcome);
    }
    // Side by side: each waits for a disk.
    let finished = async {
        for outcome in &outcomes {
            finish(workshop, outcome).await;
        }
    };
    tokio::join!(finished, release(held));
    outcomes
}

async fn release(leases: Vec<Lease>) {
    for lease in leases {
        if let Err(error) = lease.release().await {
            tracing::warn!(%error, "a task's lock was not given back; it frees itself");
        }
    }
}

/// Writes a task's end down, and tells it.
async fn finish(workshop: &Workshop, outcome: &TaskOutcome) {
    let recorded = workshop.control.record_checks(&workshop.run, &outcome.task, &outcome.checks);
    if let Err(error) = recorded.await {
        tracing::warn!(task = outcome.task, %error, "what its checks found was not written to the control database");
    }
    if let Err(error) = workshop.control.finish_task(&workshop.run, outcome).await {
        tracing::warn!(task = outcome.task, %error, "the task's end was not written to the control database");
    }
    let _ = workshop.events.send(Event::TaskFinished(Box::new(outcome.clone()))).await;
}

/// What a unit needs beside the workshop.
pub(super) struct Surroundings<'a> {
    pub(super) tasks: &'a Tasks,
    pub(super) showing: &'a Showing,
    pub(super) how: &'a How,
    pub(super) attempts: &'a Attempts,
}

/// A task of a unit and what is known of it so far.
pub(super) struct Member {
    pub(super) job: Job,
    pub(super) outcome: TaskOutcome,
    /// Tables that it takes as they were last published though they should be newer, with their age.
    pub(super) stale: BTreeMap<TableName, Duration>,
    /// The rows that it had before, where that is known.
    rows_expected: Option<u64>,
    /// How many earlier attempts ended with their process: they count.
    crashed: u32,
    /// When its deadline is or was due, where it is not met.
    pub(super) due_at: Option<Timestamp>,
    done: bool,
}

impl Member {
    fn take(&mut self, result: Result<Came, JobError>, how: &How) -> Option<Failure> {
        let outcome = &mut self.outcome;
        match result {
            Ok(Came::Made(made)) => {
                self.done = true;
                outcome.error = None;
                job::take_made(outcome, made);
                None
            }
            Ok(Came::Checked { outcomes, hint }) => {
                self.done = true;
                job::take_checked(outcome, outcomes, hint);
                None
            }
            Ok(Came::Ran) => {
                self.done = true;
                outcome.error = None;
                outcome.status = TaskStatus::Succeeded;
                outcome.as_of = Some(clock::System.now());
                None
            }
            Ok(Came::Skipped(why)) => {
                self.done = true;
                outcome.error = None;
                outcome.status = TaskStatus::Skipped;
                outcome.reason = Some(why);
                None
            }
            Ok(Came::Loaded(verified)) => {
                let Verified { loaded, verification } = *verified;
                self.done = true;
                outcome.error = None;
                if let Some(loaded) = loaded {
                    take_loaded(outcome, loaded);
                    let sample = self.job.load().and_then(|spec| spec.sample.as_ref());
                    outcome.sample = sample.map(|sample| sample.rows);
                }
                if matches!(how.work, Work::Verify(_)) {
                    let is_loop = self.job.load().is_some_and(|spec| spec.work().is_some());
                    take_verification(outcome, verification, is_loop);
                }
                None
            }
            Err(error) if error.is_cancelled() => {
                self.done = true;
                outcome.status = TaskStatus::Cancelled;
                None
            }
            Err(error) => {
                let failure =
                    Failure { class: error.class(), message: error.to_string(), hint: error.hint() };
                outcome.status = TaskStatus::Failed;
                outcome.checks = error.checks().to_vec();
                if let JobError::Load(LoadError::GroupMember { other, .. }) = &error {
                    outcome.status = TaskStatus::Blocked;
                    outcome.blocked_by = vec![other.to_string()];
                }
                outcome.error = Some(failure.clone());
                Some(failure)
            }
        }
    }
}

fn take_loaded(outcome: &mut TaskOutcome, loaded: Loaded) {
    let is_news = loaded.published.is_some();
    outcome.status = if is_news { TaskStatus::Succeeded } else { TaskStatus::Unchanged };
    outcome.reason = Some(loaded.reason);
    outcome.publish = loaded.published.map(|kind| kind.to_string());
    outcome.rows = Some(loaded.rows);
    outcome.late_rows = loaded.late_rows;
    outcome.watermark = loaded.watermark;
    outcome.schema_hash = Some(loaded.schema_hash);
    let changes = loaded.schema_changes.iter();
    outcome.schema_changes = changes.map(|change| in_words(std::slice::from_ref(change))).collect();
    outcome.bytes = Some(loaded.bytes);
    outcome.load = Some(loaded.load);
    outcome.as_of = Some(loaded.as_of);
    outcome.snapshot = Some(loaded.snapshot);
    outcome.lag_seconds = loaded.lag_seconds;
    outcome.checks = loaded.checks;
    outcome.warnings.extend(loaded.warnings);
}

/// What differs is a failure, which another try would not mend.
fn take_verification(outcome: &mut TaskOutcome, verification: Option<Verification>, is_loop: bool) {
    let Some(found) = &verification else {
        let why = if is_loop { "rows of a loop are not counted" } else { "nothing is published yet" };
        outcome.status = TaskStatus::Skipped;
        outcome.reason = Some(why.to_owned());
        return;
    };
    let words = verified_in_words(found);
    outcome.reason = Some(match &found.before_repair {
        Some(before) => format!("repaired: {before}"),
        None => words.clone(),
    });
    outcome.status = if found.equal { TaskStatus::Succeeded } else { TaskStatus::Failed };
    if !found.equal {
        let hint = match &found.before_repair {
            _ if found.is_stuck() => format!(
                "`barncat run --full {}` makes the table anew, without the rows that are gone from the source",
                outcome.task
            ),
            Some(_) => "does something else write to the table?".to_owned(),
            None => format!("`barncat verify {} --repair` mends it", outcome.task),
        };
        outcome.error = Some(Failure { class: Class::Lasting, message: words, hint: Some(hint) });
    }
    if found.equal && found.kept > 0 {
        let rows = if found.kept == 1 { "1 row is".to_owned() } else { format!("{} rows are", found.kept) };
        outcome.warnings.push(format!(
            "not equal to its source: {rows} only in the warehouse, and kept; `deletes` of the loader says so"
        ));
    }
    outcome.verification = verification;
}

/// Whether a unit may begin now.
enum May {
    /// Under these locks.
    Begin(Vec<Lease>),
    /// No; why not, by task.
    Wait(BTreeMap<String, Failure>),
}

/// Nobody holds one of the tables, neither a person nor another run.
async fn may_begin(workshop: &Workshop, members: &[Member], how: &How) -> Result<May, LoadError> {
    let control = &workshop.control;
    let tasks: Vec<String> = members.iter().map(|member| member.outcome.task.clone()).collect();
    // Before a lock is waited for, and again once it is had: whoever had it may have put the task on hold.
    if how.work.heeds_holds()
        && let Some(why) = held::by_people(control, &tasks).await?
    {
        return Ok(May::Wait(why));
    }
    let Some(leases) = take_locks(workshop, members, how).await? else {
        return Ok(May::Wait(held::by_locks(control, &tasks).await));
    };
    let why = if how.work.heeds_holds() { held::by_people(control, &tasks).await? } else { None };
    Ok(why.map_or_else(|| May::Begin(leases), May::Wait))
}

/// How long a lock is waited for before connections that rest are given up again.
const WAIT_SLICE: Duration = Duration::from_secs(5);

/// One lock a table, in the order of their names, so that two runs never wait for each other.
async fn take_locks(
    workshop: &Workshop,
    members: &[Member],
    how: &How,
) -> Result<Option<Vec<Lease>>, LoadError> {
    let mut names: Vec<String> = members.iter().map(|member| member.outcome.task.clone()).collect();
    names.sort();
    let mut leases = Vec::with_capacity(names.len());
    for name in names {
        let holder = Holder { run: workshop.run.clone(), what: format!("{} {name}", how.work.verb()) };
        let lock = format!("task/{name}");
        let waited = Instant::now();
        let mut lease = workshop.control.acquire(&lock, &holder, Duration::ZERO).await?;
        let mut is_told = false;
        while lease.is_none() && waited.elapsed() < workshop.publishing.lock_wait {
            // Who has it may wait for the connections that are kept for the loads to come, and another load of
            // this run may have taken some meanwhile.
            give_up_snapshots(workshop, members).await;
            let slice = workshop.publishing.lock_wait.saturating_sub(waited.elapsed()).min(WAIT_SLICE);
            lease = workshop.control.acquire(&lock, &holder, slice).await?;
            // Nobody should wonder for minutes what is waited for.
            if lease.is_none() && !is_told {
                let by = workshop.control.who_holds(&lock).await.ok().flatten();
                let by = by.map_or_else(|| "another run".to_owned(), |by| by.to_string());
                tracing::info!(task = %name, by, "waits for a lock");
                is_told = true;
            }
        }
        match lease {
            Some(lease) => leases.push(lease),
            None => {
                drop(leases);
                return Ok(None);
            }
        }
    }
    Ok(Some(leases))
}

async fn give_up_snapshots(workshop: &Workshop, members: &[Member]) {
    for spec in members.iter().filter_map(|member| member.job.load()) {
        if let Some(snapshots) = workshop.sources.get(&spec.source) {
            snapshots.give_up(None).await;
        }
    }
}

async fn lost(leases: &[Lease]) {
    let waits = leases.iter().map(|lease| Box::pin(lease.lost()));
    futures_util::future::select_all(waits).await;
}

/// Whether all of them still are; where the control database does not answer they may be.
async fn are_held(leases: &[Lease]) -> bool {
    for lease in leases {
        if matches!(lease.ask().await, Ok(false)) {
            return false;
        }
    }
    true
}

fn lock_lost() -> Failure {
    Failure {
        class: Class::Passing,
        message:
            "the task's lock was lost: this process stood still, or the control database was out of its \
                  reach, for too long"
                .to_owned(),
        hint: Some("another run may have done the task by now; `barncat history` shows it".to_owned()),
    }
}

/// A task that may be what kills its process must not do so for ever.
fn killed_each_time(times: u32) -> Failure {
    Failure {
        class: Class::Lasting,
        message: format!("its process was killed in each of {times} attempts"),
        hint: Some("was there too little memory? `barncat run NAME` tries it again by itself".to_owned()),
    }
}

fn fail_all(members: &mut [Member], failure: &Failure) {
    for member in members.iter_mut().filter(|member| !member.done) {
        member.outcome.status = TaskStatus::Failed;
        member.outcome.error = Some(failure.clone());
    }
}

/// Tries the members that are not done yet, together, until they are or it is not worth it.
async fn tries(workshop: &Workshop, members: &mut [Member], around: &Surroundings<'_>, leases: &[Lease]) {
    let most = members.iter().map(|member| member.job.attempts()).max().unwrap_or(1).max(1);
    let before = members.iter().map(|member| member.crashed).max().unwrap_or(0);
    if before >= most {
        return fail_all(members, &killed_each_time(before));
    }
    let mut waits = retry::waits(most - before);
    for number in before + 1..=most {
        let failures = one_try(workshop, members, number, around).await;
        let Some(failure) =
            failures.iter().find(|failure| !retry::is_worth_another_try(failure.class)).or(failures.first())
        else {
            return;
        };
        // Without the lock it was another's work that made it fail, and another try would be one too many.
        if !are_held(leases).await {
            return fail_all(members, &lock_lost());
        }
        if !retry::is_worth_another_try(failure.class) {
            return;
        }
        let Some(wait) = waits.next() else { return };
        tell_retry(workshop, members, number, most, wait);
        let again = members.iter().filter(|member| !member.done);
        again.for_each(|member| around.attempts.begin(&member.outcome.task, wait));
        tokio::select! {
            () = workshop.cancel.cancelled() => {
                // It has tries left: what stopped it was not its failure.
                let cancelled = members.iter_mut().filter(|member| !member.done);
                cancelled.for_each(|member| member.outcome.status = TaskStatus::Cancelled);
                return;
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn one_try(
    workshop: &Workshop,
    members: &mut [Member],
    number: u32,
    around: &Surroundings<'_>,
) -> Vec<Failure> {
    let mut places = Vec::new();
    for (place, member) in members.iter_mut().enumerate().filter(|(_, member)| !member.done) {
        member.outcome.attempts = number;
        around.attempts.begin(&member.outcome.task, Duration::ZERO);
        start(workshop, member, number).await;
        places.push(place);
    }
    let trying: Vec<&Member> = places.iter().map(|place| &members[*place]).collect();
    let names: Vec<&str> = trying.iter().map(|member| member.outcome.task.as_str()).collect();
    // Its load is known once it is decided what is done.
    let span = tracing::error_span!(
        "attempt",
        task = names.join(", "),
        attempt = number,
        load = tracing::field::Empty
    );
    let attempted = attempt(workshop, &trying, number, around).instrument(span).await;
    let mut failures = Vec::new();
    for (place, attempted) in places.into_iter().zip(attempted) {
        let member = &mut members[place];
        let failure = member.take(attempted.result, around.how);
        member.outcome.warnings.extend(attempted.warning);
        let (task, status) = (&member.outcome.task, member.outcome.status);
        let ended = workshop.control.finish_attempt(&workshop.run, task, number, status, failure.as_ref());
        if let Err(error) = ended.await {
            tracing::warn!(task = member.outcome.task, %error, "the attempt's end was not written to the control database");
        }
        failures.extend(failure);
    }
    failures
}

async fn start(workshop: &Workshop, member: &Member, attempt: u32) {
    let outcome = &member.outcome;
    let told = Event::TaskStarted {
        task: outcome.task.clone(),
        tier: outcome.tier,
        strategy: member.job.strategy().unwrap_or_else(|| member.outcome.kind.clone()),
        attempt,
        rows_expected: member.rows_expected,
    };
    let _ = workshop.events.send(told).await;
    let waiting = Event::TaskProgress { task: outcome.task.clone(), step: Step::Waiting, rows: 0, bytes: 0 };
    let _ = workshop.events.try_send(waiting);
}

fn tell_retry(workshop: &Workshop, members: &[Member], attempt: u32, most: u32, wait: Duration) {
    for member in members.iter().filter(|member| !member.done) {
        let Some(failure) = member.outcome.error.clone() else { continue };
        tracing::debug!(task = member.outcome.task, attempt, error = %failure, "task.retry");
        let _ = workshop.events.try_send(Event::TaskRetry {
            task: member.outcome.task.clone(),
            attempt,
            attempts_max: most,
            next_in_seconds: wait.as_secs_f64(),
            failure,
        });
    }
}
