//! Ticks against a clock that is walked minute by minute.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a time zone")
}

fn cron(text: &str) -> Times {
    Times::Cron(Box::new(CronTimes::parse(text).expect("a cron expression")))
}

/// The ticks after one moment and up to another, forwards; and the same backwards.
fn ticks(times: &Times, zone: &TimeZone, from: &str, to: &str) -> Vec<String> {
    let (from, to) = (at(from), at(to));
    let (mut forwards, mut moment) = (Vec::new(), from);
    while let Some(tick) = times.next(moment, zone).filter(|tick| *tick <= to) {
        forwards.push(tick);
        moment = tick;
    }
    let (mut backwards, mut moment) = (Vec::new(), to);
    while let Some(tick) = times.last(moment, zone).filter(|tick| *tick > from) {
        backwards.insert(0, tick);
        moment = tick - SignedDuration::from_nanos(1);
    }
    assert_eq!(forwards, backwards, "{times}");
    forwards.iter().map(|tick| tick.strftime("%dT%H:%M").to_string()).collect()
}

#[test]
fn a_time_that_the_clock_skips_comes_at_the_first_moment_after() {
    let london = zone("Europe/London");
    // Summer begins at 01:00 UTC on 29 March 2026: 01:00 to 02:00 is skipped.
    let spring = |text: &str| ticks(&cron(text), &london, "2026-03-28T12:00:00Z", "2026-03-30T03:00:00Z");
    assert_eq!(spring("30 1 * * *"), ["29T01:00", "30T00:30"]);
    // Several in the gap are one, and one with what falls on its end.
    assert_eq!(
        spring("0,30 1,2 * * *"),
        ["29T01:00", "29T01:30", "30T00:00", "30T00:30", "30T01:00", "30T01:30"]
    );
    // What names no hours is not made up for: it comes soon anyway.
    let hours = ticks(&cron("30 * * * *"), &london, "2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z");
    assert_eq!(hours, ["28T23:30", "29T00:30", "29T01:30", "29T02:30"]);
    // Samoa had no 30 December 2011 at all.
    let samoa =
        ticks(&cron("0 6 * * *"), &zone("Pacific/Apia"), "2011-12-29T00:00:00Z", "2011-12-31T00:00:00Z");
    assert_eq!(samoa, ["29T16:00", "30T10:00", "30T16:00"]);
}

#[test]
fn a_time_that_the_clock_shows_twice_comes_once() {
    let london = zone("Europe/London");
    // Summer ends at 01:00 UTC on 25 October 2026: 01:00 to 02:00 is there twice.
    let autumn = |text: &str| ticks(&cron(text), &london, "2026-10-24T12:00:00Z", "2026-10-25T04:00:00Z");
    assert_eq!(autumn("30 1 * * *"), ["25T00:30"]);
    assert_eq!(
        autumn("*/20 1-2 * * *"),
        ["25T00:00", "25T00:20", "25T00:40", "25T02:00", "25T02:20", "25T02:40"]
    );
    // What names no hours goes on by the real time.
    let hours = ticks(&cron("30 * * * *"), &london, "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z");
    assert_eq!(hours, ["24T23:30", "25T00:30", "25T01:30", "25T02:30"]);
}

