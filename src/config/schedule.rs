//! `[schedules]`: when `serve` runs what.
//!
//! A schedule's ticks follow from its text and the project's time zone alone: any number of services, and one that
//! was away, agree on them.

use std::{collections::BTreeMap, fmt, time::Duration};

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use sha2::{Digest, Sha256};
use toml_edit::Item;

use super::{Keys, deadline, mistake::Place};

/// When `serve` runs what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// When it ticks.
    pub times: Times,
    /// How long after each tick its run begins: some of `jitter`, always the same for this schedule.
    pub delay: Duration,
    /// A tick that nobody was there for is made up for within this time.
    pub make_up: Duration,
    /// What: a selection.
    pub select: String,
    /// Where that is written.
    pub select_place: Place,
    /// Whether tables larger than their `rebuild_limit` are rebuilt.
    pub rebuild: bool,
}

/// When a schedule ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Times {
    /// Every so often, counted from 1970 in UTC.
    Every(Duration),
    /// By the clock on the wall.
    Cron(Box<CronTimes>),
}

/// A cron expression of five fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronTimes {
    text: String,
    cron: Cron,
    /// It names no hours: it goes on through a change of clocks as time does.
    every_hour: bool,
}

/// Without `make_up`.
const MAKE_UP: Duration = Duration::from_secs(12 * 60 * 60);

/// How often a schedule ticks at most, and at least.
const EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(366 * 24 * 60 * 60));

/// Longer ones are no jitter.
const JITTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// So many ticks of a cron expression tell how close they come to each other: those of a day, every 5 minutes.
const TICKS_COMPARED: usize = 300;

/// Names stand in lines of logs, lists and pages.
const NAME_LENGTH_MAX: usize = 63;

impl Schedule {
    /// The last tick whose run had to begin by `now`.
    pub fn last(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.times.last(now.checked_sub(self.delay).ok()?, zone)
    }

    /// The first tick whose run has to begin after `now`.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.times.next(now.checked_sub(self.delay).ok()?, zone)
    }

    /// When the run of a tick begins.
    pub fn begins_at(&self, tick: Timestamp) -> Timestamp {
        tick.saturating_add(SignedDuration::try_from(self.delay).unwrap_or_default())
            .unwrap_or(Timestamp::MAX)
    }

    /// How many ticks lie between two moments, neither of them counted, and no more than `most`.
    pub fn between(&self, after: Timestamp, before: Timestamp, zone: &TimeZone, most: u32) -> u32 {
        let mut at = after;
        for count in 0..most {
            match self.times.next(at, zone) {
                Some(tick) if tick < before => at = tick,
                _ => return count,
            }
        }
        most
    }

    /// What its ticks follow from: where it is another one, earlier ticks are not its own.
    pub fn definition(&self, zone: &str) -> String {
        match &self.times {
            Times::Every(_) => format!("{} +{} ms", self.times, self.delay.as_millis()),
            Times::Cron(_) => format!("{} {zone} +{} ms", self.times, self.delay.as_millis()),
        }
    }
}

impl Times {
    /// The last tick that is not after `now`.
    pub fn last(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(span) => multiple(*span, now, 0),
            Self::Cron(cron) => cron.last(now, zone),
        }
    }

    /// The first tick after `now`.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(span) => multiple(*span, now, 1),
            Self::Cron(cron) => cron.next(now, zone),
        }
    }
}

/// As it is written.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(span) => match (span.as_secs(), span.subsec_nanos()) {
                (seconds, 0) if seconds % 3600 == 0 => write!(f, "every {}h", seconds / 3600),
                (seconds, 0) if seconds % 60 == 0 => write!(f, "every {}m", seconds / 60),
                _ => write!(f, "every {}s", span.as_secs_f64()),
            },
            Self::Cron(cron) => write!(f, "cron {}", cron.text),
        }
    }
}

fn multiple(span: Duration, now: Timestamp, more: i128) -> Option<Timestamp> {
    let span = i128::try_from(span.as_nanos()).ok().filter(|span| *span > 0)?;
    Timestamp::from_nanosecond((now.as_nanosecond().div_euclid(span) + more).checked_mul(span)?).ok()
}

