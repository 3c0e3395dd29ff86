use proptest::prelude::*;

use super::*;
use crate::{
    config::{CronTimes, Place, Times},
    control::{Pause, TicksRun},
};

fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}:00Z").parse().expect("a time")
}

fn nightly() -> Schedule {
    let cron = CronTimes::parse("0 1 * * *").expect("a cron expression");
    Schedule {
        times: Times::Cron(Box::new(cron)),
        delay: Duration::ZERO,
        make_up: Duration::from_secs(12 * 3600),
        select: "*".to_owned(),
        select_place: Place { file: "barncat.toml".to_owned(), line: 1, column: 1 },
        rebuild: false,
    }
}

fn every(minutes: u64) -> Schedule {
    Schedule { times: Times::Every(Duration::from_secs(minutes * 60)), ..nightly() }
}

fn tick(text: &str) -> Tick {
    Tick { schedule: "s".to_owned(), at: at(text) }
}

fn known(since: &str, last: Option<&str>) -> KnownSchedule {
    KnownSchedule { schedule: "s".to_owned(), since: at(since), paused: None, last: last.map(at) }
}

fn open(text: &str, session: Option<&str>, is_held: bool, run: Option<(Option<&str>, bool)>) -> OpenTick {
    let run = run.map(|(status, is_alive)| TicksRun {
        run: "01JD3RUN".to_owned(),
        status: status.map(str::to_owned),
        is_alive,
        stopped_at: None,
    });
    OpenTick { tick: tick(text), session: session.map(str::to_owned), is_held, run }
}

/// Decides for one schedule `s`, as the session `me`.
fn asked(schedule: Schedule, now: &str, known: KnownSchedule, open: Vec<OpenTick>) -> Vec<Act> {
    let schedules = BTreeMap::from([("s".to_owned(), schedule)]);
    let outlook = Outlook { now: at(now), schedules: vec![known], open };
    let (zone, mine) = (TimeZone::UTC, BTreeSet::new());
    decide(&Known { schedules: &schedules, zone: &zone, outlook: &outlook, mine: &mine, session: "me" })
}

