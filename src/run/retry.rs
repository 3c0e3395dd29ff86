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
}
