//! Schedules: which there are, since when, and whether they are paused.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Control, ControlError};
use crate::fail_point;

/// What is known of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSchedule {
    /// Its name.
    pub schedule: String,
    /// Earlier ticks are nobody's: it was not there, was another one, or was paused.
    pub since: Timestamp,
    /// Since when and by whom it is paused.
    pub paused: Option<Pause>,
    /// Its last tick that somebody dealt with.
    pub last: Option<Timestamp>,
}

/// A schedule that does not tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// By whom, `user@host`.
    pub by: String,
    /// Why, as they put it.
    pub reason: Option<String>,
}

impl Control {
    /// Writes down which schedules there are, by name and definition. Ticks before a new one, or before one became
    /// what it is, are nobody's.
    pub async fn keep_schedules(
        &self,
        project: &str,
        schedules: &[(String, String)],
    ) -> Result<(), ControlError> {
        let names: Vec<&str> = schedules.iter().map(|(name, _)| name.as_str()).collect();
        let definitions: Vec<&str> = schedules.iter().map(|(_, definition)| definition.as_str()).collect();
        let doing = "write the schedules down";
        fail_point!("control.keep_schedules.before");
        let keep = "INSERT INTO control.schedules AS s (project, schedule, definition)
            SELECT $1, name, definition FROM unnest($2::text[], $3::text[]) AS t (name, definition)
            ON CONFLICT (project, schedule) DO UPDATE
                SET definition = excluded.definition, since = clock_timestamp()
            WHERE s.definition <> excluded.definition";
        self.database().execute(doing, keep, &[&project, &names, &definitions]).await?;
        let forget = "DELETE FROM control.schedules WHERE project = $1 AND NOT schedule = ANY($2)";
        self.database().execute(doing, forget, &[&project, &names]).await?;
        fail_point!("control.keep_schedules.after");
        Ok(())
    }

    /// The database's time, and what is known of a project's schedules. Changes nothing.
    pub async fn known_schedules(
        &self,
        project: &str,
    ) -> Result<(Timestamp, Vec<KnownSchedule>), ControlError> {
        let known = "SELECT clock_timestamp(), s.schedule, s.since, s.paused_at, s.paused_by, s.reason,
                (SELECT max(t.tick) FROM control.ticks t WHERE t.project = $1 AND t.schedule = s.schedule)
            FROM (SELECT) one LEFT JOIN control.schedules s ON s.project = $1 ORDER BY s.schedule";
        let rows = self.database().query("look at the schedules", known, &[&project]).await?;
        let now = rows.first().map_or(Timestamp::MIN, |row| row.get(0));
        Ok((now, rows.iter().filter_map(known_schedule).collect()))
    }

    /// Lets a schedule tick no more, until it is resumed. Returns the pause that stood.
    pub async fn pause_schedule(
        &self,
        project: &str,
        schedule: &str,
        by: &str,
        reason: Option<&str>,
    ) -> Result<Option<Pause>, ControlError> {
        let before = self.schedule_paused(project, schedule).await?;
        let pause =
            "INSERT INTO control.schedules AS s (project, schedule, definition, paused_at, paused_by, reason)
            VALUES ($1, $2, '', clock_timestamp(), $3, $4)
            ON CONFLICT (project, schedule) DO UPDATE
                SET paused_at = coalesce(s.paused_at, excluded.paused_at), paused_by = excluded.paused_by,
                    reason = coalesce(excluded.reason, s.reason)";
        self.database().execute("pause a schedule", pause, &[&project, &schedule, &by, &reason]).await?;
        Ok(before)
    }

    /// Lets a schedule tick again; what would have ticked meanwhile does not. Returns the pause that stood.
    pub async fn resume_schedule(
        &self,
        project: &str,
        schedule: &str,
    ) -> Result<Option<Pause>, ControlError> {
        let before = self.schedule_paused(project, schedule).await?;
        let resume = "UPDATE control.schedules
            SET paused_at = NULL, paused_by = NULL, reason = NULL, since = clock_timestamp()
            WHERE project = $1 AND schedule = $2 AND paused_at IS NOT NULL";
        self.database().execute("resume a schedule", resume, &[&project, &schedule]).await?;
        Ok(before)
    }

    async fn schedule_paused(&self, project: &str, schedule: &str) -> Result<Option<Pause>, ControlError> {
        let select = "SELECT paused_at, paused_by, reason FROM control.schedules
            WHERE project = $1 AND schedule = $2 AND paused_at IS NOT NULL";
        let rows = self.database().query("look for a pause", select, &[&project, &schedule]).await?;
        Ok(rows.first().and_then(|row| pause(row, 0)))
    }
}

fn known_schedule(row: &Row) -> Option<KnownSchedule> {
    let (schedule, since) = (row.get::<_, Option<String>>(1)?, row.get(2));
    Some(KnownSchedule { schedule, since, paused: pause(row, 3), last: row.get(6) })
}

fn pause(row: &Row, first: usize) -> Option<Pause> {
    let by: Option<String> = row.get(first + 1);
    Some(Pause {
        at: row.get::<_, Option<Timestamp>>(first)?,
        by: by.unwrap_or_default(),
        reason: row.get(first + 2),
    })
}
