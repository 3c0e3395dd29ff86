use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{
    config::Severity,
    event::Tier,
    incident::{Affected, AlarmKind},
};

fn alarm(tier: Tier) -> Alarm {
    Alarm::of_task(AlarmKind::Failed, tier, "raw.orders", "raw.orders failed 3 times")
}

fn wrong(tier: Tier) -> Seen {
    Seen::Wrong(Box::new(alarm(tier)))
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

/// One cause's life.
#[derive(Default)]
struct Life {
    incident: Option<Incident>,
    opened: u32,
    muted: bool,
}

impl Life {
    fn see(&mut self, seen: &Seen, minute: i64) -> Option<Telling> {
        let number = self.opened;
        let id = || format!("incident {number}");
        let (incident, telling) = step(self.incident.clone(), seen, at(minute), self.muted, id)?;
        if self.incident.as_ref().is_none_or(|before| before.id != incident.id) {
            self.opened += 1;
        }
        self.incident = Some(incident);
        telling
    }

    fn settle(&mut self, minute: i64) -> Option<Telling> {
        let (incident, telling) = settle(self.incident.clone()?, at(minute))?;
        self.incident = Some(incident);
        telling
    }
}

#[test]
fn a_cause_is_told_once_and_its_end_once() {
    let mut life = Life::default();
    assert_eq!(life.see(&Seen::Well, 0), None);
    assert_eq!(life.see(&wrong(Tier::Critical), 0), Some(Telling::Opened));
    assert_eq!(life.see(&wrong(Tier::Critical), 30), None, "a repeat does not ring");
    assert_eq!(life.see(&Seen::Well, 60), Some(Telling::Recovered));
    assert_eq!(life.see(&Seen::Well, 90), None);
    let incident = life.incident.unwrap();
    assert_eq!((incident.times, incident.recovered_at), (2, Some(at(60))));
}

#[test]
fn what_becomes_worse_is_told_again() {
    let mut life = Life::default();
    life.see(&wrong(Tier::Optional), 0);
    assert_eq!(life.see(&wrong(Tier::Critical), 1), Some(Telling::Updated));
    let mut spread = alarm(Tier::Critical);
    spread.effect.critical.push(Affected { task: "analytics.pay".to_owned(), deadline: None });
    let spread = Seen::Wrong(Box::new(spread));
    assert_eq!(life.see(&spread, 2), Some(Telling::Updated));
    assert_eq!(life.see(&spread, 3), None);
    let mut warning = alarm(Tier::Critical);
    warning.severity = Severity::Warn;
    assert_eq!(life.see(&Seen::Wrong(Box::new(warning)), 4), None, "what becomes better does not ring");
}

#[test]
fn who_is_at_it_is_not_told_that_it_spreads_but_that_it_cannot_wait() {
    let mut life = Life::default();
    life.see(&wrong(Tier::Critical), 0);
    life.incident.as_mut().unwrap().acknowledged_by = Some("ana@loader".to_owned());
    let mut spread = alarm(Tier::Critical);
    spread.effect.critical.push(Affected { task: "analytics.pay".to_owned(), deadline: None });
    assert_eq!(life.see(&Seen::Wrong(Box::new(spread)), 1), None);
    let mut pages = alarm(Tier::Critical);
    pages.kind = AlarmKind::Deadline;
    assert_eq!(life.see(&Seen::Wrong(Box::new(pages)), 2), Some(Telling::Updated));
}

#[test]
fn what_comes_back_soon_is_the_same_incident_and_later_another_one() {
    let mut life = Life::default();
    life.see(&wrong(Tier::Critical), 0);
    life.see(&Seen::Well, 10);
    assert_eq!(life.see(&wrong(Tier::Critical), 20), Some(Telling::Reopened));
    assert_eq!(life.incident.as_ref().unwrap().id, "incident 0");
    assert_eq!(life.see(&Seen::Well, 30), Some(Telling::Recovered));
    assert_eq!(life.see(&wrong(Tier::Critical), 30 + 6 * 60), Some(Telling::Opened));
    assert_eq!(life.incident.as_ref().unwrap().id, "incident 1");
}

#[test]
fn what_comes_and_goes_falls_silent_until_it_stays_away() {
    let mut life = Life::default();
    let mut told = Vec::new();
    for round in 0..6 {
        told.extend(life.see(&wrong(Tier::Critical), round * 20));
        told.extend(life.see(&Seen::Well, round * 20 + 10));
    }
    use Telling::{Flapping, Opened, Recovered, Reopened};
    assert_eq!(told, [Opened, Recovered, Reopened, Recovered, Reopened, Recovered, Flapping]);
    assert_eq!(life.settle(110 + 59), None);
    assert_eq!(life.settle(110 + 60), Some(Recovered));
    assert_eq!(life.settle(110 + 61), None);
    assert_eq!(life.see(&wrong(Tier::Critical), 200), Some(Reopened), "after that it rings again");
}

#[test]
fn what_is_muted_is_told_when_it_is_seen_after_the_mute() {
    let mut life = Life { muted: true, ..Life::default() };
    assert_eq!(life.see(&wrong(Tier::Critical), 0), None);
    life.muted = false;
    assert_eq!(life.see(&wrong(Tier::Critical), 10), Some(Telling::Opened));
    life.muted = true;
    assert_eq!(life.see(&Seen::Well, 20), Some(Telling::Recovered), "who knows of it is told of its end");
    assert_eq!(life.see(&wrong(Tier::Critical), 30), None);
    assert_eq!(life.see(&Seen::Well, 40), None, "and nobody of the end of what they do not know");
}

proptest! {
    /// Whatever comes: a recovery is told only of what was told, and never twice; after the last quiet hour nothing
    /// that was told is left without its end.
    #[test]
    fn each_opening_that_is_told_has_one_end(steps in prop::collection::vec((0u8..4, 1i64..200), 1..60)) {
        let mut life = Life::default();
        let (mut minute, mut is_known) = (0, false);
        let mut check = |telling: Option<Telling>| match telling {
            Some(Telling::Recovered) => { prop_assert!(is_known); is_known = false; Ok(()) }
            Some(Telling::Updated) => { prop_assert!(is_known); Ok(()) }
            Some(_) => { is_known = true; Ok(()) }
            None => Ok(()),
        };
        for (what, pause) in steps {
            minute += pause;
            check(life.settle(minute))?;
            let telling = match what {
                0 => life.see(&Seen::Well, minute),
                1 => life.see(&wrong(Tier::Critical), minute),
                2 => { life.muted = !life.muted; None }
                _ => life.settle(minute),
            };
            check(telling)?;
        }
        check(life.see(&Seen::Well, minute + 1))?;
        check(life.settle(minute + 100))?;
        prop_assert!(!is_known, "{:?}", life.incident);
    }
}
