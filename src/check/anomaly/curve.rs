//! How a table grew: from levels at any moments to those of one time of day, day by day. Pure.
//!
//! Loads come hourly, daily, by hand, twice within five minutes. Between two measures a table is taken to have grown
//! evenly, so that what came is always asked of the last 24 hours, whenever somebody looked: a run right after another
//! has nothing new, and the same day behind it.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// How many days back are looked at: nine weeks.
const DAYS: i64 = 63;

/// Levels by their moments, the earliest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Curve {
    points: Vec<(Timestamp, f64)>,
}

impl Curve {
    /// Measures in any order; of one moment the last one stays.
    pub(super) fn new(points: impl IntoIterator<Item = (Timestamp, f64)>) -> Self {
        let mut points: Vec<(Timestamp, f64)> = points.into_iter().collect();
        points.sort_by_key(|(moment, _)| *moment);
        points.dedup_by_key(|(moment, _)| *moment);
        Self { points }
    }

    /// The level at a moment; `None` before the first and after the last measure.
    pub(super) fn level(&self, at: Timestamp) -> Option<f64> {
        let after = self.points.partition_point(|(moment, _)| *moment < at);
        let (next_at, next) = *self.points.get(after)?;
        if next_at == at {
            return Some(next);
        }
        let (last_at, last) = *self.points.get(after.checked_sub(1)?)?;
        let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        Some(last + (next - last) * seconds(last_at, at) / seconds(last_at, next_at))
    }

    /// The levels at the same time of day, today's first.
    pub(super) fn days(&self, today: Timestamp, zone: &TimeZone) -> Vec<Option<f64>> {
        let offset = |at: Timestamp| i64::from(zone.to_offset(at).seconds());
        let at = |day: i64| {
            let then = today.checked_sub(SignedDuration::from_hours(24 * day)).ok()?;
            // The clock may have changed in between.
            let shift = SignedDuration::from_secs(offset(today) - offset(then));
            self.level(then.checked_add(shift).ok()?)
        };
        (0..=DAYS).map(at).collect()
    }

    /// On how many days something was measured.
    pub(super) fn days_measured(&self, zone: &TimeZone) -> usize {
        let mut dates: Vec<_> =
            self.points.iter().map(|(moment, _)| moment.to_zoned(zone.clone()).date()).collect();
        dates.dedup();
        dates.len()
    }
}

/// What came within so many days up to each day, today's first.
pub(super) fn growth(levels: &[Option<f64>], span: usize) -> Vec<Option<f64>> {
    levels.iter().zip(levels.iter().skip(span)).map(|(now, before)| Some((*now)? - (*before)?)).collect()
}
