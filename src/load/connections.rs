//! What an attempt holds while it works: a snapshot of its source, and connections to the warehouse.
//!
//! The order is the same for everybody: a task's lock, then its source's connections, then the warehouse's, each
//! kind all at once. Who has the last never waits for one of the others, so that nobody waits in a circle.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Attempt, LoadError, Workshop, attempt::snapshots};
use crate::{
    control::Lease,
    event::{Event, Step, Tier},
    source::Snapshot,
    sql::Dialect,
};

/// A wait that takes longer is told.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// When an attempt has all the connections that it needs: from then on its time counts. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Beginning(CancellationToken);

impl Beginning {
    /// It begins now.
    pub fn now(&self) {
        self.0.cancel();
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }
}

/// Connections to the warehouse: as many as it may have open at once. Free again when dropped.
pub struct Connections(Vec<Lease>);

impl Connections {
    /// How many.
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

impl Workshop {
    /// Waits for connections to the warehouse, for tasks that are done in one go: at least one, and as many of
    /// `most` as are free.
    pub async fn connections(
        &self,
        tasks: &[String],
        most: u32,
        tier: Tier,
    ) -> Result<Connections, LoadError> {
        let leases = async { Ok(self.warehouse_slots.lease(1..=most.max(1), tier).await?) };
        let leases = self.awaited(tasks, leases).await?;
        self.tell(tasks, Step::Working);
        Ok(Connections(leases))
    }

    /// Does what may be given up when the run should stop.
    pub async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, LoadError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(LoadError::Cancelled),
            done = work => Ok(done),
        }
    }

    fn tell(&self, tasks: &[String], step: Step) {
        for task in tasks {
            let _ = self.events.try_send(Event::TaskProgress { task: task.clone(), step, rows: 0, bytes: 0 });
        }
    }

    /// Waits for connections: tells that it does, and is given up when the run should stop.
    async fn awaited<T>(
        &self,
        tasks: &[String],
        connections: impl Future<Output = Result<T, LoadError>>,
    ) -> Result<T, LoadError> {
        let told = async {
            tokio::time::sleep(TOLD_AFTER).await;
            self.tell(tasks, Step::AwaitingConnection);
            std::future::pending().await
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(LoadError::Cancelled),
            connections = connections => connections,
            never = told => never,
        }
    }
}

/// The snapshot that attempts at tables of one source read, and their connections to the warehouse.
pub(super) struct Held {
    pub(super) snapshot: Arc<dyn Snapshot>,
    pub(super) connections: Connections,
}

/// Waits for the source's snapshot, then for connections; from then on the attempts' time counts.
pub(super) async fn hold(workshop: &Workshop, attempts: &[Attempt]) -> Result<Held, LoadError> {
    let Some(first) = attempts.first() else { return Err(LoadError::Cancelled) };
    let (tasks, tier) = (names(attempts), most_urgent(attempts));
    let snapshots = snapshots(workshop, first)?;
    let snapshot = async { snapshots.get(tier).await.map_err(LoadError::Source) };
    let snapshot = workshop.awaited(&tasks, snapshot).await?;
    let connections = hold_connections(workshop, attempts).await?;
    Ok(Held { snapshot, connections })
}

/// The same of attempts that read no source.
pub(super) async fn hold_connections(
    workshop: &Workshop,
    attempts: &[Attempt],
) -> Result<Connections, LoadError> {
    let most = attempts.iter().map(|attempt| attempt.fill_jobs(workshop)).sum();
    let connections = workshop.connections(&names(attempts), most, most_urgent(attempts)).await?;
    attempts.iter().for_each(|attempt| attempt.beginning.now());
    Ok(connections)
}

pub(super) fn names(attempts: &[Attempt]) -> Vec<String> {
    attempts.iter().map(|attempt| attempt.spec.target.to_string()).collect()
}

fn most_urgent(attempts: &[Attempt]) -> Tier {
    attempts.iter().map(|attempt| attempt.tier).min().unwrap_or_default()
}

impl Attempt {
    /// How many connections may fill its table at once.
    pub(super) fn fill_jobs(&self, workshop: &Workshop) -> u32 {
        match workshop.dialect() {
            Dialect::Postgres => self.spec.fill_jobs.unwrap_or(workshop.publishing.fill_jobs),
            // One COPY takes all parts.
            Dialect::Redshift => 1,
        }
    }

    /// The same attempt, filled by no more connections than it has.
    pub(super) fn filled_by(&self, workshop: &Workshop, connections: &Connections) -> Self {
        let mut attempt = self.clone();
        attempt.spec.fill_jobs = Some(self.fill_jobs(workshop).min(connections.count()).max(1));
        attempt
    }
}
