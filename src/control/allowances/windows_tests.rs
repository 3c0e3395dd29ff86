use std::{collections::VecDeque, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

fn limits(windows: Vec<Window>, zone: &str, keeps: bool) -> Limits {
    let zone = TimeZone::get(zone).expect("a zone of the bundled database");
    Limits { windows, zone, keeps, longest: Duration::from_secs(300) }
}

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a moment").as_microsecond()
}

fn day(count: u32) -> Vec<Window> {
    vec![Window::Calendar { unit: CalendarUnit::Day, count }]
}

/// The slow way: takes every moment of interest, and counts at each what stands in the window, one by one.
fn slowly(length: i64, count: u32, now: i64, open: usize, spent: &[i64], first: u64) -> i64 {
    let held = held(length);
    let mut moments: Vec<i64> = spent.iter().map(|last| last + held).chain([now, now + held]).collect();
    moments.sort_unstable();
    let fits = |moment: &i64| {
        let open = if *moment < now + held { open as u64 } else { 0 };
        let spent = spent.iter().filter(|last| **last + held > *moment).count() as u64;
        *moment >= now && (open + spent + first < u64::from(count) || *moment == now + held)
    };
    moments.into_iter().find(fits).expect("everything has ended some time")
}

proptest! {
    #[test]
    fn the_next_request_is_allowed_exactly_when_counting_says_so(
        count in 1u32..8,
        open in 0usize..6,
        spent in proptest::collection::vec(0i64..12_000_000, 0..12),
        first in 0u64..3,
    ) {
        let (now, length) = (100 * SECOND, 10 * SECOND);
        let spent: Vec<i64> = spent.into_iter().map(|ago| now - ago).collect();
        let window = Window::Sliding { length: Duration::from_secs(10), count };
        let state = State {
            now,
            open: (0..open).map(|n| Open { id: n.to_string(), granted_at: now - 1, until: now + SECOND }).collect(),
            spent: spent.iter().map(|last| Spent { length, last_at: *last, count: 1 }).collect(),
            ..State::default()
        };
        let found = earliest(&limits(vec![window], "UTC", false), &state, Tier::Optional, first);
        prop_assert_eq!(found, slowly(length, count, now, open, &spent, first));
    }

    /// Requests by several at once, each counted by the service anywhere between its sending and its answer.
    #[test]
    fn the_service_never_counts_more_than_it_allows(
        count in 1u32..6,
        requests in proptest::collection::vec((0i64..3_000_000, 0u32..=100, 0i64..400_000), 1..80),
    ) {
        let (length, window) = (SECOND, Duration::from_secs(1));
        let limits = limits(vec![Window::Sliding { length: window, count }], "UTC", false);
        let mut state = State::default();
        let mut seen: Vec<i64> = Vec::new();
        let mut under_way: VecDeque<i64> = VecDeque::new();
        for (latency, counted_at, pause) in requests {
            state.now += pause;
            let granted_at = loop {
                let answered = |last: &i64| *last <= state.now;
                let done: Vec<i64> = under_way.iter().copied().filter(answered).collect();
                under_way.retain(|last| *last > state.now);
                state.open = (0..under_way.len())
                    .map(|n| Open { id: n.to_string(), granted_at: state.now, until: i64::MAX })
                    .collect();
                state.spent.extend(done.into_iter().map(|last_at| Spent { length, last_at, count: 1 }));
                let next = earliest(&limits, &state, Tier::Optional, 0);
                if next <= state.now {
                    break state.now;
                }
                state.now = next;
            };
            under_way.push_back(granted_at + latency);
            seen.push(granted_at + latency * i64::from(counted_at) / 100);
        }
        seen.sort_unstable();
        for (nth, last) in seen.iter().enumerate() {
            let in_window = seen[..=nth].iter().filter(|one| **one > last - length).count();
            prop_assert!(in_window <= count as usize, "{in_window} of {count}");
        }
    }

    #[test]
    fn the_calendar_never_counts_more_than_it_allows(
        count in 1u32..6,
        skew in -4_000_000i64..4_000_000,
        requests in proptest::collection::vec((0i64..90_000_000, 0u32..=100, 0i64..9_000_000_000), 1..60),
    ) {
        let limits = limits(day(count), "America/New_York", false);
        // Over the days when its clocks are set forward.
        let mut state = State { now: at("2026-03-07T20:00:00Z"), ..State::default() };
        let mut seen = Vec::new();
        for (latency, counted_at, pause) in requests {
            state.now += pause;
            while earliest(&limits, &state, Tier::Optional, 0) > state.now {
                state.now = earliest(&limits, &state, Tier::Optional, 0);
            }
            let granted_at = state.now;
            let mut spans = touched(CalendarUnit::Day, &limits, granted_at);
            spans.extend(reached(CalendarUnit::Day, &limits, granted_at, granted_at + latency));
            for span in spans {
                state.counted.push(Counted { unit: "day".to_owned(), span, count: 1 });
            }
            state.now += latency;
            seen.push(granted_at + latency * i64::from(counted_at) / 100 + skew);
        }
        let days: Vec<_> = seen.iter().map(|at| CalendarUnit::Day.around(*at, &limits.zone)).collect();
        for day in &days {
            prop_assert!(days.iter().filter(|other| *other == day).count() <= count as usize);
        }
    }

    #[test]
    fn stretches_of_the_calendar_leave_no_gap(
        start in 0i64..4_000_000_000,
        zone in prop::sample::select(vec!["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC", "Africa/Cairo"]),
    ) {
        let zone = TimeZone::get(zone).unwrap();
        for unit in [CalendarUnit::Hour, CalendarUnit::Day] {
            let at = start * SECOND;
            let span = unit.around(at, &zone);
            prop_assert!(span.starts <= at && at < span.ends, "{span:?}");
            prop_assert_eq!(unit.around(span.starts, &zone), span);
            prop_assert_eq!(unit.around(span.ends - 1, &zone), span);
            prop_assert_eq!(unit.around(span.ends, &zone).starts, span.ends);
        }
    }
}

