//! Whether a deadline is so near that a table is published although some readers would find it empty.

use std::time::Duration;

use jiff::Timestamp;

/// Until so long before a deadline readers come first.
const NEAR: Duration = Duration::from_secs(10 * 60);

/// Whether a deadline that is not met is less than ten minutes away, or over.
pub fn is_near(due_at: Option<Timestamp>, now: Timestamp) -> bool {
    due_at.is_some_and(|due_at| now.checked_add(NEAR).is_ok_and(|then| then > due_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_minutes_are_near_and_what_is_over_is_too() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let due = at("2026-11-22T06:00:00Z");
        for (now, expected) in
            [("2026-11-22T05:50:00Z", false), ("2026-11-22T05:50:01Z", true), ("2026-11-22T07:00:00Z", true)]
        {
            assert_eq!(is_near(Some(due), at(now)), expected, "{now}");
        }
        assert!(!is_near(None, due));
    }
}
