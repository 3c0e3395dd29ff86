//! What is usual, by values whose answer is known, by any series at all, and by a year of simulated tables.

use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;

use super::{
    curve::{Curve, growth},
    expect::{Tolerance, median, of_days, of_values},
    judge::{Expected, Manner, Scale, stayed_since},
    *,
};
use crate::control::Point;

/// A Monday, in summer time; both changes of the clock lie within the 120 days of a simulation.
fn start() -> Timestamp {
    "2026-08-03T05:00:00Z".parse().expect("a moment")
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/London").expect("it is known")
}

fn manner(zone: &TimeZone) -> Manner<'_> {
    Manner { zone, sensitivity: 4.0, history: 7 }
}

fn day(number: i64) -> Timestamp {
    start().to_zoned(zone()).checked_add(number.days()).expect("in range").timestamp()
}

fn point(moment: Timestamp, value: f64) -> Point {
    Point { moment, value, of_rows: None, found: Found::Normal }
}

fn range(expected: Expected) -> Option<Range> {
    match expected {
        Expected::Known(range) => Some(range),
        Expected::TooLittle(_) => None,
    }
}

/// A table that grows by so many rows a day.
fn growing(by: &[f64]) -> Vec<Point> {
    let mut level = 10_000.0;
    let grow = |(number, by): (usize, &f64)| {
        level += by;
        point(day(i64::try_from(number).expect("few")), level)
    };
    by.iter().enumerate().map(grow).collect()
}

#[test]
fn growth_is_that_of_a_day_whenever_somebody_looks() {
    let zone = zone();
    // Every hour, and once again five minutes later.
    let hours = (0..240).map(|hour| start() + SignedDuration::from_hours(hour));
    let again = start() + SignedDuration::from_hours(239) + SignedDuration::from_mins(5);
    let points =
        hours.enumerate().map(|(hour, at)| (at, 100.0 * f64::from(u32::try_from(hour).unwrap_or(0))));
    let curve = Curve::new(points.chain([(again, 23_900.0)]));
    let came = growth(&curve.days(again, &zone), 1);
    assert!(
        (came[0].expect("known") - 2_391.0).abs() < 2.0 || (came[0].expect("known") - 2_400.0).abs() < 10.0,
        "{came:?}"
    );
    assert!(came[1..8].iter().all(|came| came.is_some_and(|came| (came - 2_400.0).abs() < 10.0)), "{came:?}");
    // Once a week: a seventh a day.
    let weeks =
        Curve::new((0..9).map(|week| (day(week * 7), 700.0 * f64::from(i32::try_from(week).unwrap_or(0)))));
    let came = growth(&weeks.days(day(56), &zone), 1);
    // But for the hour by which a day is shorter or longer where the clock changes.
    assert!(came.iter().flatten().all(|came| (came - 100.0).abs() < 5.0), "{came:?}");
}

#[test]
fn nothing_is_said_before_there_is_a_history() {
    let zone = zone();
    let past = growing(&[1_000.0; 7]);
    let rows = |past: &[Point], number: i64, rows: f64| manner(&zone).rows(day(number), rows, past, false);
    assert_eq!(rows(&past[..3], 3, 0.0), Expected::TooLittle(2));
    // Seven days have six between them.
    assert_eq!(rows(&past, 7, 0.0), Expected::TooLittle(6));
    assert!(range(rows(&growing(&[1_000.0; 8]), 8, 0.0)).is_some());
    // Seven loads within an hour are one day.
    let hasty: Vec<Point> =
        (0..7).map(|minutes| point(start() + SignedDuration::from_mins(minutes * 9), 5.0)).collect();
    let scale = Scale { floor: 0.2, slack: 0.0, has_low: true, up_to_greatest: false };
    assert_eq!(manner(&zone).value(day(1), &hasty, scale), Expected::TooLittle(1));
}

#[test]
fn a_table_that_never_moved_may_move_a_little() {
    let zone = zone();
    let rows = |level: f64, now: f64| {
        let past: Vec<Point> = (0..30).map(|number| point(day(number), level)).collect();
        range(manner(&zone).rows(day(30), now, &past, false)).expect("a history").place(now)
    };
    assert_eq!(
        (rows(20.0, 24.0), rows(20.0, 10.0), rows(20.0, 0.0)),
        (Found::Normal, Found::Low, Found::Low)
    );
    assert_eq!(
        (rows(1_000.0, 1_150.0), rows(1_000.0, 500.0), rows(1_000.0, 2_000.0)),
        (Found::Normal, Found::Low, Found::High)
    );
    assert_eq!((rows(3.0, 1.0), rows(3.0, 0.0)), (Found::Normal, Found::Low));
}

#[test]
fn days_off_are_usual_on_their_weekday_alone() {
    let zone = zone();
    let weeks: Vec<f64> = (0..56).map(|number| if number % 7 > 4 { 0.0 } else { 1_000.0 }).collect();
    let place = |weeks: &[f64], came: f64| {
        let past = growing(weeks);
        let at = day(i64::try_from(weeks.len()).expect("few"));
        let now = past.last().map_or(0.0, |last| last.value) + came;
        range(manner(&zone).rows(at, now, &past, false)).expect("a history").place(now)
    };
    assert_eq!(place(&weeks[..54], 0.0), Found::Normal, "a Saturday");
    assert_eq!(place(&weeks[..54], 1_000.0), Found::High, "a Saturday");
    assert_eq!(place(&weeks, 0.0), Found::Low, "a Monday");
    assert_eq!(place(&weeks, 1_050.0), Found::Normal, "a Monday");
    // The first weekends are no news either.
    assert_eq!(place(&weeks[..12], 0.0), Found::Normal, "the second Saturday");
}