#[test]
fn a_day_has_the_hours_that_its_zone_gives_it() {
    let zone = TimeZone::get("America/New_York").unwrap();
    let hours = |text: &str| {
        let span = CalendarUnit::Day.around(at(text), &zone);
        (span.ends - span.starts) / (3600 * SECOND)
    };
    assert_eq!(hours("2026-03-08T12:00:00Z"), 23);
    assert_eq!(hours("2026-11-01T12:00:00Z"), 25);
    assert_eq!(hours("2026-06-01T12:00:00Z"), 24);
    let span = CalendarUnit::Day.around(at("2026-06-01T03:59:59Z"), &zone);
    assert_eq!(span.ends, at("2026-06-01T04:00:00Z"));
}

#[test]
fn a_full_day_lets_nobody_ask_until_the_services_midnight_has_surely_passed() {
    let limits = limits(day(10), "America/New_York", false);
    let now = at("2026-06-01T12:00:00Z");
    let span = CalendarUnit::Day.around(now, &limits.zone);
    let counted = |count| vec![Counted { unit: "day".to_owned(), span, count }];
    let state = |count| State { now, counted: counted(count), ..State::default() };
    assert_eq!(earliest(&limits, &state(9), Tier::Optional, 0), now);
    assert_eq!(earliest(&limits, &state(10), Tier::Optional, 0), at("2026-06-02T04:00:05Z"));
    // A moment before midnight counts as of both days.
    let late = State { now: at("2026-06-02T03:59:57Z"), counted: counted(10), ..State::default() };
    assert_eq!(earliest(&limits, &late, Tier::Optional, 0), at("2026-06-02T04:00:05Z"));
}

#[test]
fn what_is_kept_for_critical_tasks_melts_until_the_day_ends() {
    let limits = limits(day(100), "UTC", true);
    let span = CalendarUnit::Day.around(at("2026-06-01T12:00:00Z"), &limits.zone);
    let next = |now: &str, count, tier| {
        let counted = vec![Counted { unit: "day".to_owned(), span, count }];
        earliest(&limits, &State { now: at(now), counted, ..State::default() }, tier, 0)
    };
    let midday = "2026-06-01T12:00:00Z";
    assert_eq!(next(midday, 99, Tier::Critical), at(midday));
    // A quarter is 25; at midday a half of it is left, 12 whole ones.
    assert_eq!(next(midday, 87, Tier::Optional), at(midday));
    let later = next(midday, 88, Tier::Optional);
    // Eleven are kept when less than 12/25 of the day is left: 1,728 seconds later.
    assert_eq!(later, at(midday) + 1_728_000_001);
    assert!(next(midday, 95, Tier::Optional) > at("2026-06-01T19:00:00Z"));
    assert_eq!(next("2026-06-01T23:59:50Z", 99, Tier::Optional), at("2026-06-01T23:59:50Z"));
    assert_eq!(next("2026-06-01T23:59:50Z", 100, Tier::Optional), at("2026-06-02T00:00:05Z"));
}

#[test]
fn a_service_that_pauses_is_not_asked() {
    let limits = limits(Vec::new(), "UTC", false);
    let state = State { now: 5, paused_until: Some(9), ..State::default() };
    assert_eq!(earliest(&limits, &state, Tier::Critical, 0), 9);
}

#[test]
fn what_counts_now_is_told_of_each_limit() {
    let now = at("2026-11-22T12:00:00Z");
    let spent = |length, ago, count| Spent { length, last_at: now - ago, count };
    let minute = 60 * SECOND;
    let span = CalendarUnit::Day.around(now, &TimeZone::UTC);
    let yesterday = Span { starts: span.starts - 24 * 60 * minute, ends: span.starts };
    let state = State {
        now,
        paused_until: Some(now - SECOND),
        open: vec![Open { id: "a".into(), granted_at: now - SECOND, until: now + minute }],
        spent: vec![spent(minute, 10 * SECOND, 7), spent(minute, 2 * minute, 9), spent(SECOND, 0, 3)],
        counted: vec![
            Counted { unit: "day".into(), span, count: 40 },
            Counted { unit: "day".into(), span: yesterday, count: 500 },
        ],
        waiting: 2,
    };
    let windows = vec![Window::per_minute(60), Window::per_day(1_000)];
    let found = standing(&limits(windows, "UTC", false), &state);
    let used: Vec<u64> = found.windows.iter().map(|one| one.used).collect();
    // The one under way is in the day's count since it was sent.
    assert_eq!(used, [8, 40]);
    assert_eq!(found.windows[1].ends_at.expect("a day ends"), "2026-11-23T00:00:00Z".parse().unwrap());
    assert_eq!(found.paused_until, None, "that is over");
}
