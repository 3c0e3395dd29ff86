//! Writes what a run does as it does it.

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Control, ControlError, Origin, database::persist, locks::alive, session::SEEN};
use crate::{
    error::Failure,
    event::{RunOutcome, TaskOutcome, TaskStatus, Tier},
    fail_point,
    schema::TableSchema,
    sql::TableName,
};

/// A run that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStart {
    /// The run's id.
    pub run: String,
    /// `production` or `test`.
    pub mode: String,
    /// What was asked for: `*`, `tag:hot+`.
    pub selection: String,
    /// barncat's version.
    pub version: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// The run that it goes on with.
    pub resumes: Option<String>,
    /// Who asked for it; what goes on with a tick's run is that tick's run too.
    pub origin: Origin,
    /// The project, whose names those of schedules are.
    pub project: String,
    /// What was asked for beyond the selection.
    pub asked: Asked,
}

/// What a run is asked for beyond its selection, for whoever goes on with it. What each of it means is said at
/// [`Request`](crate::run::Request).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Whole tables, whatever their strategy.
    pub full: bool,
    /// Although more rows vanished than `shrink_limit` allows.
    pub accept_shrink: bool,
    /// What checks find abnormal is usual.
    pub accept_measures: bool,
    /// Only what did not end well before.
    pub failed: bool,
    /// So many rows a table.
    pub sample: Option<u32>,
    /// Whatever `rebuild_limit` says.
    pub rebuild: bool,
}

