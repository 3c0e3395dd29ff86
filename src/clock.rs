//! The only place that reads the time. Leases and locks use the database's clock instead.

use jiff::Timestamp;

/// Where the time comes from; a test gives another one.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A new id for a run or a load: a ULID, so that ids sort by time.
pub fn new_id() -> String {
    ulid::Ulid::generate().to_string()
}
