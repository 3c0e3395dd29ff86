//! A cursor's values as texts: their order, those that may be a watermark, and ranges of them. What SQL does for a
//! database's table is done here, for there is nobody to ask.

use std::num::NonZeroU64;

use jiff::{SignedDuration, Timestamp};

use super::given::moment;
use crate::{
    schema::{CursorKind, CursorRange},
    source::Slice,
};

/// Whether one value of a cursor is before another one.
pub(super) fn is_before(kind: CursorKind, one: &str, other: &str) -> bool {
    match kind {
        CursorKind::Number => number(one) < number(other),
        CursorKind::Moment | CursorKind::LocalTime | CursorKind::Date => moment(one) < moment(other),
        CursorKind::Uuid | CursorKind::Text => one < other,
    }
}

/// A whole number; those of a cursor are.
pub(super) fn number(value: &str) -> Option<i128> {
    value.trim().parse().ok()
}

pub(super) fn is_value(kind: CursorKind, value: &str) -> bool {
    match kind {
        CursorKind::Number => number(value).is_some(),
        CursorKind::Moment | CursorKind::LocalTime | CursorKind::Date => moment(value).is_some(),
        CursorKind::Uuid | CursorKind::Text => true,
    }
}

pub(super) fn greatest(kind: CursorKind, one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if is_before(kind, &one, &other) { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// Some zone is 14 hours ahead of UTC.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_hours(14);

/// Whether a watermark may stand on a value: a time beyond now would hide what comes until then.
pub(super) fn is_credible(kind: CursorKind, value: &str, now: Timestamp) -> bool {
    let latest = match kind {
        CursorKind::Moment => now,
        CursorKind::LocalTime | CursorKind::Date => now.checked_add(AHEAD).unwrap_or(now),
        CursorKind::Number | CursorKind::Uuid | CursorKind::Text => return true,
    };
    moment(value).is_some_and(|value| value <= latest)
}

/// The value so far before another one; itself where values are no times.
pub(super) fn earlier(kind: CursorKind, value: &str, by: std::time::Duration) -> String {
    let by = match kind {
        CursorKind::Moment | CursorKind::LocalTime => SignedDuration::try_from(by),
        CursorKind::Date => {
            SignedDuration::try_from(std::time::Duration::from_secs(by.as_secs().div_ceil(DAY) * DAY))
        }
        CursorKind::Number | CursorKind::Uuid | CursorKind::Text => return value.to_owned(),
    };
    let before = moment(value).zip(by.ok()).and_then(|(moment, by)| moment.checked_sub(by).ok());
    before.map_or_else(|| value.to_owned(), |before| written(kind, before))
}

pub(super) const DAY: u64 = 24 * 60 * 60;

/// A time as a value of the cursor.
pub(super) fn written(kind: CursorKind, moment: Timestamp) -> String {
    let zoned = moment.to_zoned(jiff::tz::TimeZone::UTC);
    match kind {
        CursorKind::Date => zoned.date().to_string(),
        CursorKind::LocalTime => zoned.datetime().to_string(),
        _ => moment.to_string(),
    }
}

/// The slices of a range, each so long. How many rows are in one nobody knows.
pub(super) fn cut(
    kind: CursorKind,
    from: &str,
    range: &CursorRange,
    seconds: NonZeroU64,
    most: u32,
) -> Vec<Slice> {
    let mut slices = Vec::new();
    let stride = SignedDuration::from_secs(i64::try_from(seconds.get()).unwrap_or(i64::MAX));
    let (Some(mut begin), Some(end)) = (moment(from), moment(&range.to)) else { return slices };
    let mut first = range.from.clone().or_else(|| Some(from.to_owned()));
    while slices.len() < most as usize {
        let next = begin.checked_add(stride).unwrap_or(end);
        let is_last = next >= end;
        let (to, to_included) = match is_last {
            true => (range.to.clone(), range.to_included),
            false => (written(kind, next), false),
        };
        let own = CursorRange { from: first.take(), to: to.clone(), to_included };
        slices.push(Slice { range: own, rows: 0 });
        if is_last {
            break;
        }
        (first, begin) = (Some(to), next);
    }
    slices
}

#[cfg(test)]
mod tests;
