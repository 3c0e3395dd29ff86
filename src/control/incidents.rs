//! Incidents: what is wrong, from its opening to its recovery. Every change is one transaction with the messages
//! about it, under the project's lock, so that two processes that see the same thing tell it once.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use super::{
    Control, ControlError,
    database::{PATIENCE, Work, persist},
    mutes::is_muted,
};
use crate::{
    clock, fail_point,
    incident::{Alarm, Incident, Notice, Seen, State, Telling, settle, step},
};

/// What was seen of a cause.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The cause.
    pub cause: String,
    /// How it is.
    pub seen: Seen,
    /// Nothing is done while an incident of one of these causes is open: it is a part of that.
    pub part_of: Vec<String>,
}

/// A message on its way to one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `slack`, `pagerduty`, `webhook`.
    pub channel: &'static str,
    /// Which of its places.
    pub address: String,
    /// Whether somebody is called by name.
    pub loud: bool,
    /// When.
    pub due: Due,
}

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// By itself, at once.
    Now,
    /// With others, at this time.
    Gathered(Timestamp),
}

/// An incident as `incidents` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptIncident {
    /// The incident.
    pub incident: Incident,
    /// Since when somebody is at it.
    pub acknowledged_at: Option<Timestamp>,
    /// Until when nobody wants to hear of it.
    pub muted_until: Option<Timestamp>,
    /// Messages about it that are not sent yet.
    pub waiting: u32,
    /// Why the last one was not.
    pub error: Option<String>,
}

const COLUMNS: &str = "i.incident, i.state, i.alarm, i.opened_at, i.seen_at, i.recovered_at, i.times,
    i.reopened, i.told, i.acknowledged_by";

impl Control {
    /// Writes down what was seen, with the messages that `route` makes of what is to be told. Answers with what
    /// that is. Tried again for half a minute; once is enough, however often it is done.
    pub async fn observe(
        &self,
        project: &str,
        observation: &Observation,
        route: impl Fn(&Notice) -> Vec<Delivery>,
    ) -> Result<Vec<Notice>, ControlError> {
        persist(async || self.observe_once(project, observation, &route).await).await
    }

    async fn observe_once(
        &self,
        project: &str,
        observation: &Observation,
        route: &impl Fn(&Notice) -> Vec<Delivery>,
    ) -> Result<Vec<Notice>, ControlError> {
        let doing = "record an incident";
        let cause = &observation.cause;
        // Mostly all is well, and was: that takes no lock.
        if observation.seen == Seen::Well {
            let open =
                "SELECT FROM control.incidents WHERE project = $1 AND cause = $2 AND state <> 'recovered'";
            if self.database().query(doing, open, &[&project, cause]).await?.is_empty() {
                return Ok(Vec::new());
            }
        }
        let work = self.database().begin(doing, PATIENCE).await?;
        let now = lock(&work, project).await?;
        let is_part =
            "SELECT FROM control.incidents WHERE project = $1 AND cause = ANY($2) AND state = 'open'";
        if !work.query(is_part, &[&project, &observation.part_of]).await?.is_empty() {
            work.rollback().await?;
            return Ok(Vec::new());
        }
        let last = format!(
            "SELECT {COLUMNS} FROM control.incidents i WHERE project = $1 AND cause = $2
             ORDER BY opened_at DESC, incident DESC LIMIT 1"
        );
        let mut before = match work.query(&last, &[&project, cause]).await?.first() {
            Some(row) => incident(row),
            None => None,
        };
        let mut changes = Vec::new();
        if let Some((settled, telling)) = before.clone().and_then(|before| settle(before, now)) {
            before = Some(settled.clone());
            changes.push((settled, telling));
        }
        let is_muted = match &observation.seen {
            Seen::Wrong(alarm) => is_muted(&work, project, alarm, before.as_ref()).await?,
            Seen::Well => false,
        };
        changes.extend(step(before, &observation.seen, now, is_muted, clock::new_id));
        let notices = save(&work, project, changes, now, route).await?;
        fail_point!("control.incident.before");
        work.commit().await?;
        fail_point!("control.incident.after");
        Ok(notices)
    }

    /// Ends what flapped and has stayed away.
    pub async fn settle_incidents(
        &self,
        project: &str,
        route: impl Fn(&Notice) -> Vec<Delivery>,
    ) -> Result<Vec<Notice>, ControlError> {
        let doing = "settle incidents";
        let settling = format!(
            "SELECT {COLUMNS} FROM control.incidents i WHERE project = $1 AND state = 'settling' ORDER BY incident"
        );
        if self.database().query(doing, &settling, &[&project]).await?.is_empty() {
            return Ok(Vec::new());
        }
        let work = self.database().begin(doing, PATIENCE).await?;
        let now = lock(&work, project).await?;
        let rows = work.query(&settling, &[&project]).await?;
        let changes = rows.iter().filter_map(incident).filter_map(|incident| settle(incident, now)).collect();
        let notices = save(&work, project, changes, now, &route).await?;
        work.commit().await?;
        Ok(notices)
    }

