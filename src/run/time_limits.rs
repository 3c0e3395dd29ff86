//! How long an attempt may take: past its soft limit people are told, past the hard one it is given up.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::{
    clock,
    event::Event,
    load::{Beginning, Workshop},
};

/// A task of an attempt.
pub(super) struct Timed {
    /// Its full name.
    pub(super) task: String,
    /// Its soft limit.
    pub(super) warn_after: Option<Duration>,
    told: AtomicBool,
}

impl Timed {
    pub(super) fn new(task: String, warn_after: Option<Duration>) -> Self {
        Self { task, warn_after, told: AtomicBool::new(false) }
    }

    /// What its outcome says of an attempt that took longer than the soft limit.
    pub(super) fn warning(&self, attempt: u32) -> Option<String> {
        let limit = self.warn_after.filter(|_| self.told.load(Ordering::Relaxed))?;
        Some(format!("attempt {attempt} took longer than {} s (`warn_after`)", clock::seconds(limit)))
    }

    async fn watch(&self, workshop: &Workshop, attempt: u32) {
        let Some(limit) = self.warn_after else { return };
        sleep(limit).await;
        self.told.store(true, Ordering::Relaxed);
        let (task, warn_after_seconds) = (self.task.clone(), clock::seconds(limit));
        let _ = workshop.events.send(Event::TaskSlow { task, attempt, warn_after_seconds }).await;
    }
}

/// Does the work of one attempt. Its time counts from `beginning`: a wait for connections is no fault of its own.
/// `None`: it took longer than `time_limit`, and was dropped, which cancels what it does on the servers.
pub(super) async fn within<T>(
    workshop: &Workshop,
    attempt: u32,
    tasks: &[Timed],
    time_limit: Option<Duration>,
    beginning: &Beginning,
    work: impl Future<Output = T>,
) -> Option<T> {
    let late = async {
        beginning.begun().await;
        match time_limit {
            Some(limit) => sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let watch = async {
        beginning.begun().await;
        let watches: Vec<_> = tasks.iter().map(|task| Box::pin(task.watch(workshop, attempt))).collect();
        join_all(watches).await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = late => None,
        never = watch => match never {},
    }
}
