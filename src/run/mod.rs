//! One walk through the tasks: which ones, in which order, how often, and what became of them.
//!
//! Knows tasks and no tables: what a load does is `load`'s. Locks, attempts and outcomes are written
//! to the control database by awaited calls; events only tell.

mod adopt;
mod alarms;
mod allowances;
mod attempt;
mod awaiting;
mod backfill;
mod blocked;
mod checks;
mod clean;
mod command;
pub mod deadlines;
mod error;
mod execute;
mod facts;
mod held;
mod holds;
mod hooks;
mod incidents;
mod job;
mod look_at;
mod names;
mod open;
mod overview;
mod plan;
pub mod reach;
pub mod ready;
mod restore;
mod resume;
mod retry;
mod schemas;
mod tasks;
mod tell;
mod time_limits;
mod verdict;
mod work;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use self::{
    adopt::{PlannedAdoption, plan_adopt},
    allowances::allowances,
    awaiting::{Awaiting, awaiting},
    backfill::{BackfillRequest, Begin, PlannedBackfill, backfill, plan_backfill},
    clean::{Cleaned, Dropped, Orphan, clean, drop_orphans, orphans},
    command::is_waited_for,
    deadlines::{DeadlineState, Foreseen, Shown as ShownDeadline, deadlines},
    error::RunError,
    holds::{HoldRequest, hold, release},
    incidents::{
        Acknowledged, Incidents, Tried, acknowledge, incidents, mute, send_alerts, tend_alerts,
        test_channels, unmute,
    },
    look_at::{Drawn, Needed, Why, compile, graph, why},
    names::expect_task,
    open::Mode,
    overview::{Going, Overview, TaskSeen, overview},
    plan::{Plan, PlannedOther, PlannedTask, plan},
    restore::{PlannedRestore, plan_restore, restorable},
    schemas::TestSchemaError,
    work::Work,
};
use self::{
    hooks::Hooks,
    open::{Opened, open},
    tell::{Teller, tell_failed_start, tell_not_opened, teller},
};
use crate::{
    clock::{self, Clock},
    config::{Environment, Project},
    control::{self, Asked, Origin, RunStart},
    dag::selection,
    error::Fault,
    event::{Event, RunOutcome, RunStatus, TaskOutcome, TaskStatus},
    sql::TableName,
    warehouse::LedgerRow,
};

/// How often the sources' tables are listed before a run gives up.
const LISTINGS_MAX: u32 = 4;

/// How many tasks at once, unless somebody says otherwise.
pub const JOBS: u32 = 4;

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which tasks; empty: all.
    pub select: Vec<String>,
    /// Which of them not.
    pub exclude: Vec<String>,
    /// Where to write.
    pub mode: Mode,
    /// Bring all rows, and publish even what has not changed.
    pub full: bool,
    /// Publish although more rows vanished than `shrink_limit` allows.
    pub accept_shrink: bool,
    /// Take what checks find abnormal for usual.
    pub accept_measures: bool,
    /// Only what did not end well the last time it was tried, and what never was.
    pub failed: bool,
    /// In test mode: only so many rows a table, and those that they refer to.
    pub sample: Option<u32>,
    /// Go on with a run that did not come to its end: the last one, or the one whose id begins so.
    pub resume: Option<Option<String>>,
    /// What is done with each of them.
    pub work: Work,
    /// How many tasks at once.
    pub jobs: usize,
    /// Rebuild tables whose schema changed, whatever their `rebuild_limit` says.
    pub rebuild: bool,
    /// Who asks.
    pub origin: Origin,
    /// Cancelled when no other task should begin: those that are under way come to their end.
    pub drain: CancellationToken,
}

impl Request {
    /// All tasks of a mode, loaded one after the other, with nothing out of the ordinary.
    pub fn of(mode: Mode) -> Self {
        Self {
            select: Vec::new(),
            exclude: Vec::new(),
            mode,
            full: false,
            accept_shrink: false,
            accept_measures: false,
            failed: false,
            sample: None,
            resume: None,
            work: Work::Load,
            jobs: 1,
            rebuild: false,
            origin: by_hand(),
            drain: CancellationToken::new(),
        }
    }
}

/// Whoever works at this machine.
pub fn by_hand() -> Origin {
    Origin { by: myself(), tick: None, claimed_by: None }
}

fn myself() -> String {
    format!("{}@{}", control::user_name(), control::host_name())
}

