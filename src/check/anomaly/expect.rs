//! What is usual by what was: medians, and the median distance from them. Pure.

use crate::event::Found;

/// By which the median distance from the median is as a standard deviation, of what is distributed normally.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// How many of the same weekday must be known to go by it.
const WEEKDAYS_MIN: usize = 3;

/// How many weeks back the same weekday is looked at.
const WEEKS: usize = 4;

/// How many distances say how far apart values are.
const DISTANCES_MIN: usize = 7;

/// Between which values one is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    pub(super) fn around(middle: f64, by: f64) -> Self {
        Self { low: middle - by, high: middle + by }
    }

    /// What both allow. Where they have nothing in common the narrower one is right.
    pub(super) fn and(self, other: Self) -> Self {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        if both.low <= both.high { both } else { self }
    }

    pub(super) fn map(self, of: impl Fn(f64) -> f64) -> Self {
        Self { low: of(self.low), high: of(self.high) }
    }

    pub(super) fn place(&self, value: f64) -> Found {
        if value < self.low {
            Found::Low
        } else if value > self.high {
            Found::High
        } else {
            Found::Normal
        }
    }
}

/// How far from what is usual a value may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    /// As a number of robust standard deviations.
    pub(super) sensitivity: f64,
    /// At least so far: what never moved has no deviation.
    pub(super) floor: f64,
}

impl Tolerance {
    fn of(&self, deviation: f64) -> f64 {
        (self.sensitivity * deviation).max(self.floor)
    }
}

/// The median; `None` of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    middle_of(&mut values.into_iter().filter(|value| value.is_finite()).collect::<Vec<f64>>())
}

fn middle_of(sorted: &mut [f64]) -> Option<f64> {
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The robust standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let Some(middle) = median(values.iter().copied()) else { return 0.0 };
    let distances = values.iter().map(|value| (value - middle).abs());
    MAD_TO_DEVIATION * median(distances).unwrap_or(0.0)
}

/// The range of a value by those before it, whatever their order.
pub(super) fn of_values(before: &[f64], tolerance: Tolerance) -> Option<Range> {
    Some(Range::around(median(before.iter().copied())?, tolerance.of(deviation(before))))
}

/// The range of today's value by those of the days before: `days[0]` is today's, and not looked at, `days[1]`
/// yesterday's.
///
/// With three values of the same weekday: their median, each moved by the usual growth of the weeks since. What that
/// would have said of the days before says how far off it may be. With fewer: as the values so far, and half as far
/// again as the tolerance allows, so that the first weekends are no news.
pub(super) fn of_days(days: &[Option<f64>], tolerance: Tolerance) -> Option<Range> {
    let weekly = |day: usize| Some(value(days, day)? - value(days, day + 7)?);
    let growth = median((1..days.len()).filter_map(weekly));
    if let Some(growth) = growth
        && let Some(middle) = by_weekday(days, 0, growth, WEEKDAYS_MIN)
    {
        let off = |day: usize| Some(value(days, day)? - by_weekday(days, day, growth, WEEKDAYS_MIN - 1)?);
        let off: Vec<f64> = (1..days.len()).filter_map(off).collect();
        if off.len() >= DISTANCES_MIN {
            return Some(Range::around(middle, tolerance.of(deviation(&off) * of_few(off.len()))));
        }
    }
    let before = || days.iter().skip(1).flatten().copied();
    let least = before().min_by(f64::total_cmp)?;
    let greatest = before().max_by(f64::total_cmp)?;
    let more = tolerance.floor * 1.5;
    Some(Range { low: least - more, high: greatest + more })
}

/// A deviation told by few values may be far too small.
fn of_few(values: usize) -> f64 {
    1.0 + 4.0 / f64::from(u32::try_from(values).unwrap_or(u32::MAX))
}

fn value(days: &[Option<f64>], day: usize) -> Option<f64> {
    days.get(day).copied().flatten()
}

/// What the same weekday of the weeks before says of a day.
fn by_weekday(days: &[Option<f64>], day: usize, growth: f64, least: usize) -> Option<f64> {
    let (mut same, mut known) = ([0.0; WEEKS], 0);
    let mut grown = 0.0;
    for week in 1..=WEEKS {
        grown += growth;
        if let Some(value) = value(days, day + 7 * week) {
            same[known] = value + grown;
            known += 1;
        }
    }
    if known < least { None } else { middle_of(&mut same[..known]) }
}
