//! How each task stands, for who looks at all of them at once: a few rows a task, however long the history is.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    Control, ControlError,
    history::{KINDS_OF_TASKS, count},
};

/// How a task ended last, and what its table shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latest {
    /// How it ended the last time that a run tried it.
    pub ended: Option<LastEnd>,
    /// The last publish, or the last time that it was found unchanged.
    pub shows: Option<Shows>,
}

/// How a task ended the last time.
#[derive(Debug, Clone, PartialEq)]
pub struct LastEnd {
    /// The run's id.
    pub run: String,
    /// As in `run --output json`, or `crashed`.
    pub status: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How long it took, all attempts together.
    pub seconds: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// By whom it is blocked.
    pub blocked_by: Option<String>,
}

/// What a task's table shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shows {
    /// The load's id.
    pub load: Option<String>,
    /// The moment that its rows show.
    pub as_of: Option<Timestamp>,
    /// When that was published, or found unchanged.
    pub ended_at: Timestamp,
    /// Rows of the load.
    pub rows: Option<u64>,
    /// Its bytes in the stage.
    pub bytes: Option<u64>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// How far the source was behind.
    pub lag_seconds: Option<f64>,
}

/// What a check found the last time that it was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct LastCheck {
    /// The task that asked it.
    pub task: String,
    /// The check.
    pub check: String,
    /// Whether it was asked of the staging table.
    pub before_publish: bool,
    /// The run's id.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// `passed`, `warned`, `failed`.
    pub status: String,
    /// Failing rows, where it counts any.
    pub rows: Option<u64>,
    /// Of how many.
    pub of: Option<u64>,
    /// What it found, in words.
    pub message: String,
}

/// What ended within a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Up to when; the next time begins there.
    pub until: Timestamp,
    /// Runs, by how they ended.
    pub runs: Vec<EndedRuns>,
    /// Tasks, by what they are and how they ended.
    pub tasks: Vec<EndedTasks>,
}

/// Runs that ended alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRuns {
    /// As in `run --output json`, or `crashed`.
    pub status: String,
    /// How many.
    pub count: u64,
}

/// Tasks that ended alike.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedTasks {
    /// `load`, `model`, …
    pub kind: String,
    /// `critical`, `optional`.
    pub tier: String,
    /// As in `run --output json`, or `crashed`.
    pub status: String,
    /// How many.
    pub count: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes in the stage.
    pub bytes: u64,
    /// How long they took.
    pub seconds: f64,
}

/// Connections of a source or a warehouse that are in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotsInUse {
    /// `source/shop`, `warehouse/host:port/database`.
    pub of: String,
    /// How many.
    pub in_use: u64,
}

impl Control {
    /// How each of these tasks stands, in their order.
    pub async fn latest(&self, tasks: &[String]) -> Result<Vec<Latest>, ControlError> {
        // What was restored or adopted by hand is what the table shows, and says nothing of how the task fares.
        let select = format!(
            "SELECT l.run, l.status, l.started_at, l.ended_at, l.seconds, l.outcome->'error'->>'message',
                l.outcome->'error'->>'hint', l.outcome->'blocked_by'->>0,
                g.ended_at, g.load, g.outcome->>'as_of', g.rows, g.bytes, g.seconds, (g.outcome->>'lag_seconds')::float8
            FROM unnest($1::text[]) WITH ORDINALITY AS n (task, nth)
            LEFT JOIN LATERAL (
                SELECT run, status, started_at, ended_at, seconds,
                    CASE WHEN status NOT IN ('succeeded', 'unchanged') THEN outcome END AS outcome
                FROM control.tasks t
                WHERE t.task = n.task AND t.ended_at IS NOT NULL AND t.kind IN {KINDS_OF_TASKS}
                ORDER BY started_at DESC LIMIT 1) l ON true
            LEFT JOIN LATERAL (
                SELECT ended_at, load, rows, bytes, seconds, outcome FROM control.tasks t
                WHERE t.task = n.task AND t.status IN ('succeeded', 'unchanged')
                    AND (t.kind IN {KINDS_OF_TASKS} OR t.kind IN ('restore', 'adopt'))
                ORDER BY started_at DESC LIMIT 1) g ON true
            ORDER BY n.nth"
        );
        let rows = self.database().query("read how the tasks stand", &select, &[&tasks]).await?;
        Ok(rows.iter().map(latest).collect())
    }

    /// What each check of these tasks found the last time.
    pub async fn last_checks(&self, tasks: &[String]) -> Result<Vec<LastCheck>, ControlError> {
        let select = "SELECT c.task, c.check_name, c.before_publish, c.run, c.at, c.status, c.rows, c.of_rows, c.message
            FROM unnest($1::text[]) WITH ORDINALITY AS n (task, nth) CROSS JOIN LATERAL (
                SELECT run FROM control.check_results r WHERE r.task = n.task ORDER BY at DESC LIMIT 1) l
            JOIN control.check_results c ON c.run = l.run AND c.task = n.task
            ORDER BY n.nth, c.check_name";
        let rows = self.database().query("read what the checks found last", select, &[&tasks]).await?;
        Ok(rows.iter().map(last_check).collect())
    }