/// Runs what is asked for. `Err` means that nothing was started; everything later is in the outcome.
pub async fn run(
    project: &Project,
    environment: &Environment,
    request: &Request,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<RunOutcome, RunError> {
    let run = clock::new_id();
    let schedule = request.origin.tick.as_ref().map(|tick| tick.schedule.as_str());
    let span = tracing::error_span!("run", run, schedule);
    Box::pin(run_as(project, environment, request, events, cancel, run)).instrument(span).await
}

/// The run of this id.
async fn run_as(
    project: &Project,
    environment: &Environment,
    request: &Request,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
    run: String,
) -> Result<RunOutcome, RunError> {
    let started_at = clock::System.now();
    let begun = tokio::time::Instant::now();
    let hooks = Hooks::of(project, request.mode, &run, events.clone(), cancel.clone());
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(stopped_early(run, request.mode, started_at)),
        opened = open(project, environment, request.mode, &run, hooks.events(), cancel.clone()) => opened,
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tell_not_opened(project, environment, request, &error).await;
            return Err(error);
        }
    };
    let teller = teller(project, environment, request.mode, &opened);
    let prepared = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(stopped_early(run, request.mode, started_at)),
        prepared = prepare(project, request, &opened, &run) => prepared,
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            tell_failed_start(teller, request, &error).await;
            return Err(error);
        }
    };
    let Prepared { tasks, known, request } = prepared;
    let request = &request;
    hooks.choose(project, &tasks);
    let told = Event::RunStarted {
        run: run.clone(),
        mode: request.mode.to_string(),
        place: opened.workshop.warehouse.place(),
        schemas: tasks.schemas(),
        tasks: tasks.names(),
    };
    let _ = hooks.events().send(told).await;
    let executed = execute::execute(&opened.workshop, tasks, known, request, teller.as_ref()).await;
    let execute::Executed { tasks, deadlines } = executed;
    let mut outcome = RunOutcome {
        status: verdict::status(&tasks, request.work.all_count(), is_stopped(&tasks, request, &cancel)),
        run,
        mode: request.mode.to_string(),
        started_at,
        seconds: clock::seconds(begun.elapsed()),
        tasks,
        warnings: Vec::new(),
        deadlines,
    };
    let control = &opened.workshop.control;
    let finished = control.finish_run(&outcome).await;
    if let Err(error) = &finished {
        tracing::warn!(%error, "the run's end was not written to the control database");
    }
    outcome.warnings = hooks.end(&outcome).await;
    if !outcome.warnings.is_empty()
        && let Err(error) = control.amend_run(&outcome).await
    {
        tracing::warn!(%error, "what became of the hooks was not written to the control database");
    }
    if let Some(teller) = teller {
        let channels = teller.channels();
        teller.finish(cancel.is_cancelled() || request.drain.is_cancelled()).await;
        let is_good = matches!(outcome.status, RunStatus::Succeeded | RunStatus::Degraded);
        if is_good && finished.is_ok() && request.work == Work::Load {
            Teller::beat(&channels).await;
        }
    }
    // Nobody waits for a table any more.
    if !cancel.is_cancelled()
        && !request.drain.is_cancelled()
        && let Err(error) = control.prune(project.history_keep).await
    {
        tracing::warn!(%error, "what is old was not all forgotten in the control database");
    }
    if let Err(error) = opened.workshop.control.clone().close().await {
        tracing::warn!(%error, "the session with the control database was not closed; it ends by itself");
    }
    let _ = events.send(Event::RunFinished(Box::new(outcome.clone()))).await;
    Ok(outcome)
}

/// Whether it was stopped before all was done.
fn is_stopped(tasks: &[TaskOutcome], request: &Request, cancel: &CancellationToken) -> bool {
    let is_left = |task: &TaskOutcome| task.status == TaskStatus::Cancelled;
    cancel.is_cancelled() || (request.drain.is_cancelled() && tasks.iter().any(is_left))
}

/// A run whose first task may begin.
struct Prepared {
    tasks: tasks::Tasks,
    known: execute::Known,
    /// What is asked for, with all that the run asked for that this one goes on with.
    request: Request,
}