impl CronTimes {
    /// Reads five fields; the error says what is wrong with them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != 5 {
            return Err("has not the five fields of a cron expression".to_owned());
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| format!("is no cron expression: {error}"))?;
        let every_hour = matches!(fields[1], "*" | "*/1" | "0-23");
        let times = Self { text: fields.join(" "), cron, every_hour };
        // 30 February.
        match times.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC) {
            Some(_) => Ok(times),
            None => Err("names a time that never comes".to_owned()),
        }
    }

    /// What lies between two ticks at least, as far as the first ones show it.
    fn shortest(&self) -> Option<Duration> {
        let next = |at: &Timestamp| self.next(*at, &TimeZone::UTC);
        let ticks: Vec<_> =
            std::iter::successors(next(&Timestamp::UNIX_EPOCH), next).take(TICKS_COMPARED).collect();
        ticks.windows(2).filter_map(|pair| pair[1].duration_since(pair[0]).try_into().ok()).min()
    }

    fn last(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.every_hour {
            let at = whole_seconds(now)?.to_zoned(zone.clone());
            return self.cron.find_previous_occurrence(&at, true).ok().map(|at| at.timestamp());
        }
        let shown = utc(shown_by(now, zone)?)?;
        let local = self.cron.find_previous_occurrence(&shown, true).ok()?;
        deadline::moment(local.datetime(), zone)
    }

    fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.every_hour {
            let at = whole_seconds(now)?.to_zoned(zone.clone());
            return self.cron.find_next_occurrence(&at, false).ok().map(|at| at.timestamp());
        }
        let shown = utc(shown_by(now, zone)?)?;
        let local = self.cron.find_next_occurrence(&shown, false).ok()?;
        deadline::moment(local.datetime(), zone)
    }
}

fn utc(local: DateTime) -> Option<Zoned> {
    local.to_zoned(TimeZone::UTC).ok()
}

fn whole_seconds(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_nanosecond().div_euclid(1_000_000_000).try_into().ok()?).ok()
}

/// The latest time of day that the clock has shown by `now`. When it goes back it shows nothing new until it is
/// where it was; when it jumps it has shown all that it jumped over. So each time of day comes once.
fn shown_by(now: Timestamp, zone: &TimeZone) -> Option<DateTime> {
    let now = whole_seconds(now)?;
    let local = zone.to_datetime(now);
    let AmbiguousOffset::Fold { before, .. } = zone.to_ambiguous_timestamp(local).offset() else {
        return Some(local);
    };
    if before.to_timestamp(local).ok()? == now {
        return Some(local);
    }
    // The second time round: as far as it had come when it was put back.
    let just_after = now.checked_add(SignedDuration::from_nanos(1)).ok()?;
    let put_back = zone.preceding(just_after).next()?.timestamp();
    before.to_datetime(put_back).checked_sub(SignedDuration::from_secs(1)).ok()
}

/// Reads the section.
pub(super) fn read(file: &Keys<'_>, project: &str) -> BTreeMap<String, Schedule> {
    let read = |(name, place, item): (String, Place, &Item)| {
        if name.trim().is_empty() || name.contains(char::is_control) || name.chars().count() > NAME_LENGTH_MAX
        {
            let what = "the name of a schedule is one line of 1 to 63 characters";
            file.mistakes.add(place, what.to_owned(), None);
            return None;
        }
        let keys = Keys::new(file.text, item, format!("schedule `{name}`"), place, file.mistakes)?;
        let schedule = one(&keys, project, &name);
        keys.finish();
        Some((name, schedule?))
    };
    file.named("schedules").into_iter().filter_map(read).collect()
}

fn one(keys: &Keys<'_>, project: &str, name: &str) -> Option<Schedule> {
    let (every, cron) = (every(keys), cron(keys));
    match (keys.has("every"), keys.has("cron")) {
        (false, false) => keys.missing("every", "either every = \"30m\" or cron = \"0 1 * * *\""),
        (true, true) => keys.wrong("cron", "stands beside `every`: it ticks by one of them"),
        _ => {}
    }
    let jitter = keys.duration("jitter").unwrap_or_default();
    let shortest = every.or_else(|| cron.as_ref()?.shortest());
    if jitter > JITTER_MAX || shortest.is_some_and(|shortest| !jitter.is_zero() && jitter >= shortest) {
        keys.wrong("jitter", "is as long as what lies between two ticks, or longer than a day");
    }
    let select = keys.string("select").unwrap_or_else(|| "*".to_owned());
    let rebuild = keys.boolean("rebuild").unwrap_or(false);
    let make_up = keys.duration("make_up").unwrap_or(MAKE_UP);
    let times = every.map(Times::Every).or_else(|| Some(Times::Cron(Box::new(cron?))))?;
    let select_place = keys.place_of("select");
    Some(Schedule { times, delay: share(jitter, project, name), make_up, select, select_place, rebuild })
}

fn every(keys: &Keys<'_>) -> Option<Duration> {
    let every = keys.duration("every")?;
    let (least, most) = EVERY;
    if every < least || every > most {
        keys.wrong("every", "is not from a second to a year");
        return None;
    }
    Some(every)
}

fn cron(keys: &Keys<'_>) -> Option<CronTimes> {
    match CronTimes::parse(&keys.string("cron")?) {
        Ok(cron) => Some(cron),
        Err(what) => {
            keys.wrong("cron", what);
            None
        }
    }
}

/// A share of the jitter, as even as a hash over the names is: the same each time, so that ticks stay as far from
/// each other as they are.
fn share(jitter: Duration, project: &str, name: &str) -> Duration {
    let digest = Sha256::digest(format!("{project}\0{name}").as_bytes());
    let mut part = [0; 4];
    part.copy_from_slice(&digest[..4]);
    let part = u128::from(u32::from_be_bytes(part));
    let milliseconds = (jitter.as_millis() * part) >> 32;
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
