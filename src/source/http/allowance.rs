//! How often a service may be asked: what an asker waits for before it sends anything.

use std::time::Duration;

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};

use crate::{event::Tier, source::SourceError};

/// What a service allows, shared by all who ask it. May be used in parallel.
#[async_trait]
pub trait Allowance: Send + Sync {
    /// Waits until one more request may be sent: critical tasks first where it is short. Dropped, it takes nothing.
    async fn take(&self, tier: Tier) -> Result<Permit, SourceError>;

    /// The service wants not to be asked for a time: nobody is given a permit before, in any process. An hour at
    /// most is believed.
    async fn pause(&self, wait: Duration) -> Result<(), SourceError>;
}

/// One request that may be sent. Dropped, it counts as sent.
pub struct Permit {
    taken: Option<Box<dyn Spent>>,
    since: Instant,
}

/// What is to be done about a permit in the end.
#[async_trait]
pub trait Spent: Send + Sync {
    /// The request was answered, or cut off: the service has counted it by now or never will.
    async fn answered(self: Box<Self>);

    /// Nothing was sent.
    async fn unused(self: Box<Self>);
}

impl Permit {
    /// One of which nobody needs to know what becomes of it.
    pub fn free() -> Self {
        Self { taken: None, since: Instant::now() }
    }

    /// One that was taken of something.
    pub fn of(taken: impl Spent + 'static) -> Self {
        Self { taken: Some(Box::new(taken)), since: Instant::now() }
    }

    /// For how long it has been held.
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// The request was answered, or cut off. Dropped in the middle, that is written all the same.
    pub async fn answered(mut self) {
        if let Some(taken) = self.taken.take() {
            // In a task of its own, which goes on if who asked is dropped.
            let _ = tokio::spawn(taken.answered()).await;
        }
    }

    /// Nothing was sent with it.
    pub async fn unused(mut self) {
        if let Some(taken) = self.taken.take() {
            let _ = tokio::spawn(taken.unused()).await;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // Without a runtime the process is ending; then it counts as long as it could be under way.
        if let (Some(taken), Ok(runtime)) = (self.taken.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(taken.answered());
        }
    }
}

/// Of a service without limits: only what it says itself is heeded, in this process alone.
#[derive(Debug, Default)]
pub struct Unlimited {
    paused_until: Mutex<Option<Instant>>,
}

/// No service is believed that wants not to be asked for longer.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);

#[async_trait]
impl Allowance for Unlimited {
    async fn take(&self, _tier: Tier) -> Result<Permit, SourceError> {
        loop {
            let until = *self.paused_until.lock().await;
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return Ok(Permit::free()),
            }
        }
    }

    async fn pause(&self, wait: Duration) -> Result<(), SourceError> {
        let until = Instant::now() + wait.min(PAUSE_MAX);
        let mut paused_until = self.paused_until.lock().await;
        *paused_until = (*paused_until).max(Some(until));
        Ok(())
    }
}
