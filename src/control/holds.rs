//! Holds: tasks that a person wants to keep their published data.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Control, ControlError};
use crate::fail_point;

/// A task on hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The task's full name.
    pub task: String,
    /// Since when, without a gap.
    pub since: Timestamp,
    /// Until when; `None`: until it is released.
    pub until: Option<Timestamp>,
    /// By whom, `user@host`: the last one who said so.
    pub by: String,
    /// Why, as they put it.
    pub reason: Option<String>,
}

/// `on hold since … until … by …: why`.
impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Timestamp| time.strftime("%F %T UTC").to_string();
        write!(f, "on hold since {}", time(self.since))?;
        if let Some(until) = self.until {
            write!(f, " until {}", time(until))?;
        }
        write!(f, " by {}", self.by)?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// A hold that was put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedHold {
    /// As it stands now.
    pub hold: Hold,
    /// As it stood before, where the task was on hold already.
    pub before: Option<Hold>,
}

/// Of a hold `h`: its time is not over.
const STANDS: &str = "(h.until IS NULL OR h.until > clock_timestamp())";

const COLUMNS: &str = "h.task, h.since, h.until, h.held_by, h.reason";

impl Control {
    /// Puts tasks on hold, for a time or until they are released. One that is on hold already gets the
    /// new end, and keeps its beginning, and its reason unless there is a new one.
    pub async fn hold(
        &self,
        tasks: &[String],
        span: Option<Duration>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<Vec<PlacedHold>, ControlError> {
        fail_point!("control.hold.before");
        let place = format!(
            "WITH before AS (
                 SELECT {COLUMNS} FROM control.holds h WHERE h.task = ANY($1) AND {STANDS}),
             placed AS (
                 INSERT INTO control.holds AS h (task, until, held_by, reason)
                 SELECT task, clock_timestamp() + make_interval(secs => $2), $3, $4
                 FROM unnest($1::text[]) AS task
                 ON CONFLICT (task) DO UPDATE SET
                     since = CASE WHEN {STANDS} THEN h.since ELSE excluded.since END,
                     reason = coalesce(excluded.reason, CASE WHEN {STANDS} THEN h.reason END),
                     until = excluded.until, held_by = excluded.held_by
                 RETURNING {COLUMNS})
             SELECT p.task, p.since, p.until, p.held_by, p.reason, b.task, b.since, b.until, b.held_by, b.reason
             FROM placed p LEFT JOIN before b ON b.task = p.task ORDER BY p.task"
        );
        let seconds = span.map(|span| span.as_secs_f64());
        let rows =
            self.database().query("put tasks on hold", &place, &[&tasks, &seconds, &by, &reason]).await?;
        fail_point!("control.hold.after");
        let placed = |row: &Row| {
            let before = row.get::<_, Option<&str>>(5).map(|_| hold(row, 5));
            PlacedHold { hold: hold(row, 0), before }
        };
        Ok(rows.iter().map(placed).collect())
    }

    /// Makes a hold what it was before it was placed.
    pub async fn take_back(&self, placed: &PlacedHold) -> Result<(), ControlError> {
        let task = &placed.hold.task;
        let Some(Hold { since, until, by, reason, .. }) = &placed.before else {
            return self.release(std::slice::from_ref(task)).await.map(drop);
        };
        fail_point!("control.hold.before");
        let back =
            "UPDATE control.holds SET since = $2, until = $3, held_by = $4, reason = $5 WHERE task = $1";
        self.database().query("put a hold back", back, &[task, since, until, by, reason]).await?;
        fail_point!("control.hold.after");
        Ok(())
    }

    /// Lets tasks go. Returns the holds that stood.
    pub async fn release(&self, tasks: &[String]) -> Result<Vec<Hold>, ControlError> {
        fail_point!("control.release.before");
        let release =
            format!("DELETE FROM control.holds h WHERE h.task = ANY($1) RETURNING {COLUMNS}, {STANDS}");
        let rows = self.database().query("release tasks", &release, &[&tasks]).await?;
        fail_point!("control.release.after");
        Ok(rows.iter().filter(|row| row.get(5)).map(|row| hold(row, 0)).collect())
    }

    /// The holds that stand.
    pub async fn holds(&self) -> Result<Vec<Hold>, ControlError> {
        let list = format!("SELECT {COLUMNS} FROM control.holds h WHERE {STANDS} ORDER BY h.task");
        let rows = self.database().query("list the holds", &list, &[]).await?;
        Ok(rows.iter().map(|row| hold(row, 0)).collect())
    }
}

fn hold(row: &Row, first: usize) -> Hold {
    Hold {
        task: row.get(first),
        since: row.get(first + 1),
        until: row.get(first + 2),
        by: row.get(first + 3),
        reason: row.get(first + 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_says_since_when_until_when_by_whom_and_why() {
        let time = |text: &str| text.parse().expect("a time");
        let mut hold = Hold {
            task: "raw.orders".to_owned(),
            since: time("2026-11-22T05:00:00Z"),
            until: None,
            by: "ana@loader-1".to_owned(),
            reason: None,
        };
        assert_eq!(hold.to_string(), "on hold since 2026-11-22 05:00:00 UTC by ana@loader-1");
        hold.until = Some(time("2026-11-22T17:00:00Z"));
        hold.reason = Some("the source is being mended".to_owned());
        assert_eq!(
            hold.to_string(),
            "on hold since 2026-11-22 05:00:00 UTC until 2026-11-22 17:00:00 UTC by ana@loader-1: the source is being mended"
        );
    }
}
