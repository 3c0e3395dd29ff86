//! Doing the tasks: so many at once, each under its lock, each tried as often as it is worth.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{
    Request, held, retry,
    tasks::{Tasks, Unit, tier},
    work::{How, Work},
};
use crate::{
    clock,
    config::LoadSpec,
    control::{Holder, Lease},
    error::{Class, Failure},
    event::{Event, Step, TaskOutcome, TaskStatus, Verification},
    load::{Attempt, LoadError, Loaded, Verified, Workshop, verified_in_words},
    schema::in_words,
};

/// Does all tasks; answers in the order in which they ended.
pub(super) async fn execute(workshop: &Arc<Workshop>, tasks: Tasks, request: &Request) -> Vec<TaskOutcome> {
    let slots = Arc::new(Semaphore::new(request.jobs.max(1)));
    let mut under_way = JoinSet::new();
    let mut outcomes = Vec::new();
    let mut units = tasks.into_units().into_iter();
    let mut next = units.next();
    while next.is_some() || !under_way.is_empty() {
        tokio::select! {
            slot = slots.clone().acquire_owned(), if next.is_some() => {
                if let (Some(unit), Ok(slot)) = (next.take(), slot) {
                    let (workshop, how) = (workshop.clone(), How::of(request));
                    under_way.spawn(async move {
                        let outcomes = do_unit(&workshop, unit, &how).await;
                        drop(slot);
                        outcomes
                    });
                }
                next = units.next();
            }
            Some(done) = under_way.join_next() => match done {
                Ok(done) => outcomes.extend(done),
                Err(error) => tracing::error!(%error, "a task ended by itself"),
            },
        }
        if next.is_none() {
            // The last ones have begun: nobody else needs the shared snapshots.
            while let Some(done) = under_way.join_next().await {
                match done {
                    Ok(done) => outcomes.extend(done),
                    Err(error) => tracing::error!(%error, "a task ended by itself"),
                }
            }
        }
    }
    outcomes
}

