//! The time, as the Data API tells it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, with fractions (§7: timestamps are JSON numbers).
pub(crate) fn epoch_seconds() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "the double's one look at the clock")]
    let now = SystemTime::now();
    let elapsed = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    // To the millisecond, as the service does.
    f64::from(u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX)) + f64::from(elapsed.subsec_millis()) / 1e3
}
