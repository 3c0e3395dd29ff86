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

/// A new id for the load that follows another one. It sorts behind that, also where the clock was put back since: what stands on
/// what, and what is old, is told by the order of ids.
pub fn new_id_after(last: Option<&str>) -> String {
    let new = ulid::Ulid::generate();
    match last.and_then(|last| ulid::Ulid::from_string(last).ok()) {
        Some(last) if new <= last => {
            ulid::Ulid::from_parts(last.timestamp_ms() + 1, new.random()).to_string()
        }
        _ => new.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loads_id_sorts_behind_the_one_that_it_follows_whatever_the_clock_says() {
        let in_an_hour =
            ulid::Ulid::from_parts(u64::try_from(System.now().as_millisecond()).unwrap() + 3_600_000, 7);
        let in_an_hour = in_an_hour.to_string();
        let next = new_id_after(Some(&in_an_hour));
        assert!(next > in_an_hour, "{next} {in_an_hour}");
        assert!(new_id_after(Some(&next)) > next);
        let before = new_id();
        assert!(new_id_after(Some(&before)) > before);
        assert!(new_id_after(None) < in_an_hour, "where none is followed it is of now");
    }
}
