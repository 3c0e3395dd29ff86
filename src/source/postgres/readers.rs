//! The sessions that read a snapshot's parts.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    event::Tier,
    pg::Connection,
    source::{Slot, Slots, SourceError},
};

/// A snapshot's readers. A slot once taken stays with the snapshot until it is dropped, whatever
/// happens to its session: a load that waits for a reader could otherwise wait for a slot that the
/// next snapshot is first in line for, and that one for the end of this load. A slot that is kept for
/// critical tasks goes back at once, where it is not the snapshot's only one: whoever is next may be optional.
pub(super) struct Readers {
    slots: Arc<dyn Slots>,
    home: Mutex<Home>,
    returned: Notify,
}

struct Home {
    idle: Vec<Idle>,
    /// Slots of the snapshot, idle or at work.
    held: usize,
}

/// A slot and, where it is still good, its session: out of any transaction, so that it holds no lock.
struct Idle {
    connection: Option<Connection>,
    slot: Slot,
}

/// A reader at work. When dropped, its slot goes back; its session too if [`Reader::give_back`]
/// says that it is good for another part.
pub(super) struct Reader {
    pub(super) connection: Option<Connection>,
    slot: Option<Slot>,
    home: Arc<Readers>,
}

impl Readers {
    pub(super) fn new(slots: Arc<dyn Slots>, taken: Vec<Slot>) -> Arc<Self> {
        let held = taken.len();
        let idle = taken.into_iter().map(|slot| Idle { connection: None, slot }).collect();
        Arc::new(Self { slots, home: Mutex::new(Home { idle, held }), returned: Notify::new() })
    }

    /// Waits for an idle reader or for another slot, whichever comes first.
    pub(super) async fn take(self: &Arc<Self>, tier: Tier) -> Result<Reader, SourceError> {
        let reader = |connection, slot| Reader { connection, slot: Some(slot), home: self.clone() };
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            // Listen first, look then: a reader that comes back in between is not missed.
            returned.as_mut().enable();
            let idle = self.home().idle.pop();
            if let Some(Idle { connection, slot }) = idle {
                return Ok(reader(connection, slot));
            }
            tokio::select! {
                slots = self.slots.take(1, tier) => {
                    if let Some(slot) = slots?.pop() {
                        self.home().held += 1;
                        return Ok(reader(None, slot));
                    }
                }
                () = returned => {}
            }
        }
    }

    fn put_back(&self, connection: Option<Connection>, slot: Slot) {
        let mut home = self.home();
        if slot.is_reserved() && home.held > 1 {
            home.held -= 1;
            drop(home);
            // First the session, then what counts it.
            drop(connection);
            return;
        }
        home.idle.push(Idle { connection, slot });
        self.returned.notify_one();
    }

    fn home(&self) -> MutexGuard<'_, Home> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Ends the work: the session has answered everything and is out of its transaction.
    pub(super) fn give_back(mut self) {
        if let Some(slot) = self.slot.take() {
            let connection = mem::take(&mut self.connection);
            self.home.put_back(connection, slot);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.home.put_back(None, slot);
        }
    }
}
