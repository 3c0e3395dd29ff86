//! Ticks: whose they are, which were run, and what became of them.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    Control, ControlError, HeldBy, Holder, KnownSchedule, Lease,
    database::{Parameters, persist},
    locks::alive,
    session::SEEN,
};
use crate::fail_point;

/// A tick of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tick {
    /// The schedule's name.
    pub schedule: String,
    /// The moment, as the schedule has it.
    pub at: Timestamp,
}

/// Who asked for a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// `user@host`, or `service@host`.
    pub by: String,
    /// The tick that it is the run of.
    pub tick: Option<Tick>,
    /// The session of the service that has the tick: once another has it, no run of it is begun by this one.
    pub claimed_by: Option<String>,
}

/// A tick that has not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTick {
    /// Which.
    pub tick: Tick,
    /// The service that has it; `None`: it was left for the next one.
    pub session: Option<String>,
    /// Whether that service is alive.
    pub is_held: bool,
    /// Its run, if one was begun.
    pub run: Option<TicksRun>,
}

/// The run of a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicksRun {
    /// Its id.
    pub run: String,
    /// How it ended; `None`: it has not.
    pub status: Option<String>,
    /// Whether its process is alive.
    pub is_alive: bool,
    /// When it ended, or its process was last heard of.
    pub stopped_at: Option<Timestamp>,
}

/// A tick, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastTick {
    /// Which.
    pub tick: Tick,
    /// Its run.
    pub run: Option<String>,
    /// How it ended; `None`: it has not.
    pub status: Option<String>,
    /// Why it ended so, where that is no run's end.
    pub why: Option<String>,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// How many earlier ones nobody was there for.
    pub passed_over: u32,
}

/// What the service looks at before it does anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The database's time.
    pub now: Timestamp,
    /// Every schedule that was ever seen, and is not gone.
    pub schedules: Vec<KnownSchedule>,
    /// Ticks that have not come to their end, the earliest first.
    pub open: Vec<OpenTick>,
}

/// The lock of the service that leads.
fn lock_name(project: &str) -> String {
    format!("service/{project}")
}

/// Nobody but who has the lease `name`, `epoch`, `session` may do this.
const LED: &str =
    "EXISTS (SELECT FROM control.locks l WHERE l.name = $1 AND l.epoch = $2 AND l.session = $3)";

impl Control {
    /// The id of this process' session, which stands for it in what it takes.
    pub async fn session_id(&self) -> Result<String, ControlError> {
        Ok(self.session().await?.id.clone())
    }

    /// Takes the lead among a project's services, if nobody has it.
    pub async fn lead(&self, project: &str) -> Result<Option<Lease>, ControlError> {
        let holder = Holder { run: String::new(), what: "serve".to_owned() };
        self.acquire(&lock_name(project), &holder, Duration::ZERO).await
    }

    /// The service that leads.
    pub async fn leader(&self, project: &str) -> Result<Option<HeldBy>, ControlError> {
        self.who_holds(&lock_name(project)).await
    }