/// Everything before the first task: ledger, what crashes left, the list of tasks.
async fn prepare(
    project: &Project,
    request: &Request,
    opened: &Opened,
    run: &str,
) -> Result<Prepared, RunError> {
    let workshop = &opened.workshop;
    workshop.warehouse.prepare().await.map_err(RunError::Below)?;
    let mut request = request.clone();
    let resumed = match &request.resume {
        Some(id) => Some(resume::find(&workshop.control, request.mode, id.as_deref()).await?),
        None => None,
    };
    if let Some(resumed) = &resumed {
        resumed.ask(&mut request);
    }
    let published = facts::published(&*workshop.warehouse, Some(&workshop.control)).await?;
    let mut tasks = list(project, opened, &published).await?;
    if request.work == Work::Load && request.select.is_empty() {
        tell_left(project, &opened.schemas, &published, &tasks);
    }
    if request.mode == Mode::Test {
        tasks.keep_checks(checks::has_no_history);
    }
    if let Some(rows) = request.sample {
        tasks.sample(rows, &workshop.sources).await?;
    }
    if !matches!(request.work, Work::Load | Work::Check) {
        tasks.only_loads();
    }
    if request.rebuild {
        tasks.lift_rebuild_limits();
    }
    let (select, exclude) = (&request.select, &request.exclude);
    let known = facts::Known {
        project: &project.name,
        dialect: workshop.dialect(),
        published: &published,
        sources: &workshop.sources,
        control: Some(&workshop.control),
    };
    let facts = facts::of(&tasks, (select, exclude), &known).await?;
    tasks.select(select, exclude, &facts)?;
    if request.failed {
        tasks.keep_unfinished(&facts);
    }
    let mut selection = selection::written(select, exclude);
    if request.work == Work::Check {
        tasks.only_checks(exclude, &facts)?;
        // Whoever goes on with this run asks checks alone.
        selection = selection::written(&tasks.names(), &[]);
    }
    let resumes = resumed.as_ref().map(|resumed| resumed.run.clone());
    let start = RunStart {
        resumes,
        origin: request.origin.clone(),
        project: project.name.clone(),
        asked: Asked::from(&request),
        ..start(request.mode, selection, run)
    };
    workshop.control.start_run(&start).await?;
    // A leftover that cannot be taken away now is no reason to leave tables stale.
    if let Err(error) = crate::load::tidy(workshop).await {
        tracing::warn!(%error, "what earlier crashes left was not all taken away");
    }
    tasks.expect(Some(&workshop.control)).await;
    let (ended, crashed) = match &resumed {
        Some(resumed) => resume::ended(&workshop.control, &tasks, resumed).await?,
        None => Default::default(),
    };
    let zone = project.zone();
    let known = execute::Known { showing: job::Showing::of(&published), ended, crashed, zone };
    Ok(Prepared { tasks, known, request })
}

/// Tells which tables stay as they are, because no wildcard finds them any more: nobody else would.
fn tell_left(
    project: &Project,
    schemas: &schemas::Schemas,
    published: &BTreeMap<TableName, LedgerRow>,
    tasks: &tasks::Tasks,
) {
    let named = tasks::named(project, schemas, published);
    let is_ours = |table: &&TableName| published.get(*table).is_some_and(|row| row.project == project.name);
    for table in named.difference(&tasks.targets()).filter(is_ours) {
        tracing::warn!(
            %table,
            "it keeps its rows: its source has it no longer; with `{} = \"skip\"` in its loader `barncat clean --removed` drops it",
            table.name
        );
    }
}

/// Lists the tasks; a source that restarts just then is waited for.
async fn list(
    project: &Project,
    opened: &Opened,
    published: &BTreeMap<TableName, LedgerRow>,
) -> Result<tasks::Tasks, RunError> {
    let mut waits = retry::waits(LISTINGS_MAX);
    let workshop = &opened.workshop;
    loop {
        let error = match tasks::list(project, &workshop.sources, &opened.schemas, published).await {
            Ok(tasks) => return Ok(tasks),
            Err(error) => error,
        };
        let wait: Duration = match waits.next() {
            Some(wait) if retry::is_worth_another_try(error.class()) => wait,
            _ => return Err(error),
        };
        tracing::warn!(%error, seconds = clock::seconds(wait), "the sources' tables are listed again");
        tokio::time::sleep(wait).await;
    }
}

fn start(mode: Mode, selection: String, run: &str) -> RunStart {
    RunStart {
        run: run.to_owned(),
        mode: mode.to_string(),
        selection,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: control::host_name(),
        pid: std::process::id(),
        resumes: None,
        origin: by_hand(),
        project: String::new(),
        asked: Asked::default(),
    }
}

fn stopped_early(run: String, mode: Mode, started_at: Timestamp) -> RunOutcome {
    let tasks: Vec<TaskOutcome> = Vec::new();
    let status = verdict::status(&tasks, false, true);
    let (warnings, deadlines) = (Vec::new(), Vec::new());
    RunOutcome { run, mode: mode.to_string(), status, started_at, seconds: 0.0, tasks, warnings, deadlines }
}
