//! Connections as leases in the control database: at most so many over all processes, and some of them for
//! critical tasks alone.

use std::{ops::RangeInclusive, time::Duration};

use async_trait::async_trait;

use crate::{
    control::{Control, ControlError, Holder, Lease},
    event::Tier,
    source::{Slot, Slots, SourceError},
};

/// How long one try waits, before it is noted that it did.
const WAIT: Duration = Duration::from_secs(60);

/// What a task needs of a source at once: a snapshot's holder and a reader.
const OF_SOURCE: u32 = 2;

/// What a task needs of the warehouse at once.
const OF_WAREHOUSE: u32 = 1;

/// The connections that one server allows, counted over all processes that share the control database.
///
/// They are numbered from 1, and the last ones are for critical tasks alone.
pub struct LeasedSlots {
    control: Control,
    prefix: String,
    count: u32,
    open: u32,
    holder: Holder,
}

impl LeasedSlots {
    /// Those of a source. `count`: its `connections`; `keep`: some of them for critical tasks.
    pub fn of_source(control: Control, source: &str, count: u32, keep: bool, run: &str) -> Self {
        let holder = Holder { run: run.to_owned(), what: format!("read {source}") };
        let open = if keep { open(count, OF_SOURCE) } else { count };
        Self { control, prefix: format!("source/{source}"), count, open, holder }
    }

    /// Those of the warehouse at `place`. `count`: its `connections`; `keep`: some of them for critical tasks.
    pub fn of_warehouse(control: Control, place: &str, count: u32, keep: bool, run: &str) -> Self {
        let holder = Holder { run: run.to_owned(), what: format!("work in {place}") };
        let open = if keep { open(count, OF_WAREHOUSE) } else { count };
        Self { control, prefix: format!("warehouse/{place}"), count, open, holder }
    }

    /// Waits until as many are free as `want` asks for at least, and takes them, all at once.
    pub(super) async fn lease(
        &self,
        want: RangeInclusive<u32>,
        tier: Tier,
    ) -> Result<Vec<Lease>, ControlError> {
        let among = match tier {
            Tier::Critical => self.count,
            Tier::Optional => self.open,
        };
        loop {
            let taken = self.control.acquire_any(&self.prefix, among, want.clone(), &self.holder, WAIT);
            match taken.await? {
                Some(leases) => return Ok(leases),
                None => tracing::info!(slots = self.prefix, wanted = want.start(), "connections.all_taken"),
            }
        }
    }

    fn is_reserved(&self, lease: &Lease) -> bool {
        let number = lease.name().rsplit('/').next().and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| number > self.open)
    }
}

/// How many of `count` connections are for all tasks: three quarters, but one task's need, `least`, is left for
/// critical tasks, as far as the others have enough for one of theirs.
fn open(count: u32, least: u32) -> u32 {
    let kept = (count / 4).max(least).min(count.saturating_sub(least));
    count - kept
}

#[async_trait]
impl Slots for LeasedSlots {
    async fn take(&self, count: u32, tier: Tier) -> Result<Vec<Slot>, SourceError> {
        let leases = self.lease(count..=count, tier).await.map_err(|error| Box::new(error) as SourceError)?;
        let slot = |lease: Lease| {
            let is_reserved = self.is_reserved(&lease);
            Slot::new(lease, is_reserved)
        };
        Ok(leases.into_iter().map(slot).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_leaves_every_task_enough_for_one() {
        let source: Vec<u32> = [2, 3, 4, 6, 8, 12, 40].map(|count| open(count, OF_SOURCE)).to_vec();
        assert_eq!(source, [2, 2, 2, 4, 6, 9, 30]);
        let warehouse: Vec<u32> = [1, 2, 3, 4, 8, 16].map(|count| open(count, OF_WAREHOUSE)).to_vec();
        assert_eq!(warehouse, [1, 1, 2, 3, 6, 12]);
    }
}
