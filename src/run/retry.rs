//! The one map from an error's class to another try.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::error::Class;

/// Whether a failed task is tried again.
pub(super) fn is_worth_another_try(class: Class) -> bool {
    match class {
        Class::Passing => true,
        Class::Lasting | Class::Usage | Class::Held | Class::Bug => false,
    }
}

/// The waits between `attempts` tries: exponential, with jitter, so that tasks that failed together
/// do not come back together.
pub(super) fn waits(attempts: u32) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(60))
        .with_factor(3.0)
        .with_max_times(attempts.saturating_sub(1) as usize)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_wait_less_than_tries() {
        assert_eq!(waits(3).count(), 2);
        assert_eq!(waits(1).count(), 0);
        assert_eq!(waits(0).count(), 0);
    }

    #[test]
    fn only_what_goes_away_by_itself_is_tried_again() {
        let classes = [Class::Passing, Class::Lasting, Class::Usage, Class::Held, Class::Bug];
        assert_eq!(classes.map(is_worth_another_try), [true, false, false, false, false]);
    }

    proptest::proptest! {
        #[test]
        fn the_waits_stay_within_their_budget(attempts in 0..=100_u32) {
            let waits: Vec<Duration> = waits(attempts).collect();
            proptest::prop_assert_eq!(waits.len(), attempts.saturating_sub(1) as usize);
            // 1, 3, 9, 27, 60, 60 … seconds; each up to twice as long by its jitter.
            let mut least = Duration::from_secs(1);
            for wait in &waits {
                proptest::prop_assert!((least..=least * 2).contains(wait), "{:?} of {:?}", wait, waits);
                least = (least * 3).min(Duration::from_secs(60));
            }
            // With the most that may be written, a hundred, all of them are over within a night.
            proptest::prop_assert!(waits.iter().sum::<Duration>() < Duration::from_secs(4 * 3600));
        }
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let together: std::collections::HashSet<Duration> = (0..20).filter_map(|_| waits(2).next()).collect();
        assert!(together.len() > 15, "{together:?}");
    }
}