fn begun(act: &Act) -> (&Tick, u64, u32) {
    match act {
        Act::Begin { tick, late, passed_over } => (tick, late.as_secs(), *passed_over),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tick_is_begun_once() {
    let acts = asked(nightly(), "22T01:00", known("20T12:00", Some("21T01:00")), vec![]);
    assert_eq!(acts.iter().map(begun).collect::<Vec<_>>(), [(&tick("22T01:00"), 0, 0)]);
    assert!(asked(nightly(), "22T01:05", known("20T12:00", Some("22T01:00")), vec![]).is_empty());
}

#[test]
fn the_next_tick_that_is_told_is_one_that_comes() {
    let late = Schedule { delay: Duration::from_secs(5 * 60), ..nightly() };
    let next = |now: &str, since: &str| {
        super::next(&late, &TimeZone::UTC, at(now), Some(&known(since, None))).expect("it comes")
    };
    assert_eq!(next("22T01:02", "20T12:00"), at("22T01:05"));
    // Resumed between a tick and the beginning of its run: that tick is nobody's.
    assert_eq!(next("22T01:02", "22T01:01"), at("23T01:05"));
}

#[test]
fn of_missed_ticks_the_last_one_is_made_up_for() {
    let acts = asked(nightly(), "22T09:00", known("10T12:00", Some("18T01:00")), vec![]);
    assert_eq!(acts.iter().map(begun).collect::<Vec<_>>(), [(&tick("22T01:00"), 8 * 3600, 3)]);
    let hot = asked(every(30), "22T09:10", known("22T00:00", Some("22T04:30")), vec![]);
    assert_eq!(hot.iter().map(begun).collect::<Vec<_>>(), [(&tick("22T09:00"), 600, 8)]);
}

#[test]
fn a_missed_tick_is_not_made_up_for_when_it_is_too_old() {
    let acts = asked(nightly(), "22T13:01", known("10T12:00", Some("21T01:00")), vec![]);
    let [Act::Pass { tick: passed, status: "missed", why, passed_over: 0 }] = acts.as_slice() else {
        panic!("{acts:?}")
    };
    assert_eq!(*passed, tick("22T01:00"));
    assert!(why.contains("within 12 h"), "{why}");
    // On time is never too old.
    let never = Schedule { make_up: Duration::ZERO, ..nightly() };
    let acts = asked(never, "22T01:01", known("10T12:00", Some("21T01:00")), vec![]);
    assert!(matches!(acts.as_slice(), [Act::Begin { .. }]), "{acts:?}");
}

#[test]
fn a_long_run_is_gone_on_with_by_when_it_was_interrupted() {
    let short = Schedule { make_up: Duration::from_secs(1800), ..nightly() };
    let interrupted = |stopped: &str| {
        let mut open = open("22T01:00", None, false, Some((Some("cancelled"), false)));
        open.run.as_mut().expect("it has one").stopped_at = Some(at(stopped));
        asked(short.clone(), "22T05:00", known("20T12:00", Some("22T01:00")), vec![open])
    };
    assert!(matches!(interrupted("22T04:59").as_slice(), [Act::TakeOver(_)]));
    assert!(matches!(interrupted("22T03:00").as_slice(), [Act::GiveUp { .. }]));
}

#[test]
fn a_new_schedule_has_no_past() {
    assert!(asked(nightly(), "22T09:00", known("22T08:59", None), vec![]).is_empty());
    let acts = asked(nightly(), "23T01:00", known("22T08:59", None), vec![]);
    assert_eq!(acts.iter().map(begun).collect::<Vec<_>>(), [(&tick("23T01:00"), 0, 0)]);
    // The same of one that was changed, and of one that was paused until now.
    assert!(asked(nightly(), "22T09:00", known("22T08:59", Some("20T01:00")), vec![]).is_empty());
}

#[test]
fn nothing_ticks_while_it_is_paused() {
    let pause = Pause { at: at("21T12:00"), by: "ana@x".to_owned(), reason: None };
    let paused = KnownSchedule { paused: Some(pause), ..known("10T12:00", Some("21T01:00")) };
    assert!(asked(nightly(), "22T01:00", paused.clone(), vec![]).is_empty());
    let left = open("21T01:00", None, false, Some((Some("cancelled"), false)));
    assert!(asked(nightly(), "21T02:00", paused, vec![left]).is_empty());
}

#[test]
fn a_tick_that_finds_the_last_one_running_is_skipped() {
    let running = open("22T04:30", Some("other"), true, Some((None, true)));
    let acts = asked(every(30), "22T05:00", known("22T00:00", Some("22T04:30")), vec![running]);
    let [Act::Pass { tick: skipped, status: "skipped", why, passed_over: 0 }] = acts.as_slice() else {
        panic!("{acts:?}")
    };
    assert_eq!(*skipped, tick("22T05:00"));
    assert_eq!(why, "the run of 2026-11-22 04:30:00 UTC had not ended: 01JD3RUN");
}

#[test]
fn what_was_interrupted_is_gone_on_with_and_a_missed_tick_waits_for_it() {
    let left = open("22T04:30", None, false, Some((Some("cancelled"), false)));
    let acts = asked(every(30), "22T05:10", known("22T00:00", Some("22T04:30")), vec![left.clone()]);
    assert_eq!(acts, [Act::TakeOver(left)]);
    for run in [None, Some((None, false)), Some((Some("crashed"), false))] {
        let dead = open("22T04:30", Some("dead"), false, run);
        let acts = asked(every(30), "22T04:31", known("22T00:00", Some("22T04:30")), vec![dead.clone()]);
        assert_eq!(acts, [Act::TakeOver(dead)]);
    }
    // Long ago.
    let old = open("21T01:00", None, false, Some((Some("cancelled"), false)));
    let acts = asked(nightly(), "22T00:30", known("10T00:00", Some("21T01:00")), vec![old]);
    assert!(matches!(acts.as_slice(), [Act::GiveUp { .. }]), "{acts:?}");
}

#[test]
fn what_others_do_is_left_to_them() {
    let others = [
        open("22T04:30", Some("other"), true, None),
        open("22T04:30", Some("other"), true, Some((Some("cancelled"), false))),
        // Its service has died; its run is gone on with by hand.
        open("22T04:30", Some("dead"), false, Some((None, true))),
    ];
    for open in others {
        let acts = asked(every(30), "22T04:31", known("22T00:00", Some("22T04:30")), vec![open]);
        assert!(acts.is_empty(), "{acts:?}");
    }
}

#[test]
fn a_run_that_ended_ends_its_tick() {
    for session in [Some("me"), Some("dead"), None] {
        let ended = open("22T04:30", session, session == Some("me"), Some((Some("degraded"), false)));
        let acts = asked(every(30), "22T04:31", known("22T00:00", Some("22T04:30")), vec![ended]);
        assert_eq!(acts, [Act::Settle { tick: tick("22T04:30"), status: "degraded".to_owned() }]);
    }
}

#[test]
fn a_tick_of_a_schedule_that_is_gone_is_given_up() {
    let mut left = open("22T04:30", None, false, None);
    left.tick.schedule = "gone".to_owned();
    let acts = asked(nightly(), "22T04:31", known("10T00:00", Some("22T01:00")), vec![left]);
    assert!(matches!(acts.as_slice(), [Act::GiveUp { .. }]), "{acts:?}");
}

/// A service as slow as it can be thought of: it lists every tick since the beginning.
fn slowly(
    schedule: &Schedule,
    since: Timestamp,
    last: Option<Timestamp>,
    now: Timestamp,
) -> Option<(Timestamp, u32)> {
    let mut all = Vec::new();
    let mut moment = since - SignedDuration::from_nanos(1);
    while let Some(tick) = schedule.times.next(moment, &TimeZone::UTC) {
        if schedule.begins_at(tick) > now {
            break;
        }
        all.push(tick);
        moment = tick;
    }
    let open: Vec<Timestamp> = all.into_iter().filter(|tick| last.is_none_or(|last| *tick > last)).collect();
    Some((*open.last()?, u32::try_from(open.len() - 1).expect("few")))
}

proptest! {
    #[test]
    fn whatever_the_clock_does_each_tick_is_begun_at_most_once(
        minutes in 1_u64..40,
        delay in 0_u64..50,
        steps in proptest::collection::vec(-4000_i64..9000, 1..60),
    ) {
        let schedule = Schedule { delay: Duration::from_secs(delay), ..every(minutes) };
        let schedules = BTreeMap::from([("s".to_owned(), schedule.clone())]);
        let (zone, mine) = (TimeZone::UTC, BTreeSet::new());
        let since = at("20T00:00") + SignedDuration::from_secs(1);
        let mut now = since;
        let mut last = None;
        let mut begun = BTreeSet::new();
        for step in steps {
            now += SignedDuration::from_secs(step);
            let known = KnownSchedule { schedule: "s".to_owned(), since, paused: None, last };
            let outlook = Outlook { now, schedules: vec![known], open: Vec::new() };
            let known = Known { schedules: &schedules, zone: &zone, outlook: &outlook, mine: &mine, session: "me" };
            let acts = decide(&known);
            match (acts.as_slice(), slowly(&schedule, since, last, now)) {
                ([], None) => {}
                ([Act::Begin { tick, late, passed_over }], Some((expected, before))) => {
                    prop_assert_eq!((tick.at, *passed_over), (expected, before));
                    prop_assert_eq!(*late, now.duration_since(schedule.begins_at(tick.at)).unsigned_abs());
                    prop_assert!(begun.insert(tick.at), "twice");
                    last = Some(tick.at);
                }
                (acts, expected) => prop_assert!(false, "{acts:?}, not {expected:?}"),
            }
        }
    }
}
