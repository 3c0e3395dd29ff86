//! `deadline = "06:00"`, or `{ at = "06:00", days = ["mon", "fri"], within = "12h" }`: by when a task must be done.

use std::{fmt, time::Duration};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{Keys, mistake::did_you_mean};

/// The days of the week, as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// What counts for a deadline is done within this time before it.
const WITHIN: Duration = Duration::from_secs(12 * 60 * 60);

/// Between two deadlines lie at most a week and the day that a zone may skip.
const DAYS_SEARCHED: i64 = 9;

/// A time of day by which a task must be done, in the project's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    at: Time,
    /// On which days; at least one.
    days: Vec<Weekday>,
    within: Duration,
}

/// One deadline's moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When the task must be done.
    pub at: Timestamp,
    /// What is done from here on counts for it: what was done before is another day's.
    pub since: Timestamp,
}

impl Deadline {
    /// Every day at this time.
    pub fn daily(at: Time) -> Self {
        Self { at, days: DAYS.iter().map(|(_, day)| *day).collect(), within: WITHIN }
    }

    /// The first deadline after a moment.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Due> {
        let today = now.to_zoned(zone.clone()).date();
        let at = (-1..=DAYS_SEARCHED).find_map(|days| self.moment(today, days, zone).filter(|at| *at > now));
        Some(self.due(at?, zone))
    }

    /// The last deadline that is not after a moment.
    pub fn last(&self, now: Timestamp, zone: &TimeZone) -> Option<Due> {
        Some(self.due(self.before(now, zone)?, zone))
    }

    fn before(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = now.to_zoned(zone.clone()).date();
        (-1..=DAYS_SEARCHED).find_map(|days| self.moment(today, -days, zone).filter(|at| *at <= now))
    }

    /// What was done for the deadline before does not count again.
    fn due(&self, at: Timestamp, zone: &TimeZone) -> Due {
        let since = at.checked_sub(self.within).unwrap_or(Timestamp::MIN);
        let previous = at.checked_sub(1.nanoseconds()).ok().and_then(|moment| self.before(moment, zone));
        Due { at, since: previous.map_or(since, |previous| previous.max(since)) }
    }

    /// Its moment so many days after a date, where it holds on that day.
    fn moment(&self, date: Date, days: i64, zone: &TimeZone) -> Option<Timestamp> {
        let date = date.checked_add(days.days()).ok()?;
        self.days.contains(&date.weekday()).then(|| moment(date.to_datetime(self.at), zone))?
    }
}

/// A time that the clock skips is the first moment after the gap; of a time that it shows twice it is the first.
pub(super) fn moment(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let found = zone.to_ambiguous_timestamp(local);
    match found.offset() {
        AmbiguousOffset::Gap { before, .. } => {
            // By the offset of before it lies behind the jump, by less than the jump is long.
            let behind = before.to_timestamp(local).ok()?.checked_add(1.nanoseconds()).ok()?;
            Some(zone.preceding(behind).next()?.timestamp())
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => found.earlier().ok(),
    }
}

/// As people write it: `06:00`.
impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.at.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        write!(f, "{}", self.at.strftime(form))
    }
}

/// Reads the key of a loader's row, a model, a check or a command.
pub(super) fn read(keys: &Keys<'_>) -> Option<Deadline> {
    if !keys.is_table("deadline") {
        return time(keys, "deadline").map(Deadline::daily);
    }
    let table = keys.table("deadline")?;
    let at = time(&table, "at");
    if !table.has("at") {
        table.missing("at", "{ at = \"06:00\", days = [\"mon\", \"fri\"] }");
    }
    let days = days(&table);
    let within = table.duration("within").unwrap_or(WITHIN);
    if within.is_zero() {
        table.wrong("within", "leaves no time to do it in");
    }
    table.finish();
    Some(Deadline { days: days?, within, ..Deadline::daily(at?) })
}

fn time(keys: &Keys<'_>, key: &'static str) -> Option<Time> {
    let text = keys.string(key)?;
    let time = text.parse().ok();
    if time.is_none() {
        keys.wrong(key, "is not a time of day like `06:00`");
    }
    time
}

