//! Open incidents.

use jiff::Timestamp;
use serde::Serialize;

use super::argument;
use crate::{
    control::KeptIncident,
    incident::{Alarm, State},
    run::Overview,
};

/// An open incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Incident {
    /// Its id.
    pub(in crate::serve) incident: String,
    /// `open`, or `settling`: it comes and goes, and is well just now.
    pub(in crate::serve) state: &'static str,
    /// Whether it can wait until people look by themselves.
    pub(in crate::serve) can_wait: bool,
    /// What is wrong, in one line.
    pub(in crate::serve) what: String,
    /// Why, as far as is known.
    pub(in crate::serve) why: Option<String>,
    /// What a person can do about it.
    pub(in crate::serve) hint: Option<String>,
    /// The command that helps.
    pub(in crate::serve) command: String,
    /// The task that it is about.
    pub(in crate::serve) task: Option<String>,
    /// `critical` or `optional`: how important that task is.
    pub(in crate::serve) tier: String,
    /// `error` or `warn`.
    pub(in crate::serve) severity: String,
    /// What kind of thing it is: `failed`, `blocked`, `check`, `deadline`, …
    pub(in crate::serve) kind: String,
    /// Who is asked about it.
    pub(in crate::serve) owner: Option<String>,
    /// Critical tasks that wait for it.
    pub(in crate::serve) critical: Vec<String>,
    /// Since when.
    pub(in crate::serve) opened_at: Timestamp,
    /// When it was seen last.
    pub(in crate::serve) seen_at: Timestamp,
    /// How often it was seen.
    pub(in crate::serve) times: u32,
    /// Who is at it.
    pub(in crate::serve) acknowledged_by: Option<String>,
    /// Until when nobody wants to hear of it.
    pub(in crate::serve) muted_until: Option<Timestamp>,
}

/// The open ones: what cannot wait first, then the latest.
pub(in crate::serve) fn incidents(overview: &Overview) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = overview.incidents.iter().map(Incident::of).collect();
    incidents.sort_by_key(|incident| incident.can_wait);
    incidents
}

impl Incident {
    fn of(kept: &KeptIncident) -> Self {
        let KeptIncident { incident, muted_until, .. } = kept;
        let alarm = &incident.alarm;
        Self {
            incident: incident.id.clone(),
            state: match incident.state {
                State::Open => "open",
                State::Settling => "settling",
                State::Recovered => "recovered",
            },
            can_wait: alarm.can_wait(),
            what: alarm.what.clone(),
            why: alarm.why.clone(),
            hint: alarm.hint.clone(),
            command: command(alarm),
            task: alarm.task.clone(),
            tier: word(&alarm.tier),
            severity: word(&alarm.severity),
            kind: word(&alarm.kind),
            owner: alarm.owner.clone(),
            critical: alarm.effect.critical.iter().map(|affected| affected.task.clone()).collect(),
            opened_at: incident.opened_at,
            seen_at: incident.seen_at,
            times: incident.times,
            acknowledged_by: incident.acknowledged_by.clone(),
            muted_until: *muted_until,
        }
    }
}

/// The command that helps, with the task's name as one argument.
fn command(alarm: &Alarm) -> String {
    match &alarm.task {
        Some(task) => alarm.command.replace(task, &argument(task)),
        None => alarm.command.clone(),
    }
}

/// An enum's word, as JSON writes it.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}
