//! What becomes of an incident when something is seen.

use std::time::Duration;

use jiff::Timestamp;

use super::{Alarm, Telling};

/// What comes back within this time is the same incident.
pub const REOPENED_WITHIN: Duration = Duration::from_secs(6 * 60 * 60);

/// What came back so often flaps.
pub const FLAPPING: u32 = 3;

/// What flaps has recovered once it stayed away for so long.
pub const STEADY: Duration = Duration::from_secs(60 * 60);

/// Something that is or was wrong: one cause, from its opening to its recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: State,
    /// What was seen last.
    pub alarm: Alarm,
    /// When it was first seen.
    pub opened_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// When it recovered.
    pub recovered_at: Option<Timestamp>,
    /// How often it was seen.
    pub times: u32,
    /// How often it came back since people were last told that it is over.
    pub reopened: u32,
    /// Whether people know that it is open.
    pub told: bool,
    /// Who is at it.
    pub acknowledged_by: Option<String>,
}

/// How an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is wrong.
    Open,
    /// It seems well, but flaps: people are told once it stays so.
    Settling,
    /// It is over.
    Recovered,
}

/// What was seen of a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is wrong.
    Wrong(Box<Alarm>),
    /// It is well.
    Well,
}

/// What an incident is after something was seen, and what people are told. `before`: the last incident of this
/// cause. `id`: that of a new one. `None`: nothing is to be kept.
///
/// A mute keeps the beginning of an incident quiet, and what becomes of it later; where people know of it, they
/// are told of its end all the same. One that was not told for a mute is told when it is next seen after it.
/// What may have settled by now is asked of [`settle`] first.
pub fn step(
    before: Option<Incident>,
    seen: &Seen,
    now: Timestamp,
    is_muted: bool,
    id: impl FnOnce() -> String,
) -> Option<(Incident, Option<Telling>)> {
    let Seen::Wrong(alarm) = seen else { return recover(before?, now) };
    let (mut incident, telling) = match before {
        Some(incident) if incident.state == State::Open => again(incident, alarm, now),
        Some(incident) if incident.ended_within(REOPENED_WITHIN, now) => reopen(incident, alarm, now),
        _ => (open(id(), alarm, now), Some(Telling::Opened)),
    };
    let telling = telling.filter(|_| !is_muted);
    incident.told |= telling.is_some();
    Some((incident, telling))
}

/// What flapped and has stayed away for long enough is over.
pub fn settle(incident: Incident, now: Timestamp) -> Option<(Incident, Option<Telling>)> {
    let is_over = incident.state == State::Settling && !incident.ended_within(STEADY, now);
    is_over.then(|| over(incident))
}

fn open(id: String, alarm: &Alarm, now: Timestamp) -> Incident {
    Incident {
        id,
        state: State::Open,
        alarm: alarm.clone(),
        opened_at: now,
        seen_at: now,
        recovered_at: None,
        times: 1,
        reopened: 0,
        told: false,
        acknowledged_by: None,
    }
}

/// A repeat does not ring again, unless it is worse. Who has acknowledged it is not told that it spreads.
fn again(incident: Incident, alarm: &Alarm, now: Timestamp) -> (Incident, Option<Telling>) {
    let is_worse = alarm.rose_above(&incident.alarm)
        || (incident.acknowledged_by.is_none() && alarm.spread_beyond(&incident.alarm));
    let telling = match incident.told {
        false => Some(Telling::Opened),
        true => is_worse.then_some(Telling::Updated),
    };
    (incident.seen(alarm, now), telling)
}

fn reopen(incident: Incident, alarm: &Alarm, now: Timestamp) -> (Incident, Option<Telling>) {
    let reopened = incident.reopened + 1;
    let telling = match reopened {
        FLAPPING => Some(Telling::Flapping),
        more if more > FLAPPING && incident.told => None,
        _ => Some(Telling::Reopened),
    };
    // Below that people were told that it is over: whether they know that it is back is decided anew.
    let told = incident.told && reopened > FLAPPING;
    let incident = Incident { state: State::Open, recovered_at: None, reopened, told, ..incident };
    (incident.seen(alarm, now), telling)
}

fn recover(incident: Incident, now: Timestamp) -> Option<(Incident, Option<Telling>)> {
    if incident.state != State::Open {
        return None;
    }
    let incident = Incident { recovered_at: Some(now), acknowledged_by: None, ..incident };
    match incident.reopened >= FLAPPING {
        true => Some((Incident { state: State::Settling, ..incident }, None)),
        false => Some(over(incident)),
    }
}

fn over(incident: Incident) -> (Incident, Option<Telling>) {
    let telling = incident.told.then_some(Telling::Recovered);
    let reopened = if incident.state == State::Settling { 0 } else { incident.reopened };
    (Incident { state: State::Recovered, reopened, ..incident }, telling)
}

impl Incident {
    fn seen(self, alarm: &Alarm, now: Timestamp) -> Self {
        Self { alarm: alarm.clone(), seen_at: now, times: self.times.saturating_add(1), ..self }
    }

    fn ended_within(&self, span: Duration, now: Timestamp) -> bool {
        let since = |at: Timestamp| Duration::try_from(now.duration_since(at)).unwrap_or_default();
        self.recovered_at.is_some_and(|at| since(at) < span)
    }
}

#[cfg(test)]
mod tests;
