//! Snapshots shared by the tables that start within `snapshot_for`.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::{Snapshot, Source, SourceError};

/// Hands out one source's current snapshot. It is opened by the first load that needs it and let go
/// when it is too old, dead, or given up; loads that are still reading it keep it alive themselves.
pub struct SharedSnapshots {
    source: Arc<dyn Source>,
    snapshot_for: Duration,
    current: Mutex<Option<(Arc<dyn Snapshot>, Instant)>>,
}

impl SharedSnapshots {
    /// `snapshot_for`: for how long after its opening a snapshot is handed out.
    pub fn new(source: Arc<dyn Source>, snapshot_for: Duration) -> Self {
        Self { source, snapshot_for, current: Mutex::new(None) }
    }

    /// The source whose snapshots these are.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// The current snapshot, or a new one.
    pub async fn get(&self) -> Result<Arc<dyn Snapshot>, SourceError> {
        let mut current = self.current.lock().await;
        if let Some((snapshot, opened)) = current.as_ref()
            && snapshot.is_alive()
            && opened.elapsed() < self.snapshot_for
        {
            return Ok(snapshot.clone());
        }
        // Let the old one go first: its connection counts against the source's limit.
        *current = None;
        let snapshot = self.source.open_snapshot().await?;
        *current = Some((snapshot.clone(), Instant::now()));
        Ok(snapshot)
    }

    /// Gives a snapshot up: it is not handed out again. Called with the id of the one that failed, so
    /// that a late failure does not hit its successor; without one, when no load is left to begin.
    pub async fn give_up(&self, id: Option<&str>) {
        let mut current = self.current.lock().await;
        if current
            .as_ref()
            .is_some_and(|(snapshot, _)| id.is_none_or(|id| snapshot.position().snapshot == id))
        {
            *current = None;
        }
    }
}