    /// A text that is another one once anything happened that a page would show: a task began or ended, an incident
    /// was seen, a hold was placed, a schedule was paused or resumed.
    pub async fn pulse(&self, project: &str) -> Result<String, ControlError> {
        let select = "SELECT concat_ws(' ',
            (SELECT max(started_at) FROM control.runs), (SELECT max(ended_at) FROM control.runs),
            (SELECT max(started_at) FROM control.tasks), (SELECT max(ended_at) FROM control.tasks),
            (SELECT max(ended_at) FROM control.attempts),
            (SELECT max(started_at) FROM control.attempts WHERE ended_at IS NULL),
            (SELECT max(seen_at) FROM control.incidents WHERE project = $1),
            (SELECT concat(count(*), max(acknowledged_at)) FROM control.incidents WHERE project = $1 AND state <> 'recovered'),
            (SELECT concat(count(*), max(since), max(until)) FROM control.holds),
            (SELECT concat(count(*), max(until)) FROM control.mutes WHERE project = $1),
            (SELECT concat(max(since), max(paused_at)) FROM control.schedules WHERE project = $1))";
        let rows = self.database().query("ask whether anything happened", select, &[&project]).await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    /// What ended since a moment that this answered before; the first time, within the time that is given.
    pub async fn ended_since(
        &self,
        since: Option<Timestamp>,
        first: Duration,
    ) -> Result<Ended, ControlError> {
        let doing = "count what ended";
        // What ends just now may not be seen by everybody yet: it is counted the next time.
        let bounds =
            "SELECT clock_timestamp() - make_interval(secs => $1), clock_timestamp() - interval '2 seconds'";
        let rows = self.database().query(doing, bounds, &[&first.as_secs_f64()]).await?;
        let bounds: Option<(Timestamp, Timestamp)> = rows.first().map(|row| (row.get(0), row.get(1)));
        let (first, until) = bounds.unwrap_or((Timestamp::MIN, Timestamp::MIN));
        let since = since.unwrap_or(first);
        // Also where the clock was put back: what was counted is not counted again.
        let until = until.max(since);
        let runs = "SELECT status, count(*) FROM control.runs WHERE ended_at > $1 AND ended_at <= $2 GROUP BY status";
        let tasks = "SELECT kind, tier, status, count(*), coalesce(sum(rows), 0)::bigint,
                coalesce(sum(bytes), 0)::bigint, coalesce(sum(seconds), 0)
            FROM control.tasks WHERE ended_at > $1 AND ended_at <= $2 GROUP BY kind, tier, status";
        let number = |row: &Row, nth| count(row.get(nth)).unwrap_or_default();
        let runs = self.database().query(doing, runs, &[&since, &until]).await?;
        let tasks = self.database().query(doing, tasks, &[&since, &until]).await?;
        Ok(Ended {
            until,
            runs: runs.iter().map(|row| EndedRuns { status: row.get(0), count: number(row, 1) }).collect(),
            tasks: tasks
                .iter()
                .map(|row| EndedTasks {
                    kind: row.get(0),
                    tier: row.get(1),
                    status: row.get(2),
                    count: number(row, 3),
                    rows: number(row, 4),
                    bytes: number(row, 5),
                    seconds: row.get(6),
                })
                .collect(),
        })
    }

    /// How many connections of each source and warehouse are in use.
    pub async fn slots_in_use(&self) -> Result<Vec<SlotsInUse>, ControlError> {
        let select =
            "SELECT regexp_replace(name, '/[0-9]+$', ''), count(*) FILTER (WHERE session IS NOT NULL)
            FROM control.locks WHERE name ~ '^(source|warehouse)/.*/[0-9]+$' GROUP BY 1 ORDER BY 1";
        let rows = self.database().query("count the connections in use", select, &[]).await?;
        let slots = |row: &Row| SlotsInUse { of: row.get(0), in_use: count(row.get(1)).unwrap_or_default() };
        Ok(rows.iter().map(slots).collect())
    }
}

fn latest(row: &Row) -> Latest {
    let ended = row.get::<_, Option<String>>(0).map(|run| LastEnd {
        run,
        status: row.get(1),
        started_at: row.get(2),
        ended_at: row.get(3),
        seconds: row.get(4),
        error: row.get(5),
        hint: row.get(6),
        blocked_by: row.get(7),
    });
    let shows = row.get::<_, Option<Timestamp>>(8).map(|ended_at| Shows {
        ended_at,
        load: row.get(9),
        as_of: row.get::<_, Option<&str>>(10).and_then(|as_of| as_of.parse().ok()),
        rows: count(row.get(11)),
        bytes: count(row.get(12)),
        seconds: row.get(13),
        lag_seconds: row.get(14),
    });
    Latest { ended, shows }
}

fn last_check(row: &Row) -> LastCheck {
    LastCheck {
        task: row.get(0),
        check: row.get(1),
        before_publish: row.get(2),
        run: row.get(3),
        at: row.get(4),
        status: row.get(5),
        rows: count(row.get(6)),
        of: count(row.get(7)),
        message: row.get(8),
    }
}
