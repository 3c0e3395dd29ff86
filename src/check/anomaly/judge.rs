//! What is expected of each measure by its history. Pure.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    curve::{Curve, growth},
    expect::{Range, Tolerance, median, of_days, of_values},
};
use crate::{
    control::{Point, Series},
    event::Found,
};

/// A table's rows are never told from what is usual by less than this, on a log scale: about a fifth.
const LEVEL_FLOOR: f64 = 0.2;

/// Nor by fewer rows.
const ROWS_FLOOR: f64 = 5.0;

/// What came in a day is never told from what is usual by less than this, on a log scale: two fifths less, two
/// thirds more.
const GROWTH_FLOOR: f64 = 0.5;

/// Fewer new rows a day are told from none by the level alone.
const GROWTH_MIN: f64 = 20.0;

/// A share of NULLs is never told from what is usual by less.
const SHARE_FLOOR: f64 = 0.05;

/// That of new rows alone.
const NEW_SHARE_FLOOR: f64 = 0.2;

/// Fewer new rows a day have no share of NULLs that would tell anything.
const NEW_ROWS_MIN: f64 = 30.0;

/// What came is looked at within no more days than that.
const SPAN_MAX: usize = 28;

/// For how long something must be abnormal in one way to be usual by itself.
const ACCEPTED_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// And how often.
const ACCEPTED_TIMES: usize = 3;

/// How a measure is held against its history.
#[derive(Debug, Clone)]
pub(super) struct Manner<'a> {
    pub(super) zone: &'a TimeZone,
    pub(super) sensitivity: f64,
    /// On how many days it must have been measured.
    pub(super) history: usize,
}

/// What is known of a measure's history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Expected {
    /// Measured on so few days.
    TooLittle(usize),
    Known(Range),
}

/// A number that is nowhere bound on one side or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) floor: f64,
    /// So much more than usual never matters.
    pub(super) slack: f64,
    /// Whether too little is possible.
    pub(super) has_low: bool,
    /// Whether what was usual once, and a quarter more, is so always.
    pub(super) up_to_greatest: bool,
}