/// One unit, from its locks to its outcomes.
async fn do_unit(workshop: &Workshop, unit: Unit, how: &How) -> Vec<TaskOutcome> {
    let begun = Instant::now();
    let mut members: Vec<Member> = unit.0.into_iter().map(|spec| Member::new(spec, how)).collect();
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
    match leases {
        Ok(May::Begin(leases)) => {
            tokio::select! {
                () = tries(workshop, &mut members, how) => {}
                () = lost(&leases) => fail_all(&mut members, &lock_lost()),
            }
            for lease in leases {
                if let Err(error) = lease.release().await {
                    tracing::warn!(%error, "a task's lock was not given back; it frees itself");
                }
            }
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
        if let Err(error) = workshop.control.finish_task(&workshop.run, &outcome).await {
            tracing::warn!(task = outcome.task, %error, "the task's end was not written to the control database");
        }
        let _ = workshop.events.send(Event::TaskFinished(Box::new(outcome.clone()))).await;
        outcomes.push(outcome);
    }
    outcomes
}

/// A task of a unit and what is known of it so far.
struct Member {
    spec: LoadSpec,
    outcome: TaskOutcome,
    done: bool,
}

impl Member {
    fn new(spec: LoadSpec, how: &How) -> Self {
        let outcome = TaskOutcome {
            strategy: Some(spec.strategy.to_string()),
            kind: how.work.verb().to_owned(),
            ..TaskOutcome::new(&spec.target.to_string(), tier(&spec))
        };
        Self { spec, outcome, done: false }
    }

    fn take(&mut self, result: Result<Verified, LoadError>, how: &How) -> Option<Failure> {
        let outcome = &mut self.outcome;
        match result {
            Ok(Verified { loaded, verification }) => {
                self.done = true;
                outcome.error = None;
                if let Some(loaded) = loaded {
                    take_loaded(outcome, loaded);
                }
                if matches!(how.work, Work::Verify(_)) {
                    take_verification(outcome, verification);
                }
                None
            }
            Err(LoadError::Cancelled) => {
                self.done = true;
                outcome.status = TaskStatus::Cancelled;
                None
            }
            Err(error) => {
                let failure = Failure::of(&error);
                outcome.status = TaskStatus::Failed;
                if let LoadError::GroupMember { other, .. } = &error {
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
    outcome.warnings = loaded.warnings;
}

/// What differs is a failure, which another try would not mend.
fn take_verification(outcome: &mut TaskOutcome, verification: Option<Verification>) {
    let Some(found) = &verification else {
        outcome.status = TaskStatus::Skipped;
        outcome.reason = Some("nothing is published yet".to_owned());
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
        let wait = workshop.publishing.lock_wait;
        let holder = Holder { run: workshop.run.clone(), what: format!("{} {name}", how.work.verb()) };
        match workshop.control.acquire(&format!("task/{name}"), &holder, wait).await? {
            Some(lease) => leases.push(lease),
            None => {
                drop(leases);
                return Ok(None);
            }
        }
    }
    Ok(Some(leases))
}

async fn lost(leases: &[Lease]) {
    let waits = leases.iter().map(|lease| Box::pin(lease.lost()));
    futures_util::future::select_all(waits).await;
}

fn lock_lost() -> Failure {
    Failure {
        class: Class::Passing,
        message: "the task's lock was lost: the control database was out of reach for too long".to_owned(),
        hint: None,
    }
}

fn fail_all(members: &mut [Member], failure: &Failure) {
    for member in members.iter_mut().filter(|member| !member.done) {
        member.outcome.status = TaskStatus::Failed;
        member.outcome.error = Some(failure.clone());
    }
}

/// Tries the members that are not done yet, together, until they are or it is not worth it.
async fn tries(workshop: &Workshop, members: &mut [Member], how: &How) {
    let most = members.iter().map(|member| member.spec.attempts).max().unwrap_or(1).max(1);
    let mut waits = retry::waits(most);
    for number in 1..=most {
        let failures = one_try(workshop, members, number, how).await;
        let Some(failure) =
            failures.iter().find(|failure| !retry::is_worth_another_try(failure.class)).or(failures.first())
        else {
            return;
        };
        if !retry::is_worth_another_try(failure.class) {
            return;
        }
        let Some(wait) = waits.next() else { return };
        tell_retry(workshop, members, number, most, wait);
        tokio::select! {
            () = workshop.cancel.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn one_try(workshop: &Workshop, members: &mut [Member], number: u32, how: &How) -> Vec<Failure> {
    let mut places = Vec::new();
    let mut attempts = Vec::new();
    for (place, member) in members.iter_mut().enumerate().filter(|(_, member)| !member.done) {
        member.outcome.attempts = number;
        start(workshop, member, number).await;
        places.push(place);
        attempts.push(Attempt {
            spec: member.spec.clone(),
            number,
            full: how.full,
            accept_shrink: how.accept_shrink,
            repair: None,
            chunk: None,
            deadline_near: false,
        });
    }
    let limit = attempts.iter().filter_map(|attempt| attempt.spec.time_limit).max();
    let results = within(limit, &attempts, how.work.attempt(workshop, &attempts)).await;
    let mut failures = Vec::new();
    for (place, result) in places.into_iter().zip(results) {
        let member = &mut members[place];
        let failure = member.take(result, how);
        let (task, status) = (&member.outcome.task, member.outcome.status);
        let ended = workshop.control.finish_attempt(&workshop.run, task, number, status, failure.as_ref());
        if let Err(error) = ended.await {
            tracing::warn!(task = member.outcome.task, %error, "the attempt's end was not written to the control database");
        }
        failures.extend(failure);
    }
    failures
}

/// Gives attempts up that take longer than `limit`: dropped, they cancel what they do on the servers.
async fn within(
    limit: Option<Duration>,
    attempts: &[Attempt],
    results: impl Future<Output = Vec<Result<Verified, LoadError>>>,
) -> Vec<Result<Verified, LoadError>> {
    let Some(limit) = limit else { return results.await };
    let late = |attempt: &Attempt| Err(LoadError::TimeLimit { table: attempt.spec.target.clone(), limit });
    match tokio::time::timeout(limit, results).await {
        Ok(results) => results,
        Err(_) => attempts.iter().map(late).collect(),
    }
}

async fn start(workshop: &Workshop, member: &Member, attempt: u32) {
    let outcome = &member.outcome;
    let rows_expected =
        workshop.control.expected(&outcome.task).await.ok().flatten().and_then(|expected| expected.rows);
    let told = Event::TaskStarted {
        task: outcome.task.clone(),
        tier: outcome.tier,
        strategy: member.spec.strategy.to_string(),
        attempt,
        rows_expected,
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
