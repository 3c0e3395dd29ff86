//! Spans of time, each of which is asked for by itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// How a stretch of time is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// How long a window is; whole days are days of `zone`, however many hours they have.
    pub length: Duration,
    /// Where days begin.
    pub zone: TimeZone,
    /// The window that now is in is asked for too.
    pub with_today: bool,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub since: Timestamp,
    /// The moment before which it ends.
    pub until: Timestamp,
}

/// A stretch that cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`windows` cuts the time from {since} to {until} into more than {most} windows")]
pub struct WindowsError {
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How many there may be.
    pub most: usize,
}

/// More windows than these are a mistake.
const MOST: usize = 100_000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Windows {
    /// The windows from `since` to `until`, without a gap and without an overlap. The first one begins with the day,
    /// or the moment, that `since` is in; the last one ends with `until`, or with that day. Where `until` is now, and
    /// today is not asked for, it ends with the last day, or window, that is over.
    pub fn cut(&self, since: Timestamp, until: Timestamp, is_now: bool) -> Result<Vec<Window>, WindowsError> {
        let mut windows = Vec::new();
        let too_many = || WindowsError { since, until, most: MOST };
        let mut begin = self.begin(since);
        while begin < until {
            if windows.len() == MOST {
                return Err(too_many());
            }
            let end = self.end(begin).filter(|end| *end > begin).ok_or_else(too_many)?;
            match (end > until, self.with_today || !is_now) {
                (true, false) => {
                    let midnight = self.begin(until);
                    if self.is_by_days() && begin < midnight {
                        windows.push(Window { since: begin, until: midnight });
                    }
                    break;
                }
                // A day is asked for as a whole, a moment only up to now.
                (true, true) if !self.is_by_days() => windows.push(Window { since: begin, until }),
                (true, true) => {
                    // One of many days would reach into the future, and to beyond what a backfill brings.
                    let until = self.day_end(until).filter(|day| *day < end).unwrap_or(end);
                    windows.push(Window { since: begin, until });
                }
                _ => windows.push(Window { since: begin, until: end }),
            }
            begin = end;
        }
        Ok(windows)
    }

    fn is_by_days(&self) -> bool {
        self.length >= DAY
            && self.length.as_secs().is_multiple_of(DAY.as_secs())
            && self.length.subsec_nanos() == 0
    }

    fn begin(&self, since: Timestamp) -> Timestamp {
        match self.is_by_days() {
            false => since,
            true => self.midnight(since.to_zoned(self.zone.clone()).date()).unwrap_or(since),
        }
    }

    fn end(&self, begin: Timestamp) -> Option<Timestamp> {
        match self.is_by_days() {
            true => {
                let days = i64::try_from(self.length.as_secs() / DAY.as_secs()).ok()?;
                let date = begin.to_zoned(self.zone.clone()).date().checked_add(days.days()).ok()?;
                self.midnight(date)
            }
            false => begin.checked_add(SignedDuration::try_from(self.length).ok()?).ok(),
        }
    }

    /// The first midnight that is not before a moment.
    fn day_end(&self, moment: Timestamp) -> Option<Timestamp> {
        let date = moment.to_zoned(self.zone.clone()).date();
        match self.midnight(date)? {
            midnight if midnight == moment => Some(moment),
            _ => self.midnight(date.checked_add(1.days()).ok()?),
        }
    }

    fn midnight(&self, date: Date) -> Option<Timestamp> {
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn windows(hours: u64, zone: &str) -> Windows {
        let zone = TimeZone::get(zone).expect("a zone");
        Windows { length: Duration::from_secs(hours * 3600), zone, with_today: true }
    }

    fn cut(windows: &Windows, since: &str, until: &str) -> Vec<(String, String)> {
        let cut = windows.cut(at(since), at(until), true).expect("there are few");
        cut.iter().map(|window| (window.since.to_string(), window.until.to_string())).collect()
    }

    #[test]
    fn days_are_those_of_the_zone_also_where_clocks_change() {
        let berlin = windows(24, "Europe/Berlin");
        let days = cut(&berlin, "2026-10-24T12:00:00Z", "2026-10-26T00:00:00Z");
        let expected = [
            ("2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z"),
            ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"),
        ];
        assert_eq!(days, expected.map(|(since, until)| (since.to_owned(), until.to_owned())));
        let without = Windows { with_today: false, ..berlin };
        assert_eq!(cut(&without, "2026-10-24T12:00:00Z", "2026-10-26T00:00:00Z").len(), 2);
    }

    #[test]
    fn of_many_days_the_last_ones_end_with_the_day() {
        let ten = windows(240, "UTC");
        let now = cut(&ten, "2026-01-01T00:00:00Z", "2026-01-12T09:00:00Z");
        assert_eq!(now[1], ("2026-01-11T00:00:00Z".to_owned(), "2026-01-13T00:00:00Z".to_owned()));
        let midnight = cut(&ten, "2026-01-01T00:00:00Z", "2026-01-12T00:00:00Z");
        assert_eq!(midnight[1].1, "2026-01-12T00:00:00Z");
    }

    #[test]
    fn without_today_all_that_is_over_is_asked_for_and_of_a_backfill_all_of_it() {
        let (since, until) = ("2026-01-01T00:00:00Z", "2026-01-12T09:00:00Z");
        let ten = Windows { with_today: false, ..windows(240, "UTC") };
        let last = |is_now| ten.cut(at(since), at(until), is_now).expect("two").pop().expect("two").until;
        assert_eq!(last(true), at("2026-01-12T00:00:00Z"));
        assert_eq!(last(false), at("2026-01-13T00:00:00Z"));
        let six = Windows { with_today: false, ..windows(6, "UTC") };
        let last = |is_now| six.cut(at(since), at(until), is_now).expect("some").pop().expect("some").until;
        assert_eq!(last(true), at("2026-01-12T06:00:00Z"));
        assert_eq!(last(false), at(until));
    }

    #[test]
    fn hours_begin_where_they_are_asked_for_and_end_now() {
        let six = windows(6, "UTC");
        let cut = cut(&six, "2026-01-01T01:00:00Z", "2026-01-01T14:00:00Z");
        let ends: Vec<&str> = cut.iter().map(|(_, until)| until.as_str()).collect();
        assert_eq!(ends, ["2026-01-01T07:00:00Z", "2026-01-01T13:00:00Z", "2026-01-01T14:00:00Z"]);
        assert_eq!(cut[0].0, "2026-01-01T01:00:00Z");
    }

    #[test]
    fn nothing_and_too_much_are_told_apart() {
        let minute = Windows { length: Duration::from_secs(60), ..windows(1, "UTC") };
        assert_eq!(minute.cut(at("2026-01-02T00:00:00Z"), at("2026-01-01T00:00:00Z"), true), Ok(Vec::new()));
        assert!(minute.cut(at("2000-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), true).is_err());
    }

    proptest::proptest! {
        #[test]
        fn windows_follow_one_another_whatever_the_clocks_do(
            hours in proptest::sample::select(vec![1_u64, 5, 24, 48, 7 * 24, 25]),
            zone in proptest::sample::select(vec!["UTC", "Europe/Berlin", "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu"]),
            begin in 1_300_000_000_i64..1_800_000_000,
            seconds in 0_i64..40_000_000,
            with_today in proptest::bool::ANY,
        ) {
            let windows = Windows { with_today, ..windows(hours, zone) };
            let since = Timestamp::from_second(begin).expect("a time");
            let until = Timestamp::from_second(begin + seconds).expect("a time");
            let cut = windows.cut(since, until, true).expect("there are few");
            for window in &cut {
                proptest::prop_assert!(window.since < window.until && window.since < until, "{:?}", window);
                let length = window.until.duration_since(window.since).unsigned_abs();
                // A day of a clock that changes is an hour longer, and Samoa's 30 December was none.
                proptest::prop_assert!(length <= windows.length + Duration::from_secs(3600), "{:?}", window);
            }
            for pair in cut.windows(2) {
                proptest::prop_assert_eq!(pair[0].until, pair[1].since);
            }
            if let (Some(first), Some(last)) = (cut.first(), cut.last()) {
                proptest::prop_assert!(first.since <= since && since < first.until, "{:?}", first);
                proptest::prop_assert!(!with_today || last.until >= until, "{:?}", last);
                proptest::prop_assert!(with_today || last.until <= until, "{:?}", last);
            }
            proptest::prop_assert!(!with_today || since >= until || !cut.is_empty());
        }
    }
}
