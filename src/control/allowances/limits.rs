//! What a service allows, as plain data.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

/// How often a service may be asked.
#[derive(Debug, Clone)]
pub struct Limits {
    /// All of them hold; empty: there is none.
    pub windows: Vec<Window>,
    /// Where the service's calendar begins its days.
    pub zone: TimeZone,
    /// A quarter of each window of the calendar is kept for critical tasks. It melts evenly until the
    /// window's end, so that none of it is lost where they do not need it.
    pub keeps: bool,
    /// How long a request can be under way: of a process that died it counts so long.
    pub longest: Duration,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// At most so many in each stretch of time of this length, wherever it begins.
    Sliding {
        /// How long.
        length: Duration,
        /// How many.
        count: u32,
    },
    /// At most so many in each unit of the service's calendar.
    Calendar {
        /// Which unit.
        unit: CalendarUnit,
        /// How many.
        count: u32,
    },
}

impl Window {
    /// So many in each second.
    pub fn per_second(count: u32) -> Self {
        Self::Sliding { length: Duration::from_secs(1), count }
    }

    /// So many in each minute.
    pub fn per_minute(count: u32) -> Self {
        Self::Sliding { length: Duration::from_secs(60), count }
    }

    /// So many in each sixty minutes.
    pub fn per_hour(count: u32) -> Self {
        Self::Sliding { length: Duration::from_secs(3600), count }
    }

    /// So many on each day of the service's calendar.
    pub fn per_day(count: u32) -> Self {
        Self::Calendar { unit: CalendarUnit::Day, count }
    }

    /// How many at most.
    pub fn most(self) -> u32 {
        match self {
            Self::Sliding { count, .. } | Self::Calendar { count, .. } => count,
        }
    }

    /// In what: `second`, `minute`, `hour`, `day`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Sliding { length, .. } => match length.as_secs() {
                ..=1 => "second",
                2..=60 => "minute",
                _ => "hour",
            },
            Self::Calendar { unit, .. } => unit.word(),
        }
    }
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CalendarUnit {
    /// From full hour to full hour of the service's zone.
    Hour,
    /// From midnight to midnight there: 23 and 25 hours where its clocks are set.
    Day,
}

/// A stretch of the calendar: from a moment (included) to another, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub(super) starts: i64,
    pub(super) ends: i64,
}

impl CalendarUnit {
    /// As the table has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The one in which a moment lies.
    pub(super) fn around(self, at: i64, zone: &TimeZone) -> Span {
        // What no calendar has (year 10,000) lies in a day of UTC.
        let in_zone = || match self {
            Self::Hour => hour(at, zone),
            Self::Day => {
                let start =
                    Timestamp::from_microsecond(at).ok()?.to_zoned(zone.clone()).start_of_day().ok()?;
                let end = start.tomorrow().ok()?.start_of_day().ok()?;
                Some(Span {
                    starts: start.timestamp().as_microsecond(),
                    ends: end.timestamp().as_microsecond(),
                })
            }
        };
        in_zone().unwrap_or_else(|| {
            let starts = at.div_euclid(DAY) * DAY;
            Span { starts, ends: starts.saturating_add(DAY) }
        })
    }
}

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// The hour as the zone's clocks show it: where they are set, one that comes twice is two, and one that is cut short ends
/// with the cut.
fn hour(at: i64, zone: &TimeZone) -> Option<Span> {
    let moment = Timestamp::from_microsecond(at).ok()?;
    let offset = i64::from(zone.to_offset(moment).seconds()) * 1_000_000;
    let starts = (at + offset).div_euclid(HOUR) * HOUR - offset;
    let mut span = Span { starts, ends: starts + HOUR };
    if let Some(set) = zone.preceding(moment.checked_add(jiff::SignedDuration::from_micros(1)).ok()?).next() {
        span.starts = span.starts.max(set.timestamp().as_microsecond());
    }
    if let Some(set) = zone.following(moment).next() {
        span.ends = span.ends.min(set.timestamp().as_microsecond());
    }
    Some(span)
}
