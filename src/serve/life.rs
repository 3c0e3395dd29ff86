//! The loop: pass after pass, whatever becomes of one; and its end.

use std::{
    any::Any,
    collections::{BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::{Id, JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{ServeError, Setup, Shared, Watch, health::Role, in_a_line, reload};
use crate::control::{Control, Lease, Tick};

/// A pass that takes longer is given up: what it waits for does not answer.
const PASS_MAX: Duration = Duration::from_secs(60);

/// The pause after a pass that failed; it doubles.
const AFTER_FAILURE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How much of `stop_timeout` what was cancelled has to come to its end, at most.
const LAST_WORK: Duration = Duration::from_secs(10);

/// How long the end waits for each last word to the control database.
const LAST_WORD: Duration = Duration::from_secs(3);

/// A service at work.
pub(super) struct Life {
    pub(super) setup: Setup,
    pub(super) shared: Arc<Shared>,
    pub(super) watch: Watch,
    stop: CancellationToken,
    hangup: Signal,
    /// Held by the service that leads.
    pub(super) lease: Option<Lease>,
    /// Whether the schedules were written down as they are in the project.
    pub(super) are_kept: bool,
    pub(super) runs: JoinSet<()>,
    pub(super) doing: HashMap<Id, Tick>,
    pub(super) mine: BTreeSet<Tick>,
    pub(super) busy: watch::Sender<bool>,
    /// No other task begins.
    pub(super) drain: CancellationToken,
    /// What is under way stops.
    pub(super) cancel: CancellationToken,
    pub(super) alerts: Option<JoinHandle<()>>,
    pub(super) alerts_at: Option<Instant>,
}

impl Life {
    pub(super) fn new(
        setup: Setup,
        shared: Arc<Shared>,
        watch: Watch,
        stop: CancellationToken,
    ) -> Result<Self, ServeError> {
        Ok(Self {
            setup,
            shared,
            watch,
            stop,
            hangup: signal(SignalKind::hangup()).map_err(ServeError::Signals)?,
            lease: None,
            are_kept: false,
            runs: JoinSet::new(),
            doing: HashMap::new(),
            mine: BTreeSet::new(),
            busy: watch::channel(false).0,
            drain: CancellationToken::new(),
            cancel: CancellationToken::new(),
            alerts: None,
            alerts_at: None,
        })
    }

    /// Whether a run is under way.
    pub(super) fn busy(&self) -> watch::Receiver<bool> {
        self.busy.subscribe()
    }

    /// Goes round until it should stop, and comes to its end.
    pub(super) async fn live(&mut self) {
        let mut failures = 0;
        loop {
            let stop = self.stop.clone();
            let pause = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                pause = self.guarded_pass(&mut failures) => pause,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = self.hangup.recv() => self.reload().await,
                Some(ended) = self.runs.join_next_with_id(), if !self.runs.is_empty() => self.came_back(ended),
                () = sleep(pause) => {}
            }
        }
        self.end().await;
    }

    /// One pass. What goes wrong in it is said, and the loop goes on.
    async fn guarded_pass(&mut self, failures: &mut u32) -> Duration {
        let passed = AssertUnwindSafe(timeout(PASS_MAX, self.pass())).catch_unwind().await;
        let health = &self.shared.health;
        match passed {
            Ok(Ok(Ok(pause))) => {
                *failures = 0;
                health.progress();
                return pause;
            }
            // Starting the process anew would mend neither: it makes progress.
            Ok(Ok(Err(error))) => {
                health.progress();
                health.waits_for(super::pass::CONTROL, in_a_line(&error));
            }
            Ok(Err(_)) => {
                health.progress();
                health.waits_for(super::pass::CONTROL, format!("no answer for {} s", PASS_MAX.as_secs()));
            }
            Err(panic) => {
                health.panicked();
                tracing::error!(
                    error = said(panic.as_ref()),
                    "a pass ended by itself: a bug in barncat; the loop goes on"
                );
            }
        }
        *failures = failures.saturating_add(1);
        let (first, most) = AFTER_FAILURE;
        first.saturating_mul(1 << (*failures - 1).min(10)).min(most)
    }

    /// A run has come to its end, and has written that down itself.
    pub(super) fn came_back(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                self.shared.health.panicked();
                tracing::error!(%error, "a run ended by itself: a bug in barncat");
                error.id()
            }
        };
        if let Some(tick) = self.doing.remove(&id) {
            self.mine.remove(&tick);
        }
        self.busy.send_replace(!self.runs.is_empty());
    }

    async fn reload(&mut self) {
        let before = self.shared.project();
        match reload::again(&self.setup, &before, &self.shared.environment) {
            Ok(project) => {
                let schedules = project.schedules.len();
                self.shared.project.send_replace(Arc::new(project));
                self.shared.health.refused(None);
                self.are_kept = false;
                tracing::info!(schedules, "the project was read again");
            }
            Err(why) => {
                tracing::error!(
                    error = why,
                    "the project was read again and is not taken; the one before goes on"
                );
                self.shared.health.refused(Some(why));
            }
        }
    }

    /// Lets what is under way end within its time; what does not is left for the next service.
    async fn end(&mut self) {
        let health = &self.shared.health;
        health.is_now(Role::Stopping);
        let begun = Instant::now();
        let seconds = self.setup.stop_timeout.as_secs();
        tracing::info!(runs = self.runs.len(), "stopping within {seconds} s");
        self.drain.cancel();
        if let Some(alerts) = self.alerts.take() {
            alerts.abort();
        }
        // Another service may lead at once.
        if let Some(lease) = self.lease.take() {
            let _ = timeout(LAST_WORD, lease.release()).await;
        }
        let work = self.setup.stop_timeout.saturating_sub(LAST_WORK.min(self.setup.stop_timeout / 3));
        if !self.all_came_back(begun + work).await {
            tracing::warn!(
                runs = self.runs.len(),
                "what is still under way is stopped; the next service goes on with it"
            );
            self.cancel.cancel();
            if !self.all_came_back(begun + self.setup.stop_timeout).await {
                tracing::warn!("not all of it has stopped in time");
            }
        }
        self.runs.abort_all();
        while self.runs.join_next().await.is_some() {}
        self.busy.send_replace(false);
        let Some(control) = self.shared.control() else { return };
        let project = self.shared.project();
        let left = control.leave_ticks(&project.name);
        if !matches!(timeout(LAST_WORD, left).await, Ok(Ok(()))) {
            tracing::warn!("what is left for the next service was not written down; it finds that by itself");
        }
        close(control).await;
        tracing::info!("stopped");
    }

    /// Whether all runs have ended by then.
    async fn all_came_back(&mut self, end: Instant) -> bool {
        while !self.runs.is_empty() {
            match timeout_at(end, self.runs.join_next_with_id()).await {
                Ok(Some(ended)) => self.came_back(ended),
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        true
    }
}

async fn close(control: Control) {
    // A session that is not ended here is ended by its server.
    let _ = timeout(LAST_WORD, control.close()).await;
}

/// What a panic says.
pub(super) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it says nothing")
}
