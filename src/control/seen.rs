//! Runs as pages show them: a page of them, and one with its tasks, in statements that end by a LIMIT.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;

use super::{
    Control, ControlError,
    history::{count, known},
};
use crate::{error::Failure, event::TaskOutcome, schema::TableSchema};

/// A run, under way or not.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRun {
    /// The run's id.
    pub run: String,
    /// `production` or `test`.
    pub mode: String,
    /// What was asked for.
    pub selection: String,
    /// barncat's version.
    pub version: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; of a crashed one, when that was found.
    pub ended_at: Option<Timestamp>,
    /// How: as in `run --output json`, or `crashed`; `None`: it is under way.
    pub status: Option<String>,
    /// The run that it goes on with.
    pub resumes: Option<String>,
    /// How its tasks stand.
    pub tally: Tally,
}

/// How the tasks of a run stand, as far as they have begun, and what they brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many tasks by their status; of one under way it is empty.
    pub by_status: Vec<(String, u64)>,
    /// Rows that were published.
    pub rows: u64,
    /// Bytes in the stage of what was published.
    pub bytes: u64,
}

/// What a run said of itself at its end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// What people should know.
    pub warnings: Vec<String>,
    /// How deadlines stood, in words.
    pub deadlines: Vec<String>,
}

/// A task of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenTask {
    /// Its full name.
    pub task: String,
    /// `load`, `model`, …
    pub kind: String,
    /// `critical`, `optional`.
    pub tier: String,
    /// When it began; of one that never began, when that was known.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How; `None`: it is under way.
    pub status: Option<String>,
    /// How long it took, all attempts together.
    pub seconds: Option<f64>,
    /// Rows of the load.
    pub rows: Option<u64>,
    /// Its bytes in the stage.
    pub bytes: Option<u64>,
    /// The load's id.
    pub load: Option<String>,
    /// All of it; `None` where it did not end by itself.
    pub outcome: Option<TaskOutcome>,
    /// Its attempts, the first one first.
    pub attempts: Vec<SeenAttempt>,
}

/// An attempt at a task.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenAttempt {
    /// Which, from 1.
    pub attempt: u32,
    /// Its load.
    pub load: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How; `None`: it is under way.
    pub status: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// Which tasks of a run, in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Those that did not end well, the earliest first.
    Bad,
    /// All, as they began.
    All,
}

/// A task of another run, to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Then {
    /// How it ended.
    pub status: Option<String>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// Rows of the load.
    pub rows: Option<u64>,
}

/// A state of a table's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenSchema {
    /// The load that first had it.
    pub load: String,
    /// Its hash, with its version.
    pub hash: String,
    /// When.
    pub seen_at: Timestamp,
    /// The schema; `None` where another release wrote it in a form that this one does not know.
    pub schema: Option<TableSchema>,
}

const RUN: &str = "SELECT run, mode, selection, version, host, pid, started_at, ended_at, status, resumes FROM control.runs";

/// What a person sees as not well.
const BAD: &str = "status IN ('failed', 'crashed', 'blocked', 'held', 'cancelled')";

const TASK: &str = "SELECT task, kind, tier, started_at, ended_at, status, seconds, rows, bytes, load, outcome FROM control.tasks";

impl Control {
    /// A page of the runs, the latest first: those before another one, or the latest.
    pub async fn runs_before(&self, before: Option<&str>, limit: u32) -> Result<Vec<SeenRun>, ControlError> {
        let limit = i64::from(limit);
        let rows = match before {
            None => {
                let select = format!("{RUN} ORDER BY started_at DESC, run DESC LIMIT $1");
                self.database().query("list the runs", &select, &[&limit]).await?
            }
            Some(before) => {
                let select = format!(
                    "{RUN} WHERE (started_at, run) < (SELECT b.started_at, b.run FROM control.runs b WHERE b.run = $1)
                     ORDER BY started_at DESC, run DESC LIMIT $2"
                );
                self.database().query("list the runs", &select, &[&before, &limit]).await?
            }
        };
        self.tallied(rows.iter().map(seen_run).collect()).await
    }

    /// One run.
    pub async fn seen_run(&self, run: &str) -> Result<Option<SeenRun>, ControlError> {
        let select = format!("{RUN} WHERE run = $1");
        let rows = self.database().query("look at a run", &select, &[&run]).await?;
        Ok(self.tallied(rows.iter().map(seen_run).collect()).await?.pop())
    }

    /// The last run before one that was asked for the same, and came to an end of its own.
    pub async fn run_before(&self, run: &SeenRun) -> Result<Option<SeenRun>, ControlError> {
        let select = format!(
            "{RUN} WHERE mode = $1 AND selection = $2 AND started_at < $3 AND ended_at IS NOT NULL AND outcome IS NOT NULL
             ORDER BY started_at DESC LIMIT 1"
        );
        let parameters: super::database::Parameters<'_> = &[&run.mode, &run.selection, &run.started_at];
        let rows = self.database().query("look for the run before", &select, parameters).await?;
        Ok(self.tallied(rows.iter().map(seen_run).collect()).await?.pop())
    }

    /// What a run said of itself at its end.
    pub async fn said(&self, run: &str) -> Result<Said, ControlError> {
        let select = "SELECT outcome->'warnings', outcome->'deadlines' FROM control.runs WHERE run = $1";
        let rows = self.database().query("read what a run said", select, &[&run]).await?;
        let list =
            |row: &Row, nth| row.get::<_, Option<Value>>(nth).and_then(|value| value.as_array().cloned());
        let texts = |values: Option<Vec<Value>>, of: fn(&Value) -> Option<&str>| -> Vec<String> {
            values.iter().flatten().filter_map(|value| Some(of(value)?.to_owned())).collect()
        };
        Ok(rows.first().map_or_else(Said::default, |row| Said {
            warnings: texts(list(row, 0), Value::as_str),
            deadlines: texts(list(row, 1), |deadline| deadline.get("words")?.as_str()),
        }))
    }

