//! Snapshots shared by the tables that start within `snapshot_for`.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, sleep},
};

use super::{Snapshot, Source, SourceError};
use crate::event::Tier;

/// How often a load that waits for connections looks whether the current snapshot has them for nothing.
const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// Hands out one source's current snapshot. It is opened by the first load that needs it and let go
/// when it is too old, dead, or given up; loads that are still reading it keep it alive themselves.
pub struct SharedSnapshots {
    source: Arc<dyn Source>,
    snapshot_for: Duration,
    current: Mutex<Option<(Arc<dyn Snapshot>, Instant)>>,
    opened: Notify,
    /// Held by who opens one for critical loads.
    critical: Mutex<()>,
    /// The same for optional ones: a critical load never stands behind one of these that waits for connections.
    optional: Mutex<()>,
}

impl SharedSnapshots {
    /// `snapshot_for`: for how long after its opening a snapshot is handed out.
    pub fn new(source: Arc<dyn Source>, snapshot_for: Duration) -> Self {
        Self {
            source,
            snapshot_for,
            current: Mutex::new(None),
            opened: Notify::new(),
            critical: Mutex::new(()),
            optional: Mutex::new(()),
        }
    }

    /// The source whose snapshots these are.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// The current snapshot, or a new one, for a load of this tier. Waits for connections to the source
    /// where others have all that the load may take.
    pub async fn get(&self, tier: Tier) -> Result<Arc<dyn Snapshot>, SourceError> {
        let turn = match tier {
            Tier::Critical => &self.critical,
            Tier::Optional => &self.optional,
        };
        let _turn = turn.lock().await;
        loop {
            let mut opened = pin!(self.opened.notified());
            // Listen first, look then: one that is opened in between is not missed.
            opened.as_mut().enable();
            if let Some(snapshot) = self.usable(&mut *self.current.lock().await, tier) {
                return Ok(snapshot);
            }
            tokio::select! {
                snapshot = self.source.open_snapshot(tier) => return Ok(self.hand_out(snapshot?, tier).await),
                () = opened => {}
                never = self.let_go_for(tier) => match never {},
            }
        }
    }

    /// Lets a snapshot go that a waiting load of this tier may not have: it may hold the very connections that are waited
    /// for, until the last load of the run has begun, and that is the one that waits.
    async fn let_go_for(&self, tier: Tier) -> Infallible {
        loop {
            sleep(LOOKS_EVERY).await;
            let mut current = self.current.lock().await;
            if self.usable(&mut current, tier).is_none() {
                *current = None;
            }
        }
    }

    /// The current one, where a load of this tier may have it.
    fn usable(
        &self,
        current: &mut Option<(Arc<dyn Snapshot>, Instant)>,
        tier: Tier,
    ) -> Option<Arc<dyn Snapshot>> {
        // Let an old one go before another is opened: its connection counts against the source's limit.
        current.take_if(|(snapshot, opened)| !snapshot.is_alive() || opened.elapsed() >= self.snapshot_for);
        let (snapshot, _) = current.as_ref()?;
        // An optional load would keep connections that are meant for critical ones.
        (tier == Tier::Critical || !snapshot.is_reserved()).then(|| snapshot.clone().for_tier(tier))
    }

    /// A new snapshot becomes the current one, unless somebody of the other tier was faster.
    async fn hand_out(&self, snapshot: Arc<dyn Snapshot>, tier: Tier) -> Arc<dyn Snapshot> {
        let mut current = self.current.lock().await;
        if let Some(faster) = self.usable(&mut current, tier) {
            return faster;
        }
        *current = Some((snapshot.clone(), Instant::now()));
        self.opened.notify_waiters();
        snapshot
    }

    /// Gives a snapshot up: it is not handed out again. Called with the id of the one that failed, so
    /// that a late failure does not hit its successor; without one, when no load is left to begin.
    pub async fn give_up(&self, id: Option<&str>) {
        let mut current = self.current.lock().await;
        current.take_if(|(snapshot, _)| id.is_none_or(|id| snapshot.position().snapshot == id));
    }
}
