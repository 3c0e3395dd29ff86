//! What people are told of an incident: what stands in the outbox, what webhooks get.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Alarm, Incident};

/// Why people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// It is new.
    #[serde(rename = "incident_opened")]
    Opened,
    /// It is back, shortly after it had recovered.
    #[serde(rename = "incident_reopened")]
    Reopened,
    /// It comes and goes: it is told no more until it stays away.
    #[serde(rename = "incident_flapping")]
    Flapping,
    /// It became worse.
    #[serde(rename = "incident_updated")]
    Updated,
    /// Somebody is at it.
    #[serde(rename = "incident_acknowledged")]
    Acknowledged,
    /// It is over.
    #[serde(rename = "incident_recovered")]
    Recovered,
    /// Somebody tries the channels.
    #[serde(rename = "test")]
    Test,
}

/// One message about one incident, whatever the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Why.
    pub event: Telling,
    /// When it was recorded.
    pub at: Timestamp,
    /// The project's name.
    pub project: String,
    /// The incident's id.
    pub incident: String,
    /// Since when it is open.
    pub opened_at: Timestamp,
    /// When it recovered.
    pub recovered_at: Option<Timestamp>,
    /// How often it was seen.
    pub times: u32,
    /// Who is at it.
    pub acknowledged_by: Option<String>,
    /// What is wrong.
    #[serde(flatten)]
    pub alarm: Alarm,
}

impl Notice {
    /// What is told of an incident now.
    pub fn of(event: Telling, at: Timestamp, project: &str, incident: &Incident) -> Self {
        Self {
            event,
            at,
            project: project.to_owned(),
            incident: incident.id.clone(),
            opened_at: incident.opened_at,
            recovered_at: incident.recovered_at,
            times: incident.times,
            acknowledged_by: incident.acknowledged_by.clone(),
            alarm: incident.alarm.clone(),
        }
    }

    /// How long it has been open, or was.
    pub fn lasted(&self) -> std::time::Duration {
        let end = self.recovered_at.unwrap_or(self.at);
        end.duration_since(self.opened_at).try_into().unwrap_or_default()
    }
}
