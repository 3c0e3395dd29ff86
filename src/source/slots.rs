//! The connections that a source allows: each open one holds a slot.

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::SourceError;
use crate::event::Tier;

/// Gives out a source's slots. The ones that count over all processes are leases in the control
/// database; [`LocalSlots`] counts this process alone.
#[async_trait]
pub trait Slots: Send + Sync {
    /// Waits for `count` slots and takes them together, so that two processes that each need a few
    /// never hold half of what they need. Some may be kept for critical tasks.
    async fn take(&self, count: u32, tier: Tier) -> Result<Vec<Slot>, SourceError>;
}

/// A slot taken; free again when dropped.
pub struct Slot {
    _guard: Box<dyn Any + Send + Sync>,
    is_reserved: bool,
}

impl Slot {
    /// A slot that is given back by dropping `guard`. `is_reserved`: it is kept for critical tasks.
    pub fn new(guard: impl Any + Send + Sync, is_reserved: bool) -> Self {
        Self { _guard: Box::new(guard), is_reserved }
    }

    /// Whether it is kept for critical tasks.
    pub fn is_reserved(&self) -> bool {
        self.is_reserved
    }
}

/// Slots of this process, none of them reserved.
pub struct LocalSlots(Arc<Semaphore>);

impl LocalSlots {
    /// So many slots.
    pub fn new(count: u32) -> Self {
        Self(Arc::new(Semaphore::new(count as usize)))
    }
}

#[async_trait]
impl Slots for LocalSlots {
    async fn take(&self, count: u32, _tier: Tier) -> Result<Vec<Slot>, SourceError> {
        let all = self.0.clone().acquire_many_owned(count).await;
        let mut all = all.expect("the semaphore is never closed");
        Ok((0..count).filter_map(|_| all.split(1)).map(|slot| Slot::new(slot, false)).collect())
    }
}
