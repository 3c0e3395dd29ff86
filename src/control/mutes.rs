//! Mutes: what people do not want to hear of for a time.

use std::time::Duration;

use jiff::Timestamp;

use super::{Control, ControlError, database::Work};
use crate::incident::{Alarm, Incident};

/// A mute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// A task's full name or an incident's id.
    pub what: String,
    /// Until when.
    pub until: Timestamp,
    /// By whom, `user@host`.
    pub by: String,
}

impl Control {
    /// Mutes a task or an incident; one that is muted already gets the new end.
    pub async fn mute(
        &self,
        project: &str,
        what: &str,
        span: Duration,
        by: &str,
    ) -> Result<Mute, ControlError> {
        let upsert = "INSERT INTO control.mutes (project, what, until, muted_by)
            VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3), $4)
            ON CONFLICT (project, what) DO UPDATE SET until = excluded.until, muted_by = excluded.muted_by
            RETURNING what, until, muted_by";
        let rows =
            self.database().query("mute", upsert, &[&project, &what, &span.as_secs_f64(), &by]).await?;
        Ok(Mute { what: rows[0].get(0), until: rows[0].get(1), by: rows[0].get(2) })
    }

    /// Ends a mute; `false`: there was none.
    pub async fn unmute(&self, project: &str, what: &str) -> Result<bool, ControlError> {
        let delete =
            "DELETE FROM control.mutes WHERE project = $1 AND what = $2 AND until > clock_timestamp()";
        Ok(self.database().execute("end a mute", delete, &[&project, &what]).await? > 0)
    }

    /// The mutes that stand.
    pub async fn mutes(&self, project: &str) -> Result<Vec<Mute>, ControlError> {
        let list = "SELECT what, until, muted_by FROM control.mutes
            WHERE project = $1 AND until > clock_timestamp() ORDER BY what";
        let rows = self.database().query("list the mutes", list, &[&project]).await?;
        Ok(rows.iter().map(|row| Mute { what: row.get(0), until: row.get(1), by: row.get(2) }).collect())
    }
}

/// Whether nobody wants to hear of an alarm just now.
pub(super) async fn is_muted(
    work: &Work<'_>,
    project: &str,
    alarm: &Alarm,
    before: Option<&Incident>,
) -> Result<bool, ControlError> {
    let names: Vec<&str> =
        alarm.task.iter().map(String::as_str).chain(before.map(|incident| incident.id.as_str())).collect();
    let muted =
        "SELECT FROM control.mutes WHERE project = $1 AND what = ANY($2) AND until > clock_timestamp()";
    Ok(!work.query(muted, &[&project, &names]).await?.is_empty())
}
