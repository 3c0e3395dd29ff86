//! The run of one tick, from its beginning to what is written down of its end.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Shared, Watch, in_a_line, life::said};
use crate::{
    config::{Project, Schedule},
    control::{self, Control, ControlError, Origin, Tick},
    dag::selection,
    error::{Class, Fault},
    event::{RunOutcome, RunStatus},
    run::{self, Mode, Request, RunError},
};

/// The pause before a run that could not begin is tried again; it doubles.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// So long at least it is tried again.
const TRIED: Duration = Duration::from_secs(60 * 60);

/// A tick that this process has, and what its run needs.
pub(super) struct TicksRun {
    pub(super) shared: Arc<Shared>,
    pub(super) project: Arc<Project>,
    pub(super) schedule: Schedule,
    pub(super) tick: Tick,
    pub(super) late: Duration,
    /// The run that it goes on with.
    pub(super) resumed: Option<String>,
    pub(super) control: Control,
    pub(super) watch: Watch,
    pub(super) jobs: usize,
    pub(super) drain: CancellationToken,
    pub(super) cancel: CancellationToken,
}

/// What becomes of a tick.
enum End {
    /// It is over.
    Is { status: String, why: Option<String> },
    /// The next service goes on with it, or finds what became of it.
    Left,
}

/// Runs it, and writes down what became of it. A run that could not begin for a reason that passes is tried again.
pub(super) async fn to_its_end(run: TicksRun) {
    let begun = Instant::now();
    let mut pause = PAUSE.0;
    let end = loop {
        let tried = AssertUnwindSafe(run.once()).catch_unwind().await;
        let error = match tried {
            Ok(Ok(outcome)) => {
                run.shared.health.has(&run.what());
                break run.ended(&outcome);
            }
            Ok(Err(error)) => error,
            Err(panic) => {
                run.shared.health.panicked();
                tracing::error!(error = said(panic.as_ref()), "a run ended by itself: a bug in barncat");
                let why = Some("the run ended by itself: a bug in barncat".to_owned());
                break End::Is { status: "failed".to_owned(), why };
            }
        };
        let why = in_a_line(&error);
        match &error {
            // What it was gone on with has ended: the next pass finds how.
            RunError::NothingToResume { .. } => break End::Left,
            RunError::Control(ControlError::TickTaken) => {
                tracing::warn!(schedule = run.tick.schedule, tick = %run.tick.at, error = why, "a tick was lost");
                break End::Left;
            }
            _ => {}
        }
        let is_over = run.late + begun.elapsed() + pause > run.schedule.make_up.max(TRIED);
        if error.class() != Class::Passing || is_over {
            run.shared.health.has(&run.what());
            tracing::error!(schedule = run.tick.schedule, tick = %run.tick.at, error = why, "a run could not begin");
            break End::Is { status: "failed".to_owned(), why: Some(format!("it could not begin: {why}")) };
        }
        run.shared.health.waits_for(&run.what(), why);
        tokio::select! {
            () = run.drain.cancelled() => break End::Left,
            () = sleep(pause) => pause = (pause * 2).min(PAUSE.1),
        }
    };
    if let End::Is { status, why } = end {
        let written = run.control.end_tick(&run.project.name, &run.tick, &status, why.as_deref()).await;
        if let Err(error) = written {
            // The next pass finds the run's end and writes it down.
            tracing::warn!(schedule = run.tick.schedule, %error, "the tick's end was not written to the control database");
        }
    }
}

impl TicksRun {
    /// What is waited for while it cannot begin.
    fn what(&self) -> String {
        format!("the run of {}", self.tick.schedule)
    }

    async fn once(&self) -> Result<RunOutcome, RunError> {
        let (select, exclude) = selection::read(&self.schedule.select);
        let origin = Origin {
            by: format!("service@{}", control::host_name()),
            tick: Some(self.tick.clone()),
            claimed_by: Some(self.control.session_id().await?),
        };
        let request = Request {
            select,
            exclude,
            rebuild: self.schedule.rebuild,
            resume: self.resumed.clone().map(Some),
            jobs: self.jobs,
            origin,
            drain: self.drain.clone(),
            ..Request::of(Mode::Production)
        };
        let events = (self.watch)(&self.tick);
        run::run(&self.project, &self.shared.environment, &request, events, self.cancel.clone()).await
    }

    fn ended(&self, outcome: &RunOutcome) -> End {
        if outcome.status == RunStatus::Cancelled {
            return End::Left;
        }
        let status = serde_json::to_value(outcome.status).ok();
        let status = status.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
        End::Is { status, why: None }
    }
}
