//! Two hundred mornings: random projects, random nights, days on which the clock is changed. What the estimator and
//! the watch say in the course of each is held against what a simple executor of the test's own makes of it.

mod night;
mod project;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use self::{
    night::{Fault, Night},
    project::{Drawn, Random},
};
use super::{
    Judged, Outlook, Picture, Say, Standing, Watch,
    forecast::{after, forecast},
};
use crate::{config::Due, dag::NodeId, run::ready::Limits};

const MORNINGS: u64 = 500;
const LOOK_EVERY_SECONDS: f64 = 30.0;

/// What happened in one morning.
#[derive(Debug, Default)]
struct Morning {
    date: Date,
    is_changed_clock: bool,
    missed: bool,
    /// By median durations the way of what was left ended past the deadline, ten minutes before it.
    visible: bool,
    /// The last alarm that stood ten minutes before, and when it was raised, in minutes before the deadline.
    announced_minutes: Option<f64>,
    alarms: usize,
    /// The last alarm named what was at fault; `None`: nothing was, or nothing was said.
    named_right: Option<bool>,
    told: String,
}

#[test]
fn of_the_misses_of_two_hundred_mornings_nearly_all_are_announced_and_few_alarms_are_false() {
    let mornings: Vec<Morning> = (0..MORNINGS).map(|seed| morning(seed, date(seed))).collect();
    hold(&mornings[..200]);
    hold(&mornings);
    for morning in mornings.iter().filter(|morning| morning.is_odd()) {
        println!("  {}: {}", morning.date, morning.told);
    }
    assert!(mornings.iter().any(|morning| morning.is_changed_clock && morning.missed));
}

impl Morning {
    /// Not announced though it was visible, announced and then met, or the wrong task named.
    fn is_odd(&self) -> bool {
        let is_silent = self.missed && self.visible && self.announced_minutes.is_none();
        is_silent || (!self.missed && self.alarms > 0) || self.named_right == Some(false)
    }
}

/// Prints the figures, and holds them against what is wanted.
fn hold(mornings: &[Morning]) {
    let count = |is: &dyn Fn(&Morning) -> bool| mornings.iter().filter(|morning| is(morning)).count();
    let (missed, visible) = (count(&|m| m.missed), count(&|m| m.missed && m.visible));
    let announced = count(&|m| m.missed && m.visible && m.announced_minutes.is_some());
    let (alarmed, false_alarms) = (count(&|m| m.alarms > 0), count(&|m| m.alarms > 0 && !m.missed));
    let (named, named_right) = (count(&|m| m.named_right.is_some()), count(&|m| m.named_right == Some(true)));
    let announced_ones = mornings.iter().filter(|m| m.missed).filter_map(|m| m.announced_minutes);
    let mut ahead: Vec<f64> = announced_ones.collect();
    ahead.sort_by(f64::total_cmp);
    println!(
        "{} mornings, {} with a changed clock: {missed} missed; of {visible} that were visible ten minutes before \
         {announced} were announced by then, of all {} in the median {:.0} min before; {alarmed} mornings with an alarm, \
         {false_alarms} of them false, {} with more than one; of {named} with a fault {named_right} named it",
        mornings.len(),
        count(&|m| m.is_changed_clock),
        ahead.len(),
        ahead.get(ahead.len() / 2).copied().unwrap_or_default(),
        count(&|m| m.alarms > 1),
    );
    assert!(
        missed * 10 >= mornings.len() && missed * 2 <= mornings.len(),
        "nights neither too good nor too bad"
    );
    assert!(announced * 100 >= visible * 95, "at least 95 % of the visible misses are announced");
    assert!(false_alarms * 100 < alarmed * 5, "fewer than 5 % of the alarms are false");
    assert!(named_right * 100 >= named * 90, "the task at fault is named");
}