impl Control {
    /// Records a run that begins. Runs whose process has died are closed as `crashed` first; where
    /// one has died just now that takes as long as its grace.
    pub async fn start_run(&self, start: &RunStart) -> Result<(), ControlError> {
        let session = self.session().await?;
        self.close_crashed().await?;
        fail_point!("control.start_run.before");
        let (schedule, at) = start.origin.tick.as_ref().map(|tick| (&tick.schedule, tick.at)).unzip();
        // With its tick in the same moment: whoever finds the tick finds the run that it had last. A service may have begun one
        // already that came no further, or whose beginning was not acknowledged: this one goes on with that.
        let insert = "WITH before AS (
                SELECT run FROM control.ticks
                WHERE project = $12 AND schedule = $10 AND tick = $11 AND session = $13),
            of_tick AS (
                UPDATE control.ticks SET run = $1
                WHERE project = $12 AND schedule = $10 AND tick = $11 AND ended_at IS NULL
                  AND ($13::text IS NULL OR session = $13)
                RETURNING tick)
            INSERT INTO control.runs
                (run, session, mode, selection, version, host, pid, resumes, started_by, schedule, tick, asked)
            SELECT $1, $2, $3, $4, $5, $6, $7, coalesce((SELECT run FROM before), $8), $9, $10, $11, $14
            WHERE $13::text IS NULL OR EXISTS (SELECT FROM of_tick)";
        let asked = (start.asked != Asked::default()).then(|| json(&start.asked));
        let begun = self
            .database()
            .execute(
                "start a run",
                insert,
                &[
                    &start.run,
                    &session.id,
                    &start.mode,
                    &start.selection,
                    &start.version,
                    &start.host,
                    &i64::from(start.pid),
                    &start.resumes,
                    &start.origin.by,
                    &schedule,
                    &at,
                    &start.project,
                    &start.origin.claimed_by,
                    &asked,
                ],
            )
            .await?;
        if begun == 0 {
            return Err(ControlError::TickTaken);
        }
        fail_point!("control.start_run.after");
        Ok(())
    }

    /// Records how a run ended. Tried again for half a minute.
    pub async fn finish_run(&self, outcome: &RunOutcome) -> Result<(), ControlError> {
        fail_point!("control.finish_run.before");
        // An attempt that was given up in its midst, as where its lock was lost, has not ended by itself: it ended as its task.
        let update = "WITH ended AS (
                UPDATE control.runs SET ended_at = clock_timestamp(), status = $2, outcome = $3 WHERE run = $1),
            given_up AS (
                UPDATE control.attempts a SET ended_at = clock_timestamp(), status = coalesce(t.status, 'crashed'),
                    failure = nullif(t.outcome->'error', 'null')
                FROM control.tasks t WHERE a.run = $1 AND a.ended_at IS NULL AND t.run = a.run AND t.task = a.task)
            SELECT";
        let (status, json) = (word(&outcome.status), json(outcome));
        persist(async || {
            self.database().execute("finish a run", update, &[&outcome.run, &status, &json]).await.map(drop)
        })
        .await?;
        fail_point!("control.finish_run.after");
        Ok(())
    }

    /// Records what became known of a run after its end.
    pub async fn amend_run(&self, outcome: &RunOutcome) -> Result<(), ControlError> {
        let update = "UPDATE control.runs SET outcome = $2 WHERE run = $1";
        self.database().execute("amend a run", update, &[&outcome.run, &json(outcome)]).await.map(drop)
    }

    /// Records a task that begins.
    pub async fn start_task(
        &self,
        run: &str,
        task: &str,
        kind: &str,
        tier: Tier,
    ) -> Result<(), ControlError> {
        fail_point!("control.start_task.before");
        let insert = format!(
            "INSERT INTO control.tasks (run, task, kind, tier) SELECT $1, $2, $3, $4 FROM {SOON}
             ON CONFLICT DO NOTHING"
        );
        self.database().execute("start a task", &insert, &[&run, &task, &kind, &word(&tier)]).await?;
        fail_point!("control.start_task.after");
        Ok(())
    }

    /// Records an attempt that begins, before anything of its load exists anywhere: what carries
    /// the id of a load that no living attempt has may be swept. An attempt that gets another load
    /// on its way says so by a second call; one that had ended is under way again.
    pub async fn start_attempt(
        &self,
        run: &str,
        task: &str,
        attempt: u32,
        load: &str,
    ) -> Result<(), ControlError> {
        fail_point!("control.start_attempt.before");
        let insert = "INSERT INTO control.attempts (run, task, attempt, load) VALUES ($1, $2, $3, $4)
                      ON CONFLICT (run, task, attempt) DO UPDATE SET load = excluded.load, ended_at = NULL, status = NULL, failure = NULL";
        let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
        self.database().execute("start an attempt", insert, &[&run, &task, &attempt, &load]).await?;
        fail_point!("control.start_attempt.after");
        Ok(())
    }

    /// Records how an attempt ended. Tried again for half a minute.
    pub async fn finish_attempt(
        &self,
        run: &str,
        task: &str,
        attempt: u32,
        status: TaskStatus,
        failure: Option<&Failure>,
    ) -> Result<(), ControlError> {
        fail_point!("control.finish_attempt.before");
        let update = format!(
            "UPDATE control.attempts SET ended_at = clock_timestamp(), status = $4, failure = $5
             FROM {SOON} WHERE run = $1 AND task = $2 AND attempt = $3"
        );
        let (attempt, status) = (i32::try_from(attempt).unwrap_or(i32::MAX), word(&status));
        let failure = failure.map(json);
        persist(async || {
            let parameters: super::database::Parameters<'_> = &[&run, &task, &attempt, &status, &failure];
            self.database().execute("finish an attempt", &update, parameters).await.map(drop)
        })
        .await?;
        fail_point!("control.finish_attempt.after");
        Ok(())
    }

    /// Records how a task ended, also one that never began. Tried again for half a minute.
    pub async fn finish_task(&self, run: &str, outcome: &TaskOutcome) -> Result<(), ControlError> {
        fail_point!("control.finish_task.before");
        let upsert = "INSERT INTO control.tasks AS t
                (run, task, kind, tier, ended_at, status, seconds, rows, bytes, load, outcome)
            VALUES ($1, $2, $3, $4, clock_timestamp(), $5, $6, $7, $8, $9, $10)
            ON CONFLICT (run, task) DO UPDATE SET ended_at = excluded.ended_at,
                status = excluded.status, seconds = excluded.seconds, rows = excluded.rows,
                bytes = excluded.bytes, load = excluded.load, outcome = excluded.outcome";
        let (tier, status, json) = (word(&outcome.tier), word(&outcome.status), json(outcome));
        let (rows, bytes) = (outcome.rows.map(signed), outcome.bytes.map(signed));
        persist(async || {
            let parameters: super::database::Parameters<'_> = &[
                &run,
                &outcome.task,
                &outcome.kind,
                &tier,
                &status,
                &outcome.seconds,
                &rows,
                &bytes,
                &outcome.load,
                &json,
            ];
            self.database().execute("finish a task", upsert, parameters).await.map(drop)
        })
        .await?;
        fail_point!("control.finish_task.after");
        Ok(())
    }

    /// Records a table's schema with the load that brought it, if it is not the one it had before.
    /// Tried again for half a minute.
    pub async fn record_schema(
        &self,
        table: &TableName,
        hash: &str,
        schema: &TableSchema,
        load: &str,
    ) -> Result<(), ControlError> {
        fail_point!("control.record_schema.before");
        let insert = "INSERT INTO control.schemas (task, load, hash, schema)
            SELECT $1, $2, $3, $4 WHERE $3 IS DISTINCT FROM
                (SELECT hash FROM control.schemas WHERE task = $1 ORDER BY seen_at DESC LIMIT 1)
            ON CONFLICT DO NOTHING";
        let (task, schema) = (table.to_string(), json(schema));
        persist(async || {
            self.database()
                .execute("record a schema", insert, &[&task, &load, &hash, &schema])
                .await
                .map(drop)
        })
        .await?;
        fail_point!("control.record_schema.after");
        Ok(())
    }

    /// The loads of all attempts that are alive: nothing that carries one of these ids may be swept. An attempt that passes
    /// for crashed although its process is connected, as one does that stood still or whose lease was ended by a clock, may
    /// publish yet: it is alive.
    pub async fn live_loads(&self) -> Result<Vec<String>, ControlError> {
        let live = format!(
            "SELECT DISTINCT a.load FROM control.attempts a
             JOIN control.runs r ON r.run = a.run JOIN control.sessions s ON s.session = r.session
             WHERE a.load IS NOT NULL AND ((a.ended_at IS NULL AND r.ended_at IS NULL AND {}) OR (a.status = 'crashed' AND {SEEN}))",
            alive()
        );
        let grace = self.shared.timing.grace.as_secs_f64();
        let rows = self.database().query("list the living loads", &live, &[&grace]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Which of these loads an attempt of this control database has, or had as its last one.
    pub async fn known_loads(&self, loads: &[String]) -> Result<Vec<String>, ControlError> {
        let known = "SELECT DISTINCT load FROM control.attempts WHERE load = ANY($1)";
        let rows = self.database().query("look for loads", known, &[&loads]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Those of them whose attempts ended well.
    pub async fn succeeded_loads(&self, loads: &[String]) -> Result<Vec<String>, ControlError> {
        let known =
            "SELECT DISTINCT load FROM control.attempts WHERE load = ANY($1) AND status = 'succeeded'";
        let rows = self.database().query("look for loads that went well", known, &[&loads]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Closes the runs, tasks and attempts of processes that have died, and frees their locks. A process that was taken for dead
    /// because the database's clock jumped may have gone on after its run was closed: what it began then is closed once it is dead.
    pub async fn close_crashed(&self) -> Result<(), ControlError> {
        let doing = "close crashed runs";
        const BEGUN: &str = "SELECT run FROM control.tasks WHERE ended_at IS NULL
                             UNION SELECT run FROM control.attempts WHERE ended_at IS NULL";
        let under_way = format!(
            "SELECT session FROM control.runs WHERE ended_at IS NULL OR run IN ({BEGUN})
             UNION SELECT session FROM control.locks WHERE session IS NOT NULL"
        );
        let mark = format!(
            "UPDATE control.sessions s SET gone_at = CASE WHEN {SEEN} THEN NULL ELSE clock_timestamp() END
             WHERE s.session IN ({under_way}) AND {SEEN} = (s.gone_at IS NOT NULL)"
        );
        self.database().execute(doing, &mark, &[]).await?;
        // Somebody who died a moment ago: after its grace it is certain.
        let fading = format!(
            "SELECT FROM control.sessions s WHERE s.session IN ({under_way}) AND s.gone_at IS NOT NULL
             AND {}",
            alive()
        );
        let grace = self.shared.timing.grace;
        if !self.database().query(doing, &fading, &[&grace.as_secs_f64()]).await?.is_empty() {
            sleep(grace).await;
        }
        let close = format!(
            "WITH dead AS MATERIALIZED (
                 SELECT r.run FROM control.runs r
                 WHERE (r.ended_at IS NULL OR r.run IN ({BEGUN}))
                   AND NOT EXISTS (SELECT FROM control.sessions s WHERE s.session = r.session AND {})),
             crashed AS (
                 UPDATE control.runs r SET ended_at = clock_timestamp(), status = 'crashed'
                 FROM dead d WHERE r.run = d.run AND r.ended_at IS NULL),
             their_tasks AS (
                 UPDATE control.tasks t SET ended_at = clock_timestamp(), status = 'crashed'
                 FROM dead d WHERE t.run = d.run AND t.ended_at IS NULL)
             UPDATE control.attempts a SET ended_at = clock_timestamp(), status = 'crashed'
             FROM dead d WHERE a.run = d.run AND a.ended_at IS NULL",
            alive()
        );
        fail_point!("control.close_crashed.before");
        self.database().execute(doing, &close, &[&grace.as_secs_f64()]).await?;
        fail_point!("control.close_crashed.after");
        // A dead holder's lock is free already; here it also looks so.
        let free = format!(
            "UPDATE control.locks l SET session = NULL WHERE l.session IS NOT NULL AND NOT EXISTS
                 (SELECT FROM control.sessions s WHERE s.session = l.session AND {})",
            alive()
        );
        self.database().execute("free dead holders' locks", &free, &[&grace.as_secs_f64()]).await?;
        Ok(())
    }
}

/// Lets a statement's commit be acknowledged before it is on disk; everybody sees it all the same. For what
/// is followed by a write that waits for the disk, which takes along all that was written before it.
const SOON: &str = "pg_catalog.set_config('synchronous_commit', 'off', true)";

/// An enum's word, as JSON writes it: `succeeded`.
pub(super) fn word(value: &impl Serialize) -> String {
    json(value).as_str().unwrap_or_default().to_owned()
}

pub(super) fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).expect("plain data with text as keys is JSON")
}

pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