    /// Somebody is at it. `false`: it is not open any more, or somebody was at it before.
    pub async fn acknowledge(
        &self,
        project: &str,
        id: &str,
        by: &str,
        route: impl Fn(&Notice) -> Vec<Delivery>,
    ) -> Result<bool, ControlError> {
        let work = self.database().begin("acknowledge an incident", PATIENCE).await?;
        let now = lock(&work, project).await?;
        let update = format!(
            "UPDATE control.incidents i SET acknowledged_by = $3, acknowledged_at = $4
             WHERE project = $1 AND incident = $2 AND state = 'open' AND acknowledged_by IS NULL RETURNING {COLUMNS}"
        );
        let rows = work.query(&update, &[&project, &id, &by, &now]).await?;
        let Some(incident) = rows.first().and_then(incident) else {
            work.rollback().await?;
            return Ok(false);
        };
        let telling = incident.told.then_some(Telling::Acknowledged);
        save(&work, project, vec![(incident, telling)], now, &route).await?;
        work.commit().await?;
        Ok(true)
    }

    /// The open incidents of a project, those that recovered too with `all`; the latest first.
    pub async fn incidents(
        &self,
        project: &str,
        all: bool,
        limit: u32,
    ) -> Result<Vec<KeptIncident>, ControlError> {
        let select = format!(
            "SELECT {COLUMNS}, i.acknowledged_at,
                 (SELECT max(m.until) FROM control.mutes m WHERE m.project = i.project AND m.until > clock_timestamp()
                      AND (m.what = i.incident OR m.what = i.alarm->>'task')),
                 coalesce(w.waiting, 0), w.error
             FROM control.incidents i LEFT JOIN LATERAL (
                 SELECT count(*) AS waiting, (array_agg(o.error ORDER BY o.message) FILTER (WHERE o.error IS NOT NULL))[1] AS error
                 FROM control.outbox o WHERE o.incident = i.incident AND o.sent_at IS NULL AND o.given_up_at IS NULL
             ) w ON true
             WHERE i.project = $1 AND ($2 OR i.state <> 'recovered')
             ORDER BY i.opened_at DESC, i.incident DESC LIMIT $3"
        );
        let rows =
            self.database().query("list incidents", &select, &[&project, &all, &i64::from(limit)]).await?;
        let kept = |row: &Row| {
            Some(KeptIncident {
                incident: incident(row)?,
                acknowledged_at: row.get(10),
                muted_until: row.get(11),
                waiting: u32::try_from(row.get::<_, i64>(12)).unwrap_or(u32::MAX),
                error: row.get(13),
            })
        };
        Ok(rows.iter().filter_map(kept).collect())
    }
}

/// One process at a time changes a project's incidents. Answers with the database's time.
async fn lock(work: &Work<'_>, project: &str) -> Result<Timestamp, ControlError> {
    let digest = Sha256::digest(format!("barncat incidents of {} in {}", project, work.schema()).as_bytes());
    let mut key = [0; 8];
    key.copy_from_slice(&digest[..8]);
    work.query("SELECT pg_advisory_xact_lock($1)", &[&i64::from_be_bytes(key)]).await?;
    let rows = work.query("SELECT clock_timestamp()", &[]).await?;
    Ok(rows[0].get(0))
}

/// Keeps incidents, and the messages about them.
async fn save(
    work: &Work<'_>,
    project: &str,
    changes: Vec<(Incident, Option<Telling>)>,
    now: Timestamp,
    route: &impl Fn(&Notice) -> Vec<Delivery>,
) -> Result<Vec<Notice>, ControlError> {
    let mut notices = Vec::new();
    for (incident, telling) in changes {
        keep(work, project, &incident).await?;
        let Some(telling) = telling else { continue };
        let notice = Notice::of(telling, now, project, &incident);
        for delivery in super::outbox::where_to(work, &notice, route(&notice)).await? {
            super::outbox::record(work, &notice, &delivery).await?;
        }
        notices.push(notice);
    }
    Ok(notices)
}

async fn keep(work: &Work<'_>, project: &str, incident: &Incident) -> Result<(), ControlError> {
    let upsert =
        "INSERT INTO control.incidents AS i (incident, project, cause, state, alarm, opened_at, seen_at,
            recovered_at, times, reopened, told, acknowledged_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (incident) DO UPDATE SET state = excluded.state, alarm = excluded.alarm,
            seen_at = excluded.seen_at, recovered_at = excluded.recovered_at, times = excluded.times,
            reopened = excluded.reopened, told = excluded.told, acknowledged_by = excluded.acknowledged_by,
            acknowledged_at = CASE WHEN excluded.acknowledged_by IS NOT NULL THEN i.acknowledged_at END";
    let alarm = super::runs::json(&incident.alarm);
    let (times, reopened) = (i64::from(incident.times), i64::from(incident.reopened));
    let parameters: super::database::Parameters<'_> = &[
        &incident.id,
        &project,
        &incident.alarm.cause,
        &state_word(incident.state),
        &alarm,
        &incident.opened_at,
        &incident.seen_at,
        &incident.recovered_at,
        &times,
        &reopened,
        &incident.told,
        &incident.acknowledged_by,
    ];
    work.execute(upsert, parameters).await?;
    Ok(())
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Settling => "settling",
        State::Recovered => "recovered",
    }
}

/// `None`: another release wrote it in a form that this one does not know.
fn incident(row: &Row) -> Option<Incident> {
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let alarm: Alarm = serde_json::from_value(row.get(2)).ok()?;
    Some(Incident {
        id: row.get(0),
        state: match row.get(1) {
            "open" => State::Open,
            "settling" => State::Settling,
            _ => State::Recovered,
        },
        alarm,
        opened_at: row.get(3),
        seen_at: row.get(4),
        recovered_at: row.get(5),
        times: count(row.get(6)),
        reopened: count(row.get(7)),
        told: row.get(8),
        acknowledged_by: row.get(9),
    })
}
