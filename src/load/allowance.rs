//! A service's limits, kept over all processes that share the control database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    clock::{Clock, System, new_id},
    control::{Control, ControlError, Grant, Limits, Taken, Waiter},
    event::Tier,
    source::{
        SourceError,
        http::{Allowance, Permit, Spent},
    },
};

/// A shorter wait is not worth a word.
const WAIT_TOLD: Duration = Duration::from_secs(3);

/// How often a process asks whether another was told that the service pauses, where there are no limits to ask for.
const PAUSE_LOOKED_AT: Duration = Duration::from_secs(10);

/// How often one service may be asked. Without limits the control database is asked seldom, and not for each request.
pub struct SharedAllowance {
    shared: Arc<Shared>,
}

struct Shared {
    control: Control,
    source: String,
    limits: Limits,
    /// This process, as others know it.
    name: String,
    /// Who of this process asks for the next one: one of each tier, so that the others need not ask the database.
    turns: [Mutex<Told>; 2],
    /// How many critical ones wait here.
    critical: AtomicU32,
    /// Whether the others know that they do.
    is_known: AtomicBool,
    paused: Mutex<Paused>,
}

/// Until when was last told to wait.
#[derive(Default)]
struct Told(Option<Timestamp>);

/// What is known of pauses where there are no limits.
#[derive(Default)]
struct Paused {
    until: Option<Instant>,
    looked_at: Option<Instant>,
    told: Told,
}