impl Manner<'_> {
    fn tolerance(&self, floor: f64) -> Tolerance {
        Tolerance { sensitivity: self.sensitivity, floor }
    }

    /// A number of rows. `is_most`: it has so many at most, for nobody knows how many take others' places.
    pub(super) fn rows(&self, at: Timestamp, rows: f64, past: &[Point], is_most: bool) -> Expected {
        let own = |point: &Point| (point.moment, point.value);
        let curve = Curve::new(good(past, at).map(own).chain([(at, rows)]));
        let levels = curve.days(at, self.zone);
        let span = span(at, past);
        let came = growth(&levels, span);
        let known = (curve.days_measured(self.zone) - 1).min(came.iter().skip(1).flatten().count());
        if known < self.history {
            return Expected::TooLittle(known);
        }
        let logs: Vec<Option<f64>> = levels.iter().map(|level| level.map(|rows| (rows + 1.0).ln())).collect();
        let Some(by_level) = of_days(&logs, self.tolerance(LEVEL_FLOOR)) else {
            return Expected::TooLittle(known);
        };
        let by_level = by_level.map(|log| log.exp() - 1.0);
        let by_level = Range {
            low: (by_level.low - ROWS_FLOOR).max(by_level.low.min(1.0)),
            high: by_level.high + ROWS_FLOOR,
        };
        let by_growth = levels.get(span).copied().flatten();
        let by_growth = by_growth.and_then(|before| Some((before, self.came(&came)?)));
        let range = match by_growth {
            Some((before, came)) => came.map(|came| before + came).and(by_level),
            None => by_level,
        };
        Expected::Known(if is_most { Range { high: f64::INFINITY, ..range } } else { range })
    }

    /// What is expected to have come; `None`: the table does not grow day by day.
    fn came(&self, came: &[Option<f64>]) -> Option<Range> {
        let before: Vec<f64> = came.iter().skip(1).copied().flatten().collect();
        let usual = median(before.iter().copied()).filter(|usual| *usual >= GROWTH_MIN && grows(&before))?;
        // A day without new rows, as Sundays may be, has a logarithm too.
        let least = usual / 50.0;
        let logs: Vec<Option<f64>> =
            came.iter().map(|came| came.map(|came| (came.max(0.0) + least).ln())).collect();
        // What comes by chance has at least the deviation of chance.
        let floor = GROWTH_FLOOR.max(self.sensitivity / usual.sqrt());
        Some(of_days(&logs, self.tolerance(floor))?.map(|log| log.exp() - least))
    }

    /// A share of rows, of the whole table and of what came in a day. The range is that of the whole table's, or
    /// where that is well, `new`: that of the new rows'.
    pub(super) fn share(&self, at: Timestamp, (share, of): (f64, f64), past: &[Point]) -> Expected {
        let points: Vec<Point> = good(past, at).copied().collect();
        let days = Curve::new(points.iter().map(|point| (point.moment, 0.0))).days_measured(self.zone);
        let (Some(last), true) = (points.last(), days >= self.history) else {
            return Expected::TooLittle(days);
        };
        let moved: Vec<f64> = points.windows(2).map(|two| two[1].value - two[0].value).collect();
        // Shares of few rows move by chance, whatever their column is like.
        let rows_then = last.of_rows.unwrap_or(of).max(1.0);
        let usual = (last.value * rows_then + 1.0) / (rows_then + 2.0);
        let chance = (usual * (1.0 - usual) * (1.0 / of.max(1.0) + 1.0 / rows_then)).sqrt();
        let floor = SHARE_FLOOR.max(self.sensitivity * chance);
        let moves = of_values(&moved, self.tolerance(floor)).unwrap_or(Range::around(0.0, floor));
        let whole = moves.map(|by| last.value + by);
        let new = self.share_of_new(at, (share, of), &points);
        // As the share of the whole that new rows beyond their range would make.
        Expected::Known(match new {
            Some(high) => whole.and(Range { low: f64::NEG_INFINITY, high }),
            None => whole,
        })
    }

    /// The greatest share of the whole that new rows lead to; `None`: there are too few.
    fn share_of_new(&self, at: Timestamp, (share, of): (f64, f64), points: &[Point]) -> Option<f64> {
        let all = || points.iter().filter_map(|point| Some((point.moment, point.value, point.of_rows?)));
        let rows = Curve::new(all().map(|(moment, _, of)| (moment, of)).chain([(at, of)]));
        let nulls = all().map(|(moment, share, of)| (moment, share * of)).chain([(at, share * of)]);
        let nulls = Curve::new(nulls).days(at, self.zone);
        let span = span(at, points);
        let came: Vec<(f64, f64)> = growth(&rows.days(at, self.zone), span)
            .into_iter()
            .zip(growth(&nulls, span))
            .map(|(rows, nulls)| (rows.unwrap_or(0.0), nulls.unwrap_or(0.0)))
            .collect();
        let (new, _) = *came.first().filter(|(new, _)| *new >= NEW_ROWS_MIN)?;
        let before: Vec<f64> = came.iter().skip(1).map(|(rows, _)| *rows).collect();
        let shares: Vec<f64> = came
            .iter()
            .skip(1)
            .filter(|(new, _)| *new >= NEW_ROWS_MIN)
            .map(|(new, nulls)| (nulls / new).clamp(0.0, 1.0))
            .collect();
        // Of a table that rows leave too, those that came are not what it has more.
        if shares.len() < self.history || !grows(&before) {
            return None;
        }
        let usual = median(shares.iter().copied())?;
        let chance = self.sensitivity * (usual * (1.0 - usual) / new).sqrt();
        let high = of_values(&shares, self.tolerance(NEW_SHARE_FLOOR.max(chance)))?.high;
        let before = share * of - came.first()?.1;
        (of > 0.0 && high < 1.0).then(|| (before + high * new) / of)
    }

    /// A share of new rows alone, before they are among the others.
    pub(super) fn share_of_coming(&self, at: Timestamp, of: f64, past: &[Point]) -> Expected {
        let points: Vec<Point> = good(past, at).copied().collect();
        let days = Curve::new(points.iter().map(|point| (point.moment, 0.0))).days_measured(self.zone);
        let Some(last) = points.last().filter(|_| days >= self.history) else {
            return Expected::TooLittle(days);
        };
        let free = Range { low: f64::NEG_INFINITY, high: f64::INFINITY };
        let rows = last.of_rows.unwrap_or(0.0) + of;
        let nulls = last.value * last.of_rows.unwrap_or(0.0);
        let share = if rows > 0.0 { nulls / rows } else { 0.0 };
        let high = self.share_of_new(at, (share, rows), &points).filter(|_| of > 0.0);
        Expected::Known(high.map_or(free, |high| Range { high: (high * rows - nulls) / of, ..free }))
    }

    /// A number that has no days: seconds, bytes a row.
    pub(super) fn value(&self, at: Timestamp, past: &[Point], scale: Scale) -> Expected {
        let days = Curve::new(good(past, at).map(|point| (point.moment, 0.0))).days_measured(self.zone);
        let before: Vec<f64> = good(past, at).map(|point| point.value.max(0.001)).collect();
        let logs: Vec<f64> = before.iter().map(|value| value.ln()).collect();
        let Some(range) = of_values(&logs, self.tolerance(scale.floor)).filter(|_| days >= self.history)
        else {
            return Expected::TooLittle(days);
        };
        let range = range.map(f64::exp);
        let usual = median(before.iter().copied()).unwrap_or(0.0);
        let greatest = before.iter().copied().fold(0.0, f64::max);
        let once = if scale.up_to_greatest { greatest * 1.25 } else { 0.0 };
        Expected::Known(Range {
            low: if scale.has_low { range.low } else { f64::NEG_INFINITY },
            high: range.high.max(usual + scale.slack).max(once),
        })
    }
}