fn days(keys: &Keys<'_>) -> Option<Vec<Weekday>> {
    if !keys.has("days") {
        keys.know("days");
        return Some(Deadline::daily(Time::midnight()).days);
    }
    let mut days = Vec::new();
    for word in keys.strings_or_none("days")? {
        match DAYS.iter().find(|(name, _)| *name == word) {
            Some((_, day)) => days.push(*day),
            None => {
                let names = DAYS.map(|(name, _)| name);
                let what = format!("has no day `{word}`: they are {}", names.join(", "));
                match did_you_mean(&word, names) {
                    Some(hint) => keys.wrong_with_hint("days", what, hint),
                    None => keys.wrong("days", what),
                }
                return None;
            }
        }
    }
    if days.is_empty() {
        keys.wrong("days", "names no day");
        return None;
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a time zone")
    }

    fn deadline(time: &str, days: &[Weekday]) -> Deadline {
        let daily = Deadline::daily(time.parse().expect("a time of day"));
        if days.is_empty() { daily } else { Deadline { days: days.to_vec(), ..daily } }
    }

    #[test]
    fn the_next_one_is_in_the_projects_zone_on_one_of_its_days() {
        let weekdays =
            [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];
        let cases = [
            ("06:00", &[][..], "UTC", "2026-11-22T05:59:59Z", "2026-11-22T06:00:00Z"),
            ("06:00", &[], "UTC", "2026-11-22T06:00:00Z", "2026-11-23T06:00:00Z"),
            ("06:00", &[], "Asia/Tokyo", "2026-11-22T05:00:00Z", "2026-11-22T21:00:00Z"),
            // A Friday's, seen on its evening: Monday's.
            ("06:00", &weekdays, "UTC", "2026-11-27T18:00:00Z", "2026-11-30T06:00:00Z"),
            ("06:00", &[Weekday::Sunday], "UTC", "2026-11-22T06:00:00Z", "2026-11-29T06:00:00Z"),
            // The zone's day counts: it is Monday there already.
            ("06:00", &[Weekday::Monday], "Asia/Tokyo", "2026-11-22T16:00:00Z", "2026-11-22T21:00:00Z"),
            // London's summer begins at 01:00 UTC on 29 March 2026: 01:30 is skipped.
            ("06:00", &[], "Europe/London", "2026-03-28T12:00:00Z", "2026-03-29T05:00:00Z"),
            ("01:30", &[], "Europe/London", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("01:00", &[], "Europe/London", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("01:30", &[], "Europe/London", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
            // And ends at 01:00 UTC on 25 October: 01:30 is there twice, and the first one counts.
            ("01:30", &[], "Europe/London", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("01:30", &[], "Europe/London", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            // Samoa had no 30 December 2011 at all.
            ("06:00", &[], "Pacific/Apia", "2011-12-29T17:00:00Z", "2011-12-30T10:00:00Z"),
            ("06:00", &[], "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"),
        ];
        for (time, days, name, now, expected) in cases {
            let (deadline, zone) = (deadline(time, days), zone(name));
            let next = deadline.next(at(now), &zone).expect("there is one");
            assert_eq!(next.at, at(expected), "{time} in {name} after {now}");
            assert_eq!(deadline.last(next.at, &zone), Some(next), "{time} in {name} at {now}");
        }
    }

    #[test]
    fn what_was_done_before_its_time_counts_for_another_day() {
        let utc = zone("UTC");
        let next =
            |deadline: &Deadline| deadline.next(at("2026-11-22T05:00:00Z"), &utc).expect("there is one");
        let daily = deadline("06:00", &[]);
        assert_eq!(next(&daily).since, at("2026-11-21T18:00:00Z"));
        let hourly = Deadline { within: Duration::from_secs(3600), ..daily.clone() };
        assert_eq!(next(&hourly).since, at("2026-11-22T05:00:00Z"));
        let long = Deadline { within: Duration::from_secs(100 * 3600), ..daily };
        assert_eq!(next(&long).since, at("2026-11-21T06:00:00Z"), "never the deadline before");
    }
}