#[test]
fn rows_that_were_late_are_no_news_when_they_come_nor_is_what_was_abnormal_a_measure() {
    let zone = zone();
    let mut past = growing(&[1_000.0; 30]);
    let last = past[29].value;
    past.push(Point { found: Found::Low, ..point(day(30), last) });
    let expected = range(manner(&zone).rows(day(31), last + 2_000.0, &past, false)).expect("a history");
    assert_eq!(expected.place(last + 2_000.0), Found::Normal, "{expected:?}");
    // If none come, there is still a day too few.
    let expected = range(manner(&zone).rows(day(31), last + 1_000.0, &past, false)).expect("a history");
    assert_eq!(expected.place(last + 1_000.0), Found::Low, "{expected:?}");
    assert_eq!(expected.place(last), Found::Low, "{expected:?}");
}

#[test]
fn a_column_without_values_is_found_in_the_whole_and_among_new_rows() {
    let zone = zone();
    let with = |number: i64, rows: f64, nulls: f64| Point {
        of_rows: Some(rows),
        ..point(day(number), nulls / rows)
    };
    // Of 500 rows a day one in fifty is NULL.
    let past: Vec<Point> = (0..40_u16)
        .map(|number| with(number.into(), 500.0 * f64::from(number + 1), 10.0 * f64::from(number + 1)))
        .collect();
    let place = |nulls: f64| {
        let (share, of) = (nulls / 20_500.0, 20_500.0);
        range(manner(&zone).share(day(40), (share, of), &past)).expect("a history").place(share)
    };
    assert_eq!((place(410.0), place(430.0)), (Found::Normal, Found::Normal));
    assert_eq!((place(900.0), place(20_500.0)), (Found::High, Found::High));
    let coming = |share: f64| {
        range(manner(&zone).share_of_coming(day(40), 500.0, &past)).expect("a history").place(share)
    };
    assert_eq!((coming(0.03), coming(1.0)), (Found::Normal, Found::High));
}

#[test]
fn a_new_level_is_usual_after_three_days() {
    let streak = |found: &[Found]| -> Vec<Point> {
        let one = |(number, found): (usize, &Found)| Point {
            found: *found,
            ..point(day(i64::try_from(number).expect("few")), 1.0)
        };
        found.iter().enumerate().map(one).collect()
    };
    use Found::{High, Low, Normal};
    assert_eq!(stayed_since(day(5), High, &streak(&[Normal, Normal, High, High, High])), Some(day(2)));
    assert_eq!(stayed_since(day(4), High, &streak(&[Normal, Normal, High, High])), None);
    assert_eq!(stayed_since(day(5), High, &streak(&[Normal, High, Low, High, High])), None);
    assert_eq!(stayed_since(day(5), Low, &streak(&[Normal, Normal, High, High, High])), None);
}

proptest! {
    #[test]
    fn the_median_lies_in_the_middle(values in prop::collection::vec(-1e9_f64..1e9, 1..50)) {
        let middle = median(values.iter().copied()).expect("some");
        let below = values.iter().filter(|value| **value < middle).count();
        let above = values.iter().filter(|value| **value > middle).count();
        prop_assert!(below * 2 <= values.len() && above * 2 <= values.len());
    }

    #[test]
    fn a_minority_of_any_values_moves_no_range_far(
        usual in prop::collection::vec(90.0_f64..110.0, 9..40),
        odd in prop::collection::vec(-1e12_f64..1e12, 0..4),
    ) {
        let tolerance = Tolerance { sensitivity: 4.0, floor: 1.0 };
        let all: Vec<f64> = usual.iter().chain(&odd).copied().collect();
        let range = of_values(&all, tolerance).expect("some");
        prop_assert!(range.low > -100.0 && range.high < 300.0, "{:?}", range);
        prop_assert!(range.low <= range.high);
    }

    #[test]
    fn what_goes_on_as_it_did_is_expected_whatever_the_scale(
        first in 100.0_f64..1e6,
        week in prop::collection::vec(0.5_f64..2.0, 7),
        growth in 0.0_f64..0.01,
        days in 10_usize..90,
    ) {
        // The first day is today.
        let level = |ago: usize| {
            let number = days - ago;
            first.ln() + week[number % 7].ln() + growth * f64::from(u32::try_from(number).unwrap_or(0))
        };
        let logs: Vec<Option<f64>> = (0..=days).map(|ago| Some(level(ago))).collect();
        let range = of_days(&logs, Tolerance { sensitivity: 4.0, floor: 0.4 }).expect("some");
        prop_assert_eq!(range.place(level(0)), Found::Normal);
    }

    #[test]
    fn any_history_is_judged_and_nothing_is_not_a_number(
        points in prop::collection::vec((0_i64..100 * 86_400, 0.0_f64..1e12, 0_u8..3), 0..60),
        now in 0.0_f64..1e12,
    ) {
        let zone = zone();
        let found = [Found::Normal, Found::Low, Found::High];
        let of = |(second, value, place): &(i64, f64, u8)| Point {
            of_rows: Some(*value),
            found: found[usize::from(*place)],
            ..point(start() + SignedDuration::from_secs(*second), *value)
        };
        let mut past: Vec<Point> = points.iter().map(of).collect();
        past.sort_by_key(|point| point.moment);
        let at = day(101);
        let scale = Scale { floor: 0.2, slack: 1.0, has_low: true, up_to_greatest: true };
        let all = [manner(&zone).rows(at, now, &past, false), manner(&zone).value(at, &past, scale)];
        for range in all.into_iter().filter_map(range) {
            prop_assert!(!range.low.is_nan() && !range.high.is_nan());
        }
    }
}

mod simulation;
