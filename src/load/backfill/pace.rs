//! Reading no faster than asked for.

use std::{
    num::NonZeroU64,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// So many rows a second at most, over all that share it.
#[derive(Debug)]
pub struct Pace {
    rows_per_second: NonZeroU64,
    /// When the rows that were let through so far would have come at this pace.
    next: Mutex<Instant>,
}

impl Pace {
    /// From now on.
    pub fn new(rows_per_second: NonZeroU64) -> Self {
        Self { rows_per_second, next: Mutex::new(Instant::now()) }
    }

    /// Waits until so many rows more may be read.
    pub async fn take(&self, rows: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a pace need not be exact to the row")]
        let span = Duration::from_secs_f64(rows as f64 / self.rows_per_second.get() as f64);
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            // What was not used while nobody read is not made up for.
            *next = (*next).max(Instant::now()) + span;
            *next
        };
        sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_come_no_faster_than_asked_for_and_a_pause_is_not_made_up_for() {
        let pace = Pace::new(NonZeroU64::new(1_000).expect("not zero"));
        let begun = Instant::now();
        tokio::join!(pace.take(150), pace.take(50));
        assert!(begun.elapsed().as_millis() >= 200);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        pace.take(100).await;
        assert!(begun.elapsed().as_millis() >= 100);
    }
}
