//! What the service that leads does next: schedules, what is known of them and a moment in, actions out. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use crate::{
    config::Schedule,
    control::{KnownSchedule, OpenTick, Outlook, Tick},
};

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// The run of a tick is begun.
    Begin {
        tick: Tick,
        /// How long after its time.
        late: Duration,
        /// How many ticks before it nobody was there for.
        passed_over: u32,
    },
    /// A tick whose service has died, or has left it, is gone on with: with its run, if it had one.
    TakeOver(OpenTick),
    /// The run has ended, and nobody wrote it down at its tick.
    Settle { tick: Tick, status: String },
    /// A tick is not run: `skipped` or `missed`, and why.
    Pass { tick: Tick, passed_over: u32, status: &'static str, why: String },
    /// A tick that was begun is not gone on with, and why.
    GiveUp { tick: Tick, why: String },
}

/// A tick that comes no later than this finds the last one running, or not; a later one waits for it.
const ON_TIME: Duration = Duration::from_secs(60);

/// An interrupted run is gone on with within this time, however short `make_up` is.
const GO_ON: Duration = Duration::from_secs(60 * 60);

/// More ticks than these are not counted.
const COUNTED: u32 = 10_000;

/// What there is to go by.
pub(super) struct Known<'a> {
    pub(super) schedules: &'a BTreeMap<String, Schedule>,
    pub(super) zone: &'a TimeZone,
    pub(super) outlook: &'a Outlook,
    /// The ticks that this very process works for.
    pub(super) mine: &'a BTreeSet<Tick>,
    /// This process' session.
    pub(super) session: &'a str,
}

/// Decides what is done now.
pub(super) fn decide(known: &Known<'_>) -> Vec<Act> {
    let of_open = known.outlook.open.iter().filter_map(|open| known.open(open));
    let due = known.schedules.iter().filter_map(|(name, schedule)| known.due(name, schedule));
    of_open.chain(due).collect()
}

/// When the next run of a schedule begins; `None`: it is paused, or its time never comes.
pub(super) fn next(
    schedule: &Schedule,
    zone: &TimeZone,
    now: Timestamp,
    known: Option<&KnownSchedule>,
) -> Option<Timestamp> {
    if known.is_some_and(|known| known.paused.is_some()) {
        return None;
    }
    let next = schedule.next(now, zone)?;
    // A tick from before the schedule was there, or was resumed, is nobody's.
    let own = known.filter(|known| next < known.since);
    let tick = match own {
        Some(known) => schedule.times.next(known.since.checked_sub(1.nanosecond()).ok()?, zone)?,
        None => next,
    };
    Some(schedule.begins_at(tick))
}

impl Known<'_> {
    /// What becomes of a tick that has not come to its end.
    fn open(&self, open: &OpenTick) -> Option<Act> {
        let is_others = open.is_held && open.session.as_deref() != Some(self.session);
        if self.mine.contains(&open.tick) || is_others {
            return None;
        }
        let tick = open.tick.clone();
        match open.run.as_ref().map(|run| (run.status.as_deref(), run.is_alive)) {
            Some((Some(status), _)) if !matches!(status, "cancelled" | "crashed") => {
                return Some(Act::Settle { tick, status: status.to_owned() });
            }
            // Somebody goes on with it by hand, or its process stood still and lives.
            Some((None, true)) => return None,
            _ => {}
        }
        let Some(schedule) = self.schedules.get(&tick.schedule) else {
            return Some(Act::GiveUp { tick, why: "the project has no such schedule any more".to_owned() });
        };
        // A long run that was interrupted at its end is not late by its beginning.
        let stopped = open.run.as_ref().and_then(|run| run.stopped_at);
        let begins = schedule.begins_at(tick.at);
        let late = since(stopped.map_or(begins, |stopped| stopped.max(begins)), self.outlook.now);
        if late > schedule.make_up.max(GO_ON) {
            let why = format!(
                "it was interrupted, and nobody went on with it within {}",
                words(schedule.make_up.max(GO_ON))
            );
            return Some(Act::GiveUp { tick, why });
        }
        let of_schedule = self.outlook.schedules.iter().find(|known| known.schedule == tick.schedule);
        if of_schedule.is_some_and(|known| known.paused.is_some()) {
            return None;
        }
        Some(Act::TakeOver(open.clone()))
    }

    /// What becomes of the last tick of a schedule, where nobody dealt with it.
    fn due(&self, name: &str, schedule: &Schedule) -> Option<Act> {
        let Outlook { now, schedules, open } = self.outlook;
        let known = schedules.iter().find(|known| known.schedule == name)?;
        if known.paused.is_some() {
            return None;
        }
        let at = schedule.last(*now, self.zone)?;
        if at < known.since || known.last.is_some_and(|last| at <= last) {
            return None;
        }
        let late = since(schedule.begins_at(at), *now);
        let tick = Tick { schedule: name.to_owned(), at };
        let before = known.last.unwrap_or(known.since).max(known.since);
        let passed_over = schedule.between(before, at, self.zone, COUNTED);
        if late > schedule.make_up.max(ON_TIME) {
            let why = format!(
                "nobody was there for it, and it is made up for only within {} (`make_up`)",
                words(schedule.make_up)
            );
            return Some(Act::Pass { tick, passed_over, status: "missed", why });
        }
        if let Some(running) = open.iter().find(|open| open.tick.schedule == name) {
            // One that nobody was there for waits until what was interrupted is done.
            return (late <= ON_TIME).then(|| Act::Pass {
                tick,
                passed_over,
                status: "skipped",
                why: still_running(running),
            });
        }
        Some(Act::Begin { tick, late, passed_over })
    }
}

fn still_running(open: &OpenTick) -> String {
    let at = open.tick.at.strftime("%F %T UTC");
    match &open.run {
        Some(run) => format!("the run of {at} had not ended: {}", run.run),
        None => format!("the run of {at} had not begun yet"),
    }
}

fn since(before: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(before).max(SignedDuration::ZERO).unsigned_abs()
}

/// `12 h`, `30 min`, `90 s`.
fn words(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests;