    /// What is known of a project's schedules, and the ticks that have not come to their end.
    pub async fn outlook(&self, project: &str) -> Result<Outlook, ControlError> {
        let doing = "look at the schedules";
        let sessions = "SELECT t.session FROM control.ticks t WHERE t.project = $1 AND t.ended_at IS NULL
            UNION SELECT r.session FROM control.ticks t JOIN control.runs r ON r.run = t.run
            WHERE t.project = $1 AND t.ended_at IS NULL AND r.ended_at IS NULL";
        // Whose connection has gone is noted, so that it counts as dead after its grace.
        let mark = format!(
            "UPDATE control.sessions s SET gone_at = CASE WHEN {SEEN} THEN NULL ELSE clock_timestamp() END
             WHERE s.session IN ({sessions}) AND {SEEN} = (s.gone_at IS NOT NULL)"
        );
        self.database().execute(doing, &mark, &[&project]).await?;
        let (now, schedules) = self.known_schedules(project).await?;
        let is_alive = |session: &str| {
            format!("EXISTS (SELECT FROM control.sessions s WHERE s.session = {session} AND {})", alive())
        };
        let open = format!(
            "SELECT t.schedule, t.tick, t.session, {}, r.run, r.status, {}, coalesce(r.ended_at,
                 (SELECT least(s.gone_at, s.expires_at) FROM control.sessions s WHERE s.session = r.session))
             FROM control.ticks t LEFT JOIN control.runs r ON r.run = t.run
             WHERE t.project = $2 AND t.ended_at IS NULL ORDER BY t.tick, t.schedule",
            is_alive("t.session"),
            is_alive("r.session")
        );
        let grace = self.shared.timing.grace.as_secs_f64();
        let open = self.database().query(doing, &open, &[&grace, &project]).await?;
        Ok(Outlook { now, schedules, open: open.iter().map(open_tick).collect() })
    }

    /// Takes a tick: `true` for one alone of all who try, and only while the lease is held.
    pub async fn take_tick(
        &self,
        lease: &Lease,
        project: &str,
        tick: &Tick,
        passed_over: u32,
    ) -> Result<bool, ControlError> {
        fail_point!("control.take_tick.before");
        let taken = self.write_tick(lease, project, tick, passed_over, None).await?;
        fail_point!("control.take_tick.after");
        Ok(taken)
    }

    /// Writes a tick down that is not run.
    pub async fn pass_tick(
        &self,
        lease: &Lease,
        project: &str,
        tick: &Tick,
        passed_over: u32,
        end: (&str, &str),
    ) -> Result<bool, ControlError> {
        self.write_tick(lease, project, tick, passed_over, Some(end)).await
    }

    /// A tick's row: this session's, or one that has come to its end with a status and a reason.
    async fn write_tick(
        &self,
        lease: &Lease,
        project: &str,
        tick: &Tick,
        passed_over: u32,
        end: Option<(&str, &str)>,
    ) -> Result<bool, ControlError> {
        let insert = format!(
            "INSERT INTO control.ticks (project, schedule, tick, passed_over, session, ended_at, status, why)
             SELECT $4, $5, $6, $7, CASE WHEN $8::text IS NULL THEN $3 END,
                CASE WHEN $8 IS NOT NULL THEN clock_timestamp() END, $8, $9
             WHERE {LED} ON CONFLICT DO NOTHING"
        );
        let session = self.session_id().await?;
        let (status, why) = (end.map(|(status, _)| status), end.map(|(_, why)| why));
        let doing = if end.is_some() { "pass a tick" } else { "take a tick" };
        let parameters: Parameters<'_> = &[
            &lease.name(),
            &lease.epoch(),
            &session,
            &project,
            &tick.schedule,
            &tick.at,
            &i64::from(passed_over),
            &status,
            &why,
        ];
        Ok(self.database().execute(doing, &insert, parameters).await? == 1)
    }

    /// Takes a tick over that a dead service had, or that one has left: `true` for one alone of all who try.
    pub async fn take_tick_over(
        &self,
        lease: &Lease,
        project: &str,
        open: &OpenTick,
    ) -> Result<bool, ControlError> {
        fail_point!("control.take_tick_over.before");
        let update = format!(
            "UPDATE control.ticks t SET session = $3
             WHERE t.project = $4 AND t.schedule = $5 AND t.tick = $6 AND t.ended_at IS NULL
               AND t.session IS NOT DISTINCT FROM $7 AND t.run IS NOT DISTINCT FROM $8 AND {LED}"
        );
        let session = self.session_id().await?;
        let run = open.run.as_ref().map(|run| &run.run);
        let taken = self
            .database()
            .execute(
                "take a tick over",
                &update,
                &[
                    &lease.name(),
                    &lease.epoch(),
                    &session,
                    &project,
                    &open.tick.schedule,
                    &open.tick.at,
                    &open.session,
                    &run,
                ],
            )
            .await?;
        fail_point!("control.take_tick_over.after");
        Ok(taken == 1)
    }

    /// Writes down how a tick ended. Tried again for half a minute.
    pub async fn end_tick(
        &self,
        project: &str,
        tick: &Tick,
        status: &str,
        why: Option<&str>,
    ) -> Result<(), ControlError> {
        fail_point!("control.end_tick.before");
        let update = "UPDATE control.ticks SET ended_at = clock_timestamp(), status = $4, why = $5
            WHERE project = $1 AND schedule = $2 AND tick = $3 AND ended_at IS NULL";
        persist(async || {
            let parameters: Parameters<'_> = &[&project, &tick.schedule, &tick.at, &status, &why];
            self.database().execute("end a tick", update, parameters).await.map(drop)
        })
        .await?;
        fail_point!("control.end_tick.after");
        Ok(())
    }

    /// Leaves what this process has of a project's ticks for the next service.
    pub async fn leave_ticks(&self, project: &str) -> Result<(), ControlError> {
        fail_point!("control.leave_ticks.before");
        let update = "UPDATE control.ticks SET session = NULL WHERE project = $1 AND session = $2 AND ended_at IS NULL";
        let session = self.session_id().await?;
        self.database().execute("leave ticks", update, &[&project, &session]).await?;
        fail_point!("control.leave_ticks.after");
        Ok(())
    }

    /// The last ticks of each of a project's schedules, the latest first.
    pub async fn past_ticks(&self, project: &str, each: u32) -> Result<Vec<PastTick>, ControlError> {
        let select = "SELECT schedule, tick, run, status, why, begun_at, passed_over FROM (
                SELECT t.*, row_number() OVER (PARTITION BY schedule ORDER BY tick DESC) AS nth
                FROM control.ticks t WHERE project = $1) t
            WHERE nth <= $2 ORDER BY tick DESC, schedule";
        let rows =
            self.database().query("list the last ticks", select, &[&project, &i64::from(each)]).await?;
        Ok(rows.iter().map(past_tick).collect())
    }
}

fn open_tick(row: &Row) -> OpenTick {
    let run = row.get::<_, Option<String>>(4);
    let run =
        run.map(|run| TicksRun { run, status: row.get(5), is_alive: row.get(6), stopped_at: row.get(7) });
    OpenTick {
        tick: Tick { schedule: row.get(0), at: row.get(1) },
        session: row.get(2),
        is_held: row.get(3),
        run,
    }
}

fn past_tick(row: &Row) -> PastTick {
    PastTick {
        tick: Tick { schedule: row.get(0), at: row.get(1) },
        run: row.get(2),
        status: row.get(3),
        why: row.get(4),
        begun_at: row.get(5),
        passed_over: u32::try_from(row.get::<_, i64>(6)).unwrap_or(u32::MAX),
    }
}
