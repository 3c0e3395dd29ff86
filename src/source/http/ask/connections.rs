//! Connections of a source's limit. One that was used rests for a moment: whoever asks next takes it without asking the control
//! database again.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    event::Tier,
    source::{Slot, Slots, SourceError},
};

/// How long one rests before it is given back.
const REST: Duration = Duration::from_secs(1);

/// How long one is kept, rests and all: then other processes have a chance.
const KEPT: Duration = Duration::from_secs(10);

/// The connections of one asker.
pub(super) struct Connections {
    slots: Arc<dyn Slots>,
    resting: Mutex<Vec<Resting>>,
    rested: Notify,
}

struct Resting {
    slot: Slot,
    since: Instant,
    rests_since: Instant,
}

/// One in use; it rests when this is dropped.
pub(super) struct InUse {
    slot: Option<Slot>,
    since: Instant,
    connections: Weak<Connections>,
}

impl Connections {
    pub(super) fn new(slots: Arc<dyn Slots>) -> Arc<Self> {
        Arc::new(Self { slots, resting: Mutex::default(), rested: Notify::new() })
    }

    /// Takes one that rests, or waits for one.
    pub(super) async fn take(self: &Arc<Self>, tier: Tier) -> Result<InUse, SourceError> {
        let mut taken = self.slots.take(1, tier);
        loop {
            let mut rested = std::pin::pin!(self.rested.notified());
            rested.as_mut().enable();
            if let Some(resting) = self.wake(tier) {
                return Ok(self.in_use(resting.slot, resting.since));
            }
            tokio::select! {
                slots = &mut taken => {
                    if let Some(slot) = slots?.pop() {
                        return Ok(self.in_use(slot, Instant::now()));
                    }
                    taken = self.slots.take(1, tier);
                }
                () = rested => {}
            }
        }
    }

    fn in_use(self: &Arc<Self>, slot: Slot, since: Instant) -> InUse {
        InUse { slot: Some(slot), since, connections: Arc::downgrade(self) }
    }

    /// One that rests. What is kept for critical tasks is for these alone.
    fn wake(&self, tier: Tier) -> Option<Resting> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = resting.iter().position(|one| tier == Tier::Critical || !one.slot.is_reserved())?;
        Some(resting.swap_remove(at))
    }

    fn rest(self: &Arc<Self>, slot: Slot, since: Instant) {
        // Without a runtime the process is ending.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if since.elapsed() >= KEPT {
            return;
        }
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).push(Resting {
            slot,
            since,
            rests_since: Instant::now(),
        });
        self.rested.notify_waiters();
        let connections = Arc::downgrade(self);
        runtime.spawn(async move {
            sleep(REST).await;
            let Some(connections) = connections.upgrade() else { return };
            let mut resting = connections.resting.lock().unwrap_or_else(PoisonError::into_inner);
            resting.retain(|one| one.rests_since.elapsed() < REST);
        });
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let (Some(slot), Some(connections)) = (self.slot.take(), self.connections.upgrade()) {
            connections.rest(slot, self.since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::LocalSlots;

    #[tokio::test]
    async fn what_rests_is_taken_next_and_given_back_in_the_end() {
        let slots: Arc<dyn Slots> = Arc::new(LocalSlots::new(1));
        let connections = Connections::new(slots.clone());
        let first = connections.take(Tier::Optional).await.unwrap();
        let waiting = {
            let connections = connections.clone();
            tokio::spawn(async move { connections.take(Tier::Optional).await.map(drop).is_ok() })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap(), "who waits in this process takes what rests there");
        // Another process gets it when it has rested long enough.
        let theirs = tokio::time::timeout(100 * REST, slots.take(1, Tier::Optional)).await;
        assert!(theirs.is_ok_and(|theirs| theirs.is_ok()));
    }
}