/// Every tenth night the clock is changed, in March or in October.
fn date(seed: u64) -> Date {
    let changes =
        [(2024, 3, 31), (2024, 10, 27), (2025, 3, 30), (2025, 10, 26), (2026, 3, 29), (2026, 10, 25)];
    if seed.is_multiple_of(10) {
        let (year, month, day) = changes[usize::try_from(seed / 10).unwrap() % changes.len()];
        return Date::new(year, month, day).unwrap();
    }
    let days = i64::try_from(seed * 3).unwrap();
    jiff::civil::date(2025, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap()
}

fn morning(seed: u64, date: Date) -> Morning {
    let zone = TimeZone::get("Europe/London").unwrap();
    let mut random = Random::new(seed);
    let project = Drawn::new(&mut random);
    let deadline = project.deadline();
    let due = deadline.next(project.starts_at(date, &zone), &zone).unwrap();
    let night = Night::new(&project, &mut random);
    let begin = after(project.starts_at(date, &zone), night.late_seconds);
    let done_at = night.ends(&project, begin)[project.target.index()].map(|span| span.end);
    let mut morning = Morning {
        date,
        is_changed_clock: is_changed(date, &zone),
        missed: done_at.is_none_or(|at| at > due.at),
        ..Morning::default()
    };
    look_through(&mut morning, (&project, &night), begin, due);
    morning
}

fn is_changed(date: Date, zone: &TimeZone) -> bool {
    let offset = |date: Date| {
        zone.to_offset(
            date.to_datetime(jiff::civil::Time::midnight()).to_zoned(zone.clone()).unwrap().timestamp(),
        )
    };
    offset(date) != offset(date.tomorrow().unwrap())
}

/// Looks at the run whenever a task ends and every half minute, as the run itself does.
fn look_through(morning: &mut Morning, (project, night): (&Drawn, &Night), begin: Timestamp, due: Due) {
    let log = night.log(project, begin);
    let selected: Vec<NodeId> = project.graph.tasks().collect();
    let published = vec![None; project.graph.len()];
    let limits = Limits { jobs: project.jobs, ..Limits::default() };
    let alone = |_: NodeId| Vec::new();
    let ten_before = due.at - SignedDuration::from_mins(10);
    let mut moments: Vec<Timestamp> = log.iter().filter_map(|entry| entry.ended.map(|(at, _)| at)).collect();
    let mut moment = begin;
    while moment <= due.at {
        moments.push(moment);
        moment = after(moment, LOOK_EVERY_SECONDS);
    }
    moments.retain(|moment| *moment <= due.at);
    moments.push(ten_before);
    moments.sort();
    let mut watch = Watch::default();
    let mut open: Option<Timestamp> = None;
    let mut last: Option<(Judged, Timestamp)> = None;
    for now in moments.into_iter().filter(|now| *now >= begin) {
        let standings: BTreeMap<NodeId, Standing> =
            log.iter().filter_map(|entry| Some((entry.task, entry.standing(now)?))).collect();
        let picture = Picture {
            graph: &project.graph,
            selected: &selected,
            expected_seconds: &project.medians,
            published: &published,
            standings: &standings,
            limits: &limits,
            along: &alone,
        };
        // What is done too early would not count.
        let judged = Judged::of_run(&picture, &forecast(&picture, now), project.target, due);
        let Some(judged) = judged else { continue };
        match watch.step(&judged, now) {
            Some(Say::Danger) => {
                if open.is_none() {
                    open = Some(now);
                    morning.alarms += 1;
                }
                last = Some((judged, now));
            }
            Some(Say::Well) => open = None,
            Some(Say::Missed) | None => {}
        }
        if now == ten_before {
            morning.visible = night.is_visible(project, &standings, now, due.at);
            morning.announced_minutes = open.map(|at| due.at.duration_since(at).as_secs_f64() / 60.0);
        }
    }
    let named = last.map(|(judged, _)| match judged.outlook {
        Outlook::Expected { held_up, .. } => held_up.map(|delay| delay.task),
        Outlook::Lost { cause } => Some(cause.map_or(project.target, |cause| cause.task)),
        Outlook::Met { .. } | Outlook::Idle { .. } => None,
    });
    // Held against what had gone wrong by then.
    let fault = last.and_then(|(_, at)| night.known_at(project, begin, at).worst_fault(project, begin));
    morning.named_right = match (morning.missed, named, &fault) {
        (true, Some(named), Some(worst)) => Some(worst.iter().any(|fault| match fault {
            Fault::Task(task) => named == Some(*task),
            Fault::LateStart => named.is_none(),
        })),
        _ => None,
    };
    morning.told = format!(
        "missed {}, visible {}, {} alarms, announced {:?} min before, named {:?} of {:?}",
        morning.missed, morning.visible, morning.alarms, morning.announced_minutes, named, fault
    );
}
