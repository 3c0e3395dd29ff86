//! The only place that reads the time. Leases and locks use the database's clock instead.

use std::time::Duration;

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

/// A time span in seconds, to the millisecond: more digits only make a line longer.
pub fn seconds(span: Duration) -> f64 {
    span.as_millis() as f64 / 1000.0
}

/// A text that occurs nowhere else: 130 random bits, in letters and digits.
pub fn random_text() -> String {
    // The last sixteen characters of an id are random; the others are the time.
    let random = || new_id().split_off(10);
    let (mut text, more) = (random(), random());
    text.push_str(&more[..10]);
    text
}

/// A new id for a run or a load: a ULID, so that ids sort by time.
pub fn new_id() -> String {
    ulid::Ulid::generate().to_string()
}
