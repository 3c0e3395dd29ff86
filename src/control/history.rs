//! Reads what runs, what ran, and how long it usually takes.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::{Asked, Control, ControlError, Origin, Tick, session::SEEN};
use crate::event::{RunOutcome, TaskOutcome};

/// The kinds of the graph's tasks, for SQL. Rows of any other kind are what a person did by hand: a comparison
/// or a restored version says nothing of how the task itself fares.
pub(super) const KINDS_OF_TASKS: &str = "('load', 'model', 'check', 'command')";

/// The names of all tasks that ever ran, one step in the index a name: to go through all of their rows would take the
/// longer the longer the history is. The last one is NULL.
const NAMES: &str = "WITH RECURSIVE names AS (
    (SELECT task FROM control.tasks ORDER BY task LIMIT 1)
    UNION ALL
    SELECT (SELECT t.task FROM control.tasks t WHERE t.task > n.task ORDER BY t.task LIMIT 1)
    FROM names n WHERE n.task IS NOT NULL)";

/// What the history is read by.
const HISTORY: &str = "SELECT run, task, status, started_at, seconds, rows, bytes, load, outcome, kind
    FROM control.tasks WHERE ended_at IS NOT NULL";

/// A run, and those that it resumed.
const CHAIN: &str = "chain(run) AS (
    SELECT $1::text UNION SELECT r.resumes FROM control.runs r JOIN chain c ON c.run = r.run
    WHERE r.resumes IS NOT NULL)";

/// What a run's ends are read by.
const ENDS: &str = "SELECT task, status, started_at, seconds FROM control.tasks
    WHERE run = $1 AND ended_at IS NOT NULL";

/// A run under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRun {
    /// The run's id.
    pub run: String,
    /// `production` or `test`.
    pub mode: String,
    /// What was asked for.
    pub selection: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// Who asked for it; empty where a release before wrote it.
    pub origin: Origin,
    /// Its process has died; the next run closes it.
    pub is_crashed: bool,
    /// Its tasks under way, the earliest first.
    pub tasks: Vec<RunningTask>,
}

impl RunningRun {
    /// Whether it does its tasks, as far as is to be seen: `verify` and `backfill` are written down as runs too, with
    /// kinds of their own.
    pub fn does_tasks(&self) -> bool {
        let is_task = |kind: &str| KINDS_OF_TASKS.contains(&format!("'{kind}'"));
        self.tasks.is_empty() || self.tasks.iter().any(|task| is_task(&task.kind))
    }
}

/// A task under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTask {
    /// The task's full name.
    pub task: String,
    /// `load`, `model`, …
    pub kind: String,
    /// Which attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// That attempt's load.
    pub load: Option<String>,
    /// When the task began.
    pub started_at: Timestamp,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// The run's id.
    pub run: String,
    /// `production` or `test`.
    pub mode: String,
    /// What was asked for.
    pub selection: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Who asked for it; empty where a release before wrote it.
    pub origin: Origin,
    /// When it ended; of a crashed one, when that was found.
    pub ended_at: Timestamp,
    /// How: as in `run --output json`, or `crashed`.
    pub status: String,
    /// All of it; `None` where it crashed or was written in a form that this release does not know.
    pub outcome: Option<RunOutcome>,
}

/// A task that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// The run's id.
    pub run: String,
    /// The task's full name.
    pub task: String,
    /// `load`, `verify`, …
    pub kind: String,
    /// How it ended: as in `run --output json`, or `crashed`.
    pub status: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, all attempts together.
    pub seconds: Option<f64>,
    /// Rows of the load.
    pub rows: Option<u64>,
    /// Bytes of the load in the stage.
    pub bytes: Option<u64>,
    /// The load's id.
    pub load: Option<String>,
    /// All of it; `None` as in [`PastRun::outcome`].
    pub outcome: Option<TaskOutcome>,
}

impl HistoryRow {
    /// When it ended; `None` where nobody was there to say.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let seconds = jiff::SignedDuration::try_from_secs_f64(self.seconds?).ok()?;
        self.started_at.checked_add(seconds).ok()
    }
}

/// When and how a task of a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedTask {
    /// The task's full name.
    pub task: String,
    /// As in `run --output json`, or `crashed`.
    pub status: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, all attempts together.
    pub seconds: Option<f64>,
}

/// What a task usually takes: medians of its last five publishes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// How long, all attempts together.
    pub seconds: f64,
    /// Rows of the load.
    pub rows: Option<u64>,
    /// Bytes of the load in the stage.
    pub bytes: Option<u64>,
}