impl SharedAllowance {
    /// That of a source.
    pub fn new(control: Control, source: &str, limits: Limits) -> Self {
        let shared = Shared {
            control,
            source: source.to_owned(),
            limits,
            name: new_id(),
            turns: [Mutex::default(), Mutex::default()],
            critical: AtomicU32::new(0),
            is_known: AtomicBool::new(false),
            paused: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

#[async_trait]
impl Allowance for SharedAllowance {
    async fn take(&self, tier: Tier) -> Result<Permit, SourceError> {
        let shared = &self.shared;
        if shared.limits.windows.is_empty() {
            shared.wait_for_pause().await?;
            return Ok(Permit::free());
        }
        let waits = Waits::begin(shared, tier);
        let mut told = shared.turns[usize::from(tier == Tier::Critical)].lock().await;
        loop {
            let since = Instant::now();
            match shared.ask(tier).await? {
                Asked::Taken(mut taken) => {
                    drop(waits);
                    return Ok(taken.0.take().map_or_else(Permit::free, Permit::of));
                }
                Asked::Wait { until, wait } => {
                    told.tell(&shared.source, until, wait, "the service's allowance is used up");
                    // Counted from before the question: the answer may have been under way for a while, and what comes free
                    // comes free by then. A clock that runs a little behind is asked once more.
                    sleep_until(since + wait).await;
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }

    async fn pause(&self, wait: Duration) -> Result<(), SourceError> {
        let shared = &self.shared;
        shared.control.pause_allowance(&shared.source, wait).await.map_err(boxed)?;
        let mut paused = shared.paused.lock().await;
        paused.until = paused.until.max(Some(Instant::now() + wait));
        Ok(())
    }
}

impl Shared {
    async fn ask(self: &Arc<Self>, tier: Tier) -> Result<Asked, SourceError> {
        // In a task of its own: where who asks is dropped, what was taken is given back all the same.
        let shared = self.clone();
        let asked = tokio::spawn(async move {
            let critical = shared.critical.load(Ordering::SeqCst);
            let is_known = shared.is_known.load(Ordering::SeqCst);
            let waiter = Waiter { name: &shared.name, tier, critical, is_known };
            let taken = shared.control.take_allowance(&shared.source, &shared.limits, waiter).await?;
            if tier == Tier::Critical {
                let is_wait = matches!(taken, Taken::Wait { .. });
                shared.is_known.store(is_wait || critical > 1, Ordering::SeqCst);
                if shared.critical.load(Ordering::SeqCst) == 0 {
                    shared.wait_no_more().await;
                }
            }
            Ok(match taken {
                Taken::Grant(grant) => Asked::Taken(Unclaimed(Some(Held { shared, grant }))),
                Taken::Wait { until, wait } => Asked::Wait { until, wait },
            })
        });
        asked.await.unwrap_or(Err(ControlError::Ending)).map_err(boxed)
    }

    /// Nobody is to stand back for critical tasks of this process, if somebody does.
    async fn wait_no_more(&self) {
        if self.is_known.swap(false, Ordering::SeqCst) {
            // At the worst the others stand back for a few seconds more.
            let _ = self.control.waits_no_more(&self.source, &self.name).await;
        }
    }

    async fn wait_for_pause(&self) -> Result<(), SourceError> {
        loop {
            let until = {
                let mut paused = self.paused.lock().await;
                let is_old = |at: Instant| at.elapsed() >= PAUSE_LOOKED_AT;
                if paused.looked_at.is_none_or(is_old) {
                    let left = self.control.allowance_pause(&self.source).await.map_err(boxed)?;
                    paused.until = paused.until.max(Some(Instant::now() + left));
                    paused.looked_at = Some(Instant::now());
                }
                let until = paused.until.filter(|until| *until > Instant::now());
                if let Some(wait) = until.map(|until| until.duration_since(Instant::now())) {
                    let until = System.now().checked_add(wait).unwrap_or(Timestamp::MAX);
                    paused.told.tell(&self.source, until, wait, "the service asked for a pause");
                }
                until
            };
            match until {
                None => return Ok(()),
                Some(until) => sleep_until(until).await,
            }
        }
    }
}

fn boxed(error: ControlError) -> SourceError {
    Box::new(error)
}

impl Told {
    /// Says once until when is waited.
    fn tell(&mut self, source: &str, until: Timestamp, wait: Duration, why: &str) {
        let known = self.0.is_some_and(|told| until.duration_since(told).unsigned_abs() < WAIT_TOLD);
        if wait >= WAIT_TOLD && !known {
            self.0 = Some(until);
            let seconds = wait.as_secs();
            tracing::info!(source, %until, seconds, "{why}; the next request waits");
        }
    }
}

/// A critical task that waits, as long as this lives.
struct Waits<'a> {
    shared: &'a Arc<Shared>,
    is_critical: bool,
}

impl<'a> Waits<'a> {
    fn begin(shared: &'a Arc<Shared>, tier: Tier) -> Self {
        let is_critical = tier == Tier::Critical;
        if is_critical {
            shared.critical.fetch_add(1, Ordering::SeqCst);
        }
        Self { shared, is_critical }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if !self.is_critical || self.shared.critical.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        // It was the last one.
        if self.shared.is_known.load(Ordering::SeqCst)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let shared = self.shared.clone();
            runtime.spawn(async move { shared.wait_no_more().await });
        }
    }
}

/// What came of one question.
enum Asked {
    Taken(Unclaimed),
    Wait { until: Timestamp, wait: Duration },
}

/// An allowance that nobody has come for yet: where nobody does, it is given back.
struct Unclaimed(Option<Held>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let (Some(held), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(Box::new(held).unused());
        }
    }
}

/// An allowance that was taken.
struct Held {
    shared: Arc<Shared>,
    grant: Grant,
}

#[async_trait]
impl Spent for Held {
    async fn answered(self: Box<Self>) {
        if let Err(error) = self.shared.control.answered(&self.grant, &self.shared.limits).await {
            let source = self.shared.source.as_str();
            tracing::warn!(source, %error, "a request counts longer than it must: its answer was not written");
        }
    }

    async fn unused(self: Box<Self>) {
        // Where that fails it counts as if it were sent.
        if let Err(error) = self.shared.control.give_back_allowance(&self.grant, &self.shared.limits).await {
            tracing::debug!(source = self.shared.source, %error, "an allowance was not given back");
        }
    }
}
