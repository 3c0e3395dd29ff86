//! A source's connections as leases in the control database: at most so many over all processes.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    control::{Control, Holder},
    source::{Slot, Slots, SourceError},
};

/// Slots of one source, counted over all processes that share the control database.
pub struct LeasedSlots {
    control: Control,
    prefix: String,
    count: u32,
    holder: Holder,
}

impl LeasedSlots {
    /// `count`: the source's `connections`.
    pub fn new(control: Control, source: &str, count: u32, run: &str) -> Self {
        let holder = Holder { run: run.to_owned(), what: format!("read {source}") };
        Self { control, prefix: format!("source/{source}"), count, holder }
    }
}

#[async_trait]
impl Slots for LeasedSlots {
    async fn take(&self, count: u32) -> Result<Vec<Slot>, SourceError> {
        loop {
            let wait = Duration::from_secs(60);
            let taken = self.control.acquire_any(&self.prefix, self.count, count..=count, &self.holder, wait);
            match taken.await.map_err(|error| Box::new(error) as SourceError)? {
                Some(leases) => return Ok(leases.into_iter().map(Slot::new).collect()),
                None => tracing::info!(slots = self.prefix, wanted = count, "source.connections.all_taken"),
            }
        }
    }
}