impl Control {
    /// The runs under way, the earliest first.
    pub async fn running(&self) -> Result<Vec<RunningRun>, ControlError> {
        let doing = "list the runs under way";
        let runs = format!(
            "SELECT r.run, r.mode, r.selection, r.host, r.pid, r.started_at,
                 NOT EXISTS (SELECT FROM control.sessions s WHERE s.session = r.session
                     AND s.expires_at > clock_timestamp() AND {SEEN}), r.started_by, r.schedule, r.tick
             FROM control.runs r WHERE r.ended_at IS NULL ORDER BY r.started_at"
        );
        let mut running: Vec<RunningRun> =
            self.database().query(doing, &runs, &[]).await?.iter().map(running_run).collect();
        let tasks = "SELECT t.run, t.task, t.kind, coalesce(a.attempt, 0), a.load, t.started_at
            FROM control.tasks t LEFT JOIN LATERAL (
                SELECT attempt, load FROM control.attempts a
                WHERE a.run = t.run AND a.task = t.task ORDER BY attempt DESC LIMIT 1) a ON true
            WHERE t.ended_at IS NULL AND t.run = ANY($1) ORDER BY t.started_at";
        let ids: Vec<&str> = running.iter().map(|run| run.run.as_str()).collect();
        let rows = self.database().query(doing, tasks, &[&ids]).await?;
        for row in &rows {
            let id: &str = row.get(0);
            if let Some(run) = running.iter_mut().find(|run| run.run == id) {
                run.tasks.push(running_task(row));
            }
        }
        Ok(running)
    }

    /// The last `limit` runs that ended, the latest first.
    pub async fn past_runs(&self, limit: u32) -> Result<Vec<PastRun>, ControlError> {
        let select =
            "SELECT run, mode, selection, started_at, ended_at, status, outcome, started_by, schedule, tick
            FROM control.runs WHERE ended_at IS NOT NULL ORDER BY started_at DESC LIMIT $1";
        let rows = self.database().query("list past runs", select, &[&i64::from(limit)]).await?;
        Ok(rows.iter().map(past_run).collect())
    }

    /// What a run was asked for beyond its selection: nothing, where a release before wrote it or a later one in another form.
    pub async fn asked(&self, run: &str) -> Result<Asked, ControlError> {
        let select = "SELECT asked FROM control.runs WHERE run = $1";
        let rows = self.database().query("read what a run was asked for", select, &[&run]).await?;
        Ok(rows.first().and_then(|row| known(row.get(0))).unwrap_or_default())
    }

    /// The last `limit` tasks that ended, of one table or of all, the latest first.
    pub async fn history(&self, task: Option<&str>, limit: u32) -> Result<Vec<HistoryRow>, ControlError> {
        let select =
            format!("{HISTORY} AND ($1::text IS NULL OR task = $1) ORDER BY started_at DESC LIMIT $2");
        let rows = self.database().query("read the history", &select, &[&task, &i64::from(limit)]).await?;
        Ok(rows.iter().map(history_row).collect())
    }