/// Whether a table grows day by day: on four of five it did not shrink.
fn grows(came: &[f64]) -> bool {
    came.iter().filter(|came| **came < 0.0).count() * 5 <= came.len()
}

fn good(past: &[Point], before: Timestamp) -> impl Iterator<Item = &Point> {
    past.iter().filter(move |point| point.found == Found::Normal && point.moment < before)
}

/// Within how many days what came is looked at: one, or as many as have gone since the last measure that counts. Rows
/// of two days are held against rows of the same two weekdays.
fn span(at: Timestamp, past: &[Point]) -> usize {
    let days = (1..SPAN_MAX).find(|days| {
        let since = SignedDuration::from_hours(24 * i64::try_from(*days).unwrap_or(0) + 6);
        good(past, at).last().is_some_and(|last| at.duration_since(last.moment) <= since)
    });
    days.unwrap_or(SPAN_MAX)
}

/// Since when a measure has been abnormal in this way without a break, where that is long enough to be usual.
pub(super) fn stayed_since(at: Timestamp, found: Found, past: &[Point]) -> Option<Timestamp> {
    let streak: Vec<&Point> = past
        .iter()
        .rev()
        .filter(|point| point.moment < at)
        .take_while(|point| point.found == found)
        .collect();
    let first = streak.last()?.moment;
    (streak.len() >= ACCEPTED_TIMES && at.duration_since(first) >= ACCEPTED_AFTER).then_some(first)
}

/// Since when a measure has been abnormal in any way.
pub(super) fn abnormal_since(at: Timestamp, past: &[Point]) -> Option<Timestamp> {
    let streak = past.iter().rev().filter(|point| point.moment < at);
    streak.take_while(|point| point.found != Found::Normal).last().map(|point| point.moment)
}

/// The history of one measure.
pub(super) fn past<'a>(all: &'a [Series], what: &str, of: &str) -> &'a [Point] {
    all.iter().find(|series| series.what == what && series.of == of).map_or(&[], |series| &series.points)
}