    /// Some tasks of a run, with their attempts.
    pub async fn tasks_of(
        &self,
        run: &str,
        part: Part,
        (offset, limit): (u32, u32),
    ) -> Result<Vec<SeenTask>, ControlError> {
        let which = match part {
            // What only waits for others comes last.
            Part::Bad => format!("AND {BAD} ORDER BY status IN ('blocked', 'held'), started_at, task"),
            Part::All => "ORDER BY started_at, task".to_owned(),
        };
        let select = format!("{TASK} WHERE run = $1 {which} LIMIT $2 OFFSET $3");
        let parameters: super::database::Parameters<'_> = &[&run, &i64::from(limit), &i64::from(offset)];
        let rows = self.database().query("read the tasks of a run", &select, parameters).await?;
        let mut tasks: Vec<SeenTask> = rows.iter().map(seen_task).collect();
        let names: Vec<&str> = tasks.iter().map(|task| task.task.as_str()).collect();
        let attempts =
            "SELECT task, attempt, load, started_at, ended_at, status, failure FROM control.attempts
            WHERE run = $1 AND task = ANY($2) ORDER BY task, attempt";
        let rows = self.database().query("read the attempts of a run", attempts, &[&run, &names]).await?;
        let mut by_task: HashMap<String, Vec<SeenAttempt>> = HashMap::new();
        for row in &rows {
            by_task.entry(row.get(0)).or_default().push(attempt(row));
        }
        for task in &mut tasks {
            task.attempts = by_task.remove(&task.task).unwrap_or_default();
        }
        Ok(tasks)
    }

    /// How these tasks went in a run.
    pub async fn then(&self, run: &str, tasks: &[&str]) -> Result<HashMap<String, Then>, ControlError> {
        let select =
            "SELECT task, status, seconds, rows FROM control.tasks WHERE run = $1 AND task = ANY($2)";
        let rows = self.database().query("read how tasks went then", select, &[&run, &tasks]).await?;
        let then = |row: &Row| {
            (row.get(0), Then { status: row.get(1), seconds: row.get(2), rows: count(row.get(3)) })
        };
        Ok(rows.iter().map(then).collect())
    }

    /// The last states of a table's schema, the latest first.
    pub async fn schemas_of(&self, task: &str, limit: u32) -> Result<Vec<SeenSchema>, ControlError> {
        let select = "SELECT load, hash, seen_at, schema FROM control.schemas
            WHERE task = $1 ORDER BY seen_at DESC LIMIT $2";
        let rows =
            self.database().query("read a schema's history", select, &[&task, &i64::from(limit)]).await?;
        let seen = |row: &Row| SeenSchema {
            load: row.get(0),
            hash: row.get(1),
            seen_at: row.get(2),
            schema: known(row.get(3)),
        };
        Ok(rows.iter().map(seen).collect())
    }

    async fn tallied(&self, mut runs: Vec<SeenRun>) -> Result<Vec<SeenRun>, ControlError> {
        let ids: Vec<&str> = runs.iter().map(|run| run.run.as_str()).collect();
        let select = "SELECT run, coalesce(status, ''), count(*),
                coalesce(sum(rows) FILTER (WHERE status = 'succeeded'), 0)::bigint,
                coalesce(sum(bytes) FILTER (WHERE status = 'succeeded'), 0)::bigint
            FROM control.tasks WHERE run = ANY($1) GROUP BY run, status ORDER BY run, status";
        let rows = self.database().query("count the tasks of runs", select, &[&ids]).await?;
        let mut by_run: HashMap<String, Tally> = HashMap::new();
        for row in &rows {
            let tally = by_run.entry(row.get(0)).or_default();
            tally.by_status.push((row.get(1), count(row.get(2)).unwrap_or_default()));
            tally.rows += count(row.get(3)).unwrap_or_default();
            tally.bytes += count(row.get(4)).unwrap_or_default();
        }
        for run in &mut runs {
            run.tally = by_run.remove(&run.run).unwrap_or_default();
        }
        Ok(runs)
    }
}

fn seen_run(row: &Row) -> SeenRun {
    SeenRun {
        run: row.get(0),
        mode: row.get(1),
        selection: row.get(2),
        version: row.get(3),
        host: row.get(4),
        pid: row.get(5),
        started_at: row.get(6),
        ended_at: row.get(7),
        status: row.get(8),
        resumes: row.get(9),
        tally: Tally::default(),
    }
}

fn seen_task(row: &Row) -> SeenTask {
    SeenTask {
        task: row.get(0),
        kind: row.get(1),
        tier: row.get(2),
        started_at: row.get(3),
        ended_at: row.get(4),
        status: row.get(5),
        seconds: row.get(6),
        rows: count(row.get(7)),
        bytes: count(row.get(8)),
        load: row.get(9),
        outcome: known(row.get(10)),
        attempts: Vec::new(),
    }
}

fn attempt(row: &Row) -> SeenAttempt {
    SeenAttempt {
        attempt: u32::try_from(row.get::<_, i32>(1)).unwrap_or(0),
        load: row.get(2),
        started_at: row.get(3),
        ended_at: row.get(4),
        status: row.get(5),
        failure: known(row.get(6)),
    }
}