    /// How the tasks of a run and of those that it resumed ended, the earliest first: each as it ended last.
    pub async fn ended_in_all(&self, run: &str) -> Result<Vec<HistoryRow>, ControlError> {
        let select = format!(
            "WITH RECURSIVE {CHAIN} SELECT * FROM (
                SELECT DISTINCT ON (ended.task) ended.* FROM ({HISTORY}) ended JOIN chain USING (run)
                ORDER BY ended.task, ended.started_at DESC) last ORDER BY started_at"
        );
        let rows = self.database().query("read what a run and those before it did", &select, &[&run]).await?;
        Ok(rows.iter().map(history_row).collect())
    }

    /// The tasks of one run that ended, the earliest first, without what each of them said: of a run with many tasks
    /// that is a lot.
    pub async fn ends_of(&self, run: &str) -> Result<Vec<EndedTask>, ControlError> {
        let select = format!("{ENDS} ORDER BY started_at");
        let rows = self.database().query("read what a run did", &select, &[&run]).await?;
        Ok(rows.iter().map(ended_task).collect())
    }

    /// The same of these tasks alone.
    pub async fn ends_of_some(&self, run: &str, tasks: &[&str]) -> Result<Vec<EndedTask>, ControlError> {
        let select = format!("{ENDS} AND task = ANY($2)");
        let rows = self.database().query("read what a run did", &select, &[&run, &tasks]).await?;
        Ok(rows.iter().map(ended_task).collect())
    }

    /// How a task ended the last time that a run tried it; `None` where none did.
    pub async fn last_end(&self, task: &str) -> Result<Option<HistoryRow>, ControlError> {
        let select =
            format!("{HISTORY} AND task = $1 AND kind IN {KINDS_OF_TASKS} ORDER BY started_at DESC LIMIT 1");
        let rows = self.database().query("read how a task ended last", &select, &[&task]).await?;
        Ok(rows.first().map(history_row))
    }

    /// When each of these tasks last came to a good end, by its full name.
    pub async fn last_good_ends(&self, tasks: &[String]) -> Result<HashMap<String, Timestamp>, ControlError> {
        let select = format!(
            "SELECT n.task, l.ended_at FROM unnest($1::text[]) AS n (task) CROSS JOIN LATERAL (
                SELECT ended_at FROM control.tasks t
                WHERE t.task = n.task AND t.status IN ('succeeded', 'unchanged') AND t.kind IN {KINDS_OF_TASKS}
                ORDER BY started_at DESC LIMIT 1) l"
        );
        let rows = self.database().query("read when tasks were last done", &select, &[&tasks]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Each good end of these tasks since a moment, by the task's full name, the earliest first.
    pub async fn good_ends(
        &self,
        tasks: &[String],
        since: Timestamp,
    ) -> Result<HashMap<String, Vec<Timestamp>>, ControlError> {
        let select = format!(
            "SELECT task, ended_at FROM control.tasks
            WHERE task = ANY($1) AND ended_at >= $2 AND status IN ('succeeded', 'unchanged')
              AND kind IN {KINDS_OF_TASKS} ORDER BY ended_at"
        );
        let rows = self.database().query("read when tasks were done", &select, &[&tasks, &since]).await?;
        let mut ends: HashMap<String, Vec<Timestamp>> = HashMap::new();
        for row in &rows {
            ends.entry(row.get(0)).or_default().push(row.get(1));
        }
        Ok(ends)
    }

    /// How each of these tasks ended last, and when, by its full name.
    pub async fn last_ends(
        &self,
        tasks: &[String],
    ) -> Result<HashMap<String, (String, Timestamp)>, ControlError> {
        let select = format!(
            "SELECT n.task, l.status, l.ended_at FROM unnest($1::text[]) AS n (task) CROSS JOIN LATERAL (
                SELECT status, ended_at FROM control.tasks t
                WHERE t.task = n.task AND t.ended_at IS NOT NULL AND t.kind IN {KINDS_OF_TASKS}
                ORDER BY started_at DESC LIMIT 1) l"
        );
        let rows = self.database().query("read how tasks ended last", &select, &[&tasks]).await?;
        Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
    }

    /// When each of these tasks first came to a good end that is written down, by its full name.
    pub async fn first_good_ends(
        &self,
        tasks: &[String],
    ) -> Result<HashMap<String, Timestamp>, ControlError> {
        let select = format!(
            "SELECT n.task, f.ended_at FROM unnest($1::text[]) AS n (task) CROSS JOIN LATERAL (
                SELECT ended_at FROM control.tasks t
                WHERE t.task = n.task AND t.status IN ('succeeded', 'unchanged') AND t.kind IN {KINDS_OF_TASKS}
                ORDER BY started_at LIMIT 1) f"
        );
        let rows = self.database().query("read when tasks were first done", &select, &[&tasks]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// How each task was written when it last ended well, by its full name, where that is written down.
    pub async fn last_definitions(&self) -> Result<HashMap<String, String>, ControlError> {
        let select = "SELECT DISTINCT ON (task) task, outcome->>'definition' FROM control.tasks
            WHERE status = 'succeeded' AND outcome->>'definition' IS NOT NULL ORDER BY task, started_at DESC";
        let rows = self.database().query("read how tasks were written", select, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// The runs of what a person asked for by hand: they verified, restored, adopted or filled back.
    pub async fn runs_by_hand(&self) -> Result<HashSet<String>, ControlError> {
        let select = format!(
            "SELECT DISTINCT run FROM control.tasks
            WHERE ended_at IS NOT NULL AND kind NOT IN {KINDS_OF_TASKS}"
        );
        let rows = self.database().query("list the runs by hand", &select, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// How many attempts of a run, and of those that it resumed, ended with their process, by task.
    pub async fn crashed_attempts(&self, run: &str) -> Result<BTreeMap<String, u32>, ControlError> {
        let select = format!(
            "WITH RECURSIVE {CHAIN} SELECT task, count(*) FROM control.attempts a JOIN chain c ON c.run = a.run
            WHERE a.status = 'crashed' GROUP BY task"
        );
        let rows = self.database().query("count the attempts that crashed", &select, &[&run]).await?;
        let counted = |row: &Row| (row.get(0), u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX));
        Ok(rows.iter().map(counted).collect())
    }

    /// The full names of all tasks that ever ran, as far as is remembered.
    pub async fn task_names(&self) -> Result<Vec<String>, ControlError> {
        let select = format!("{NAMES} SELECT task FROM names WHERE task IS NOT NULL ORDER BY task");
        let rows = self.database().query("list the tasks of the past", &select, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The full names of the loads among them: of what was tried by that name last.
    pub async fn load_names(&self) -> Result<Vec<String>, ControlError> {
        let select = format!(
            "{NAMES} SELECT n.task FROM names n CROSS JOIN LATERAL (
                SELECT kind FROM control.tasks t WHERE t.task = n.task AND t.kind IN {KINDS_OF_TASKS}
                ORDER BY started_at DESC LIMIT 1) l
            WHERE l.kind = 'load' ORDER BY n.task"
        );
        let rows = self.database().query("list the loads of the past", &select, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// What each of these tasks usually takes, by its full name; of those that were published at least once.
    pub async fn expected(&self, tasks: &[String]) -> Result<BTreeMap<String, Expected>, ControlError> {
        let medians = format!(
            "SELECT n.task,
                percentile_cont(0.5) WITHIN GROUP (ORDER BY l.seconds),
                percentile_disc(0.5) WITHIN GROUP (ORDER BY l.rows),
                percentile_disc(0.5) WITHIN GROUP (ORDER BY l.bytes)
            FROM unnest($1::text[]) AS n (task) CROSS JOIN LATERAL (
                SELECT seconds, rows, bytes FROM control.tasks t
                WHERE t.task = n.task AND t.status = 'succeeded' AND t.kind IN {KINDS_OF_TASKS}
                    AND t.seconds IS NOT NULL
                ORDER BY started_at DESC LIMIT 5) l
            GROUP BY n.task"
        );
        let rows = self.database().query("read the expected times", &medians, &[&tasks]).await?;
        let expected = rows.iter().map(|row| {
            let expected =
                Expected { seconds: row.get(1), rows: count(row.get(2)), bytes: count(row.get(3)) };
            (row.get(0), expected)
        });
        Ok(expected.collect())
    }

    /// By the task, the last time that it was found unchanged: the load that it showed, and the moment at which
    /// that was right.
    pub async fn last_unchanged(
        &self,
        tasks: &[String],
    ) -> Result<HashMap<String, (String, Timestamp)>, ControlError> {
        let last = "SELECT n.task, l.load, l.outcome->>'as_of' FROM unnest($1::text[]) AS n (task)
            CROSS JOIN LATERAL (
                SELECT load, outcome FROM control.tasks t WHERE t.task = n.task AND t.status = 'unchanged'
                ORDER BY started_at DESC LIMIT 1) l";
        let rows = self.database().query("read what was found unchanged", last, &[&tasks]).await?;
        let found = rows.iter().filter_map(|row| {
            let (load, as_of): (Option<String>, Option<String>) = (row.get(1), row.get(2));
            Some((row.get(0), (load?, as_of?.parse().ok()?)))
        });
        Ok(found.collect())
    }
}

fn running_run(row: &Row) -> RunningRun {
    RunningRun {
        run: row.get(0),
        mode: row.get(1),
        selection: row.get(2),
        host: row.get(3),
        pid: row.get(4),
        started_at: row.get(5),
        is_crashed: row.get(6),
        origin: origin(row, 7),
        tasks: Vec::new(),
    }
}

fn running_task(row: &Row) -> RunningTask {
    RunningTask {
        task: row.get(1),
        kind: row.get(2),
        attempt: u32::try_from(row.get::<_, i32>(3)).unwrap_or(0),
        load: row.get(4),
        started_at: row.get(5),
    }
}

fn past_run(row: &Row) -> PastRun {
    PastRun {
        run: row.get(0),
        mode: row.get(1),
        selection: row.get(2),
        started_at: row.get(3),
        ended_at: row.get(4),
        status: row.get(5),
        outcome: known(row.get(6)),
        origin: origin(row, 7),
    }
}

fn origin(row: &Row, first: usize) -> Origin {
    let by: Option<String> = row.get(first);
    let (schedule, at): (Option<String>, Option<Timestamp>) = (row.get(first + 1), row.get(first + 2));
    let tick = schedule.zip(at).map(|(schedule, at)| Tick { schedule, at });
    Origin { by: by.unwrap_or_default(), tick, claimed_by: None }
}

fn ended_task(row: &Row) -> EndedTask {
    EndedTask { task: row.get(0), status: row.get(1), started_at: row.get(2), seconds: row.get(3) }
}

fn history_row(row: &Row) -> HistoryRow {
    HistoryRow {
        run: row.get(0),
        task: row.get(1),
        kind: row.get(9),
        status: row.get(2),
        started_at: row.get(3),
        seconds: row.get(4),
        rows: count(row.get(5)),
        bytes: count(row.get(6)),
        load: row.get(7),
        outcome: known(row.get(8)),
    }
}

pub(super) fn count(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

/// What another release wrote may have another form: then it is left out.
pub(super) fn known<T: DeserializeOwned>(json: Option<serde_json::Value>) -> Option<T> {
    json.and_then(|json| serde_json::from_value(json).ok())
}