#[test]
fn every_is_counted_in_utc_whatever_the_clock_shows() {
    let every = Times::Every(Duration::from_secs(7 * 60 * 60));
    let found = ticks(&every, &zone("Europe/London"), "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
    let all = found.iter().map(|tick| at(&format!("2026-03-{tick}:00Z")).as_second() % 25_200);
    assert!(found.len() >= 3 && all.into_iter().all(|rest| rest == 0), "{found:?}");
}

#[test]
fn a_jitter_moves_all_of_a_schedules_runs_alike() {
    let delays: Vec<Duration> =
        ["a", "b", "c", "d"].iter().map(|name| share(Duration::from_secs(600), "p", name)).collect();
    assert!(delays.iter().all(|delay| *delay < Duration::from_secs(600)), "{delays:?}");
    assert!(delays.windows(2).any(|pair| pair[0].abs_diff(pair[1]) > Duration::from_secs(30)), "{delays:?}");
    assert_eq!(share(Duration::from_secs(600), "p", "a"), delays[0]);
    assert_eq!(share(Duration::ZERO, "p", "a"), Duration::ZERO);
    let schedule = Schedule {
        times: Times::Every(Duration::from_secs(3600)),
        delay: Duration::from_secs(90),
        make_up: MAKE_UP,
        select: "*".to_owned(),
        select_place: Place { file: "barncat.toml".to_owned(), line: 1, column: 1 },
        rebuild: false,
    };
    let utc = TimeZone::UTC;
    assert_eq!(schedule.last(at("2026-11-22T05:01:29Z"), &utc), Some(at("2026-11-22T04:00:00Z")));
    assert_eq!(schedule.last(at("2026-11-22T05:01:30Z"), &utc), Some(at("2026-11-22T05:00:00Z")));
    assert_eq!(schedule.next(at("2026-11-22T05:01:29Z"), &utc), Some(at("2026-11-22T05:00:00Z")));
    assert_eq!(schedule.begins_at(at("2026-11-22T05:00:00Z")), at("2026-11-22T05:01:30Z"));
    let (after, before) = (at("2026-11-22T01:00:00Z"), at("2026-11-22T05:00:00Z"));
    assert_eq!(schedule.between(after, before, &utc, 100), 3);
    assert_eq!(schedule.between(after, before, &utc, 2), 2);
}

#[test]
fn what_is_no_cron_expression_is_said() {
    for (text, part) in [
        ("0 1 * *", "five fields"),
        ("0 0 1 * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 1 * * *", "no cron expression"),
        ("x 1 * * *", "no cron expression"),
        ("0 0 30 2 *", "never comes"),
    ] {
        let error = CronTimes::parse(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(CronTimes::parse("0 6 * * MON-FRI").is_ok());
    assert!(CronTimes::parse("0 6 29 2 *").is_ok());
}

/// One field, as its own plain set of numbers.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    numbers: Vec<u32>,
}

fn field(least: u32, most: u32) -> impl Strategy<Value = Field> {
    let any = Just(Field { text: "*".to_owned(), numbers: (least..=most).collect() });
    let list = proptest::collection::btree_set(least..=most, 1..4).prop_map(|set| Field {
        text: set.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        numbers: set.into_iter().collect(),
    });
    let range = (least..=most, least..=most).prop_map(|(one, other)| {
        let (low, high) = (one.min(other), one.max(other));
        Field { text: format!("{low}-{high}"), numbers: (low..=high).collect() }
    });
    let steps = (2_u32..8).prop_map(move |step| Field {
        text: format!("*/{step}"),
        numbers: (least..=most).step_by(step as usize).collect(),
    });
    prop_oneof![2 => any, 3 => list, 1 => range, 1 => steps]
}

/// The moments at which the clock is put forward or back, with the zones that have them.
const CHANGES: [(&str, &str); 8] = [
    ("Europe/London", "2026-03-29T01:00:00Z"),
    ("Europe/London", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    // Half an hour.
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    // A whole day.
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kathmandu", "2026-06-01T00:00:00Z"),
];

/// Walks the clock minute by minute. What names hours ticks when the clock has first come to a time or past it; what
/// does not ticks each time that the clock shows it.
fn walked(
    minutes: &Field,
    hours: &Field,
    days: &Field,
    zone: &TimeZone,
    from: Timestamp,
    to: Timestamp,
) -> Vec<Timestamp> {
    let minute = SignedDuration::from_mins(1);
    let fits = |local: DateTime| {
        minutes.numbers.contains(&(local.minute() as u32))
            && hours.numbers.contains(&(local.hour() as u32))
            && days.numbers.contains(&(local.weekday().to_sunday_zero_offset() as u32))
    };
    let mut found = Vec::new();
    // A day and some before, so that what the clock has shown is known.
    let mut moment = from - SignedDuration::from_hours(30);
    let mut shown = zone.to_datetime(moment);
    while moment < to {
        moment += minute;
        let local = zone.to_datetime(moment);
        let ticks = if matches!(hours.text.as_str(), "*" | "0-23") {
            fits(local)
        } else {
            let mut ticks = false;
            while shown < local {
                shown = shown.checked_add(minute).expect("a time");
                ticks |= fits(shown);
            }
            ticks
        };
        if ticks && moment > from {
            found.push(moment);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn ticks_are_those_of_a_clock_that_is_watched(
        minutes in field(0, 59),
        hours in field(0, 23),
        days in field(0, 6),
        (name, change) in proptest::sample::select(CHANGES.to_vec()),
        start in -1500_i64..200,
    ) {
        let (zone, times) = (zone(name), cron(&format!("{} {} * * {}", minutes.text, hours.text, days.text)));
        let from = at(change) + SignedDuration::from_mins(start);
        let to = from + SignedDuration::from_hours(30);
        let expected = walked(&minutes, &hours, &days, &zone, from, to);
        let (mut forwards, mut moment) = (Vec::new(), from);
        while let Some(tick) = times.next(moment, &zone).filter(|tick| *tick <= to) {
            prop_assert!(tick > moment);
            prop_assert_eq!(times.last(tick, &zone), Some(tick));
            forwards.push(tick);
            moment = tick;
        }
        prop_assert_eq!(&forwards, &expected, "{} in {}", times, name);
        // Asked at any moment, the last one is the one before it.
        for minute in (0..1800).step_by(7) {
            let now = from + SignedDuration::from_mins(minute) + SignedDuration::from_secs(31);
            let last = expected.iter().rfind(|tick| **tick <= now).copied();
            if let Some(last) = last {
                prop_assert_eq!(times.last(now, &zone), Some(last), "{} at {}", times, now);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_so_often_is_counted_from_1970_one_by_one(millis in 1_000_i64..7_200_000, steps in 0_i64..2_000, within in 0.0..1.0_f64) {
        let times = Times::Every(Duration::from_millis(millis.unsigned_abs()));
        // Slowly: all ticks, one after the other.
        let ticks: Vec<Timestamp> =
            (0..steps + 3).map(|step| Timestamp::from_millisecond(step * millis).expect("a time")).collect();
        let now = Timestamp::from_millisecond(steps * millis + (within * millis as f64) as i64).expect("a time");
        prop_assert_eq!(times.last(now, &TimeZone::UTC), ticks.iter().rfind(|tick| **tick <= now).copied());
        prop_assert_eq!(times.next(now, &TimeZone::UTC), ticks.iter().find(|tick| **tick > now).copied());
    }
}

#[test]
fn the_walked_clock_knows_both_kinds_of_change() {
    let (any, one) = (|text: &str, numbers: Vec<u32>| Field { text: text.to_owned(), numbers }, vec![30]);
    let (from, to) = (at("2026-10-24T12:00:00Z"), at("2026-10-25T12:00:00Z"));
    let days = any("*", (0..7).collect());
    let once = walked(&any("30", one.clone()), &any("1", vec![1]), &days, &zone("Europe/London"), from, to);
    assert_eq!(once, [at("2026-10-25T00:30:00Z")]);
    assert_eq!(date(2026, 10, 25).weekday().to_sunday_zero_offset(), 0);
}

fn read_project(schedules: &str) -> Result<crate::config::Project, String> {
    let dir = tempfile::tempdir().expect("a folder");
    let text = format!(
        "[project]\nname = \"p\"\n[sources.s]\nkind = \"postgres\"\nurl = \"u\"\n[stage]\nurl = \"file:./s\"\n\
         [warehouse]\nkind = \"postgres\"\nurl = \"u\"\n[schedules]\n{schedules}\n"
    );
    std::fs::write(dir.path().join("barncat.toml"), text).expect("a file");
    crate::dag::read(dir.path(), None).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn schedules_are_read_and_each_mistake_is_told() {
    let project = read_project(
        "hot = { every = \"30m\", jitter = \"5m\", make_up = \"0s\" }\nnightly = { cron = \" 0  1 * * *\", rebuild = true }",
    );
    let schedules = project.expect("it is right").schedules;
    assert_eq!(schedules["hot"].times.to_string(), "every 30m");
    assert_eq!(schedules["hot"].make_up, Duration::ZERO);
    assert!(schedules["hot"].delay < Duration::from_secs(300));
    assert_eq!(schedules["nightly"].definition("Europe/London"), "cron 0 1 * * * Europe/London +0 ms");
    assert!(schedules["nightly"].rebuild && schedules["nightly"].make_up == MAKE_UP);
    for (schedule, part) in [
        ("{}", "schedule `a` needs `every`"),
        ("{ every = \"30m\", cron = \"0 1 * * *\" }", "`cron` of schedule `a` stands beside `every`"),
        ("{ every = \"10ms\" }", "not from a second to a year"),
        ("{ every = \"often\" }", "is not a time span"),
        ("{ cron = \"0 1 * *\" }", "five fields"),
        ("{ cron = \"0 0 31 6 *\" }", "never comes"),
        ("{ every = \"30m\", jitter = \"30m\" }", "`jitter` of schedule `a` is as long as"),
        ("{ cron = \"0,10 1 * * *\", jitter = \"10m\" }", "`jitter` of schedule `a` is as long as"),
        ("{ every = \"30m\", selct = \"*\" }", "did you mean `select`?"),
        ("{ every = \"30m\", select = \"nobody\" }", "`select` of schedule `a`"),
    ] {
        let mistakes = read_project(&format!("a = {schedule}")).expect_err(schedule);
        assert!(mistakes.contains(part), "{schedule}: {mistakes}");
    }
    for name in ["\"\"", "\"two\\nlines\"", &"x".repeat(64)] {
        let mistakes = read_project(&format!("{name} = {{ every = \"30m\" }}")).expect_err(name);
        assert!(mistakes.contains("the name of a schedule is one line"), "{name}: {mistakes}");
    }
    assert!(read_project("a = { cron = \"0,10 1 * * *\", jitter = \"9m\" }").is_ok());
}
