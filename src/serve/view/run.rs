//! Runs: a page of them, and one with its tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::{Look, ViewError, selecting};
use crate::{
    control::{Part, SeenAttempt, SeenRun, SeenTask, Then},
    dag::NodeId,
    error::Failure,
    run::Overview,
};

/// So many tasks of a run are on one page.
pub(in crate::serve) const SHOWN: u32 = 200;

/// So many that did not end well are shown before all others.
const BAD_SHOWN: u32 = 50;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Run {
    /// Its id.
    pub(in crate::serve) run: String,
    /// `production` or `test`.
    pub(in crate::serve) mode: String,
    /// What was asked for.
    pub(in crate::serve) selection: String,
    /// `running`, `succeeded`, `degraded`, `failed`, `cancelled` or `crashed`.
    pub(in crate::serve) status: String,
    /// When it began.
    pub(in crate::serve) started_at: Timestamp,
    /// When it ended; of a crashed one, when that was found.
    pub(in crate::serve) ended_at: Option<Timestamp>,
    /// How long it took, or has taken so far.
    pub(in crate::serve) seconds: f64,
    /// The machine.
    pub(in crate::serve) host: String,
    /// The process there.
    pub(in crate::serve) pid: i64,
    /// barncat's version.
    pub(in crate::serve) version: String,
    /// The run that it goes on with.
    pub(in crate::serve) resumes: Option<String>,
    /// How many tasks it has to do, where that is known; of one that ended, how many it had.
    pub(in crate::serve) tasks: Option<u64>,
    /// How many of its tasks ended how; `running`: they have not.
    pub(in crate::serve) by_status: BTreeMap<String, u64>,
    /// Rows that were published.
    pub(in crate::serve) rows: u64,
    /// Bytes in the stage of what was published.
    pub(in crate::serve) bytes: u64,
}

/// A task of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct RunTask {
    /// Its full name.
    pub(in crate::serve) task: String,
    /// `load`, `model`, `check`, `command`; of what was asked for by hand `verify`, `backfill`, `restore`, `adopt`.
    pub(in crate::serve) kind: String,
    /// `critical` or `optional`.
    pub(in crate::serve) tier: String,
    /// `running`, or how it ended.
    pub(in crate::serve) status: String,
    /// When it began; of one that never did, when that was known.
    pub(in crate::serve) started_at: Timestamp,
    /// When it ended.
    pub(in crate::serve) ended_at: Option<Timestamp>,
    /// How long it took, all attempts together.
    pub(in crate::serve) seconds: Option<f64>,
    /// The task that it waited for last, of those that it needs.
    pub(in crate::serve) after: Option<String>,
    /// How long it waited, once it had its turn, for its lock and connections.
    pub(in crate::serve) waited_seconds: Option<f64>,
    /// `full`, `append`, `merge`, …
    pub(in crate::serve) strategy: Option<String>,
    /// `swap`, `replace`, `insert`, `merge`.
    pub(in crate::serve) publish: Option<String>,
    /// Why it was done so.
    pub(in crate::serve) reason: Option<String>,
    /// Rows of the load.
    pub(in crate::serve) rows: Option<u64>,
    /// Its bytes in the stage.
    pub(in crate::serve) bytes: Option<u64>,
    /// The load's id.
    pub(in crate::serve) load: Option<String>,
    /// By which tasks it is blocked.
    pub(in crate::serve) blocked_by: Vec<String>,
    /// What people should know.
    pub(in crate::serve) warnings: Vec<String>,
    /// Why it failed.
    pub(in crate::serve) error: Option<String>,
    /// What a person can do about it.
    pub(in crate::serve) hint: Option<String>,
    /// Its attempts, the first one first.
    pub(in crate::serve) attempts: Vec<Attempt>,
    /// The same task in the run before that was asked for the same.
    pub(in crate::serve) before: Option<Compared>,
}

/// An attempt at a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Attempt {
    /// Which, from 1.
    pub(in crate::serve) attempt: u32,
    /// Its load.
    pub(in crate::serve) load: Option<String>,
    /// When it began.
    pub(in crate::serve) started_at: Timestamp,
    /// When it ended.
    pub(in crate::serve) ended_at: Option<Timestamp>,
    /// `running`, or how it ended.
    pub(in crate::serve) status: String,
    /// Why it failed.
    pub(in crate::serve) error: Option<String>,
    /// `passing`, `lasting`, `usage`, `held` or `bug`.
    pub(in crate::serve) class: Option<String>,
}

/// A task as it went in another run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Compared {
    /// How it ended.
    pub(in crate::serve) status: Option<String>,
    /// How long it took.
    pub(in crate::serve) seconds: Option<f64>,
    /// Rows of the load.
    pub(in crate::serve) rows: Option<u64>,
}

/// A run and a page of its tasks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct RunPage {
    /// The run.
    #[serde(flatten)]
    pub(in crate::serve) run: Run,
    /// The last run before it that was asked for the same.
    pub(in crate::serve) before: Option<Run>,
    /// How deadlines stood at its end, in words.
    pub(in crate::serve) deadlines: Vec<String>,
    /// What people should know.
    pub(in crate::serve) warnings: Vec<String>,
    /// Tasks that did not end well, at most fifty of them.
    pub(in crate::serve) bad: Vec<RunTask>,
    /// A page of its tasks, in the order in which they began.
    pub(in crate::serve) task_list: Vec<RunTask>,
    /// What the next page is asked by: `after`.
    pub(in crate::serve) next: Option<u32>,
}

/// A page of the runs before another one, the latest first.
pub(in crate::serve) async fn runs(
    look: &Look,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<Run>, ViewError> {
    if let Some(before) = before.filter(|before| !is_id(before)) {
        return Err(unknown(before));
    }
    let shown = &look.overview.runs;
    let is_there = before.is_none() && (shown.len() >= limit as usize || shown.len() < 20);
    let runs = match is_there {
        true => shown.iter().take(limit as usize).map(|run| Run::of(run, look)).collect(),
        false => {
            let _turn = look.turns.next().await;
            look.control.runs_before(before, limit).await?.iter().map(|run| Run::of(run, look)).collect()
        }
    };
    Ok(runs)
}

/// One run, with the tasks from the `after`th on.
pub(in crate::serve) async fn run(look: &Look, id: &str, after: u32) -> Result<RunPage, ViewError> {
    if !is_id(id) {
        return Err(unknown(id));
    }
    let _turn = look.turns.next().await;
    let seen = look.control.seen_run(id).await?.ok_or_else(|| unknown(id))?;
    let before = look.control.run_before(&seen).await?;
    let said = look.control.said(id).await?;
    let bad = look.control.tasks_of(id, Part::Bad, (0, BAD_SHOWN)).await?;
    let mut tasks = look.control.tasks_of(id, Part::All, (after, SHOWN + 1)).await?;
    let next = (tasks.len() > SHOWN as usize).then(|| after + SHOWN);
    tasks.truncate(SHOWN as usize);
    let names: Vec<&str> = bad.iter().chain(&tasks).map(|task| task.task.as_str()).collect();
    let then = match &before {
        Some(before) => look.control.then(&before.run, &names).await?,
        None => HashMap::new(),
    };
    let needed = needed(&look.overview, &names);
    let ends: HashMap<String, Timestamp> = look
        .control
        .ends_of_some(id, &needed)
        .await?
        .into_iter()
        .map(|ended| {
            let seconds = ended.seconds.unwrap_or_default();
            let at = ended.started_at.checked_add(jiff::SignedDuration::from_secs_f64(seconds));
            (ended.task, at.unwrap_or(ended.started_at))
        })
        .collect();
    let around = Around { overview: &look.overview, ends: &ends, then: &then };
    let of = |tasks: Vec<SeenTask>| tasks.into_iter().map(|task| around.task(task)).collect();
    Ok(RunPage {
        run: Run::of(&seen, look),
        before: before.map(|before| Run::of(&before, look)),
        deadlines: said.deadlines,
        warnings: said.warnings,
        bad: of(bad),
        task_list: of(tasks),
        next,
    })
}

/// What these tasks need.
fn needed<'a>(overview: &'a Overview, tasks: &[&str]) -> Vec<&'a str> {
    let of =
        |task: NodeId| overview.graph.needs(task).iter().map(|edge| overview.task(edge.task).name.as_str());
    let needed: BTreeSet<&str> = tasks.iter().filter_map(|task| overview.find(task)).flat_map(of).collect();
    needed.into_iter().collect()
}

/// What cannot be a run's id is none: the database is not asked.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn unknown(run: &str) -> ViewError {
    ViewError::Unknown { what: "run", name: run.to_owned() }
}

impl Run {
    pub(in crate::serve) fn of(seen: &SeenRun, look: &Look) -> Self {
        let going = look.overview.running.iter().find(|going| going.run.run == seen.run);
        let status = match (&seen.status, going) {
            (Some(status), _) => status.clone(),
            (None, Some(going)) if going.run.is_crashed => "crashed".to_owned(),
            (None, _) => "running".to_owned(),
        };
        let word = |status: &str| if status.is_empty() { "running" } else { status }.to_owned();
        let by_status: BTreeMap<String, u64> =
            seen.tally.by_status.iter().map(|(status, count)| (word(status), *count)).collect();
        let begun: u64 = by_status.values().sum();
        let selected = going.and_then(|going| going.selected).map(|selected| selected as u64);
        Self {
            run: seen.run.clone(),
            mode: seen.mode.clone(),
            selection: seen.selection.clone(),
            status,
            started_at: seen.started_at,
            ended_at: seen.ended_at,
            seconds: seen.ended_at.unwrap_or(look.now).duration_since(seen.started_at).as_secs_f64().max(0.0),
            host: seen.host.clone(),
            pid: seen.pid,
            version: seen.version.clone(),
            resumes: seen.resumes.clone(),
            tasks: seen.ended_at.map(|_| begun).or(selected),
            by_status,
            rows: seen.tally.rows,
            bytes: seen.tally.bytes,
        }
    }

    /// The command that does the same again.
    pub(in crate::serve) fn command(&self) -> String {
        let mut command = selecting("barncat run", &self.selection);
        if self.mode == "test" {
            command.push_str(" --mode test");
        }
        command
    }

    /// How many of its tasks are as they should be.
    pub(in crate::serve) fn well(&self) -> u64 {
        ["succeeded", "unchanged"].iter().filter_map(|status| self.by_status.get(*status)).sum()
    }

    /// How many of its tasks have ended.
    pub(in crate::serve) fn ended(&self) -> u64 {
        self.by_status.iter().filter(|(status, _)| *status != "running").map(|(_, count)| count).sum()
    }

    /// How many ended as none should.
    pub(in crate::serve) fn bad(&self) -> u64 {
        let is_bad = |status: &str| !matches!(status, "succeeded" | "unchanged" | "skipped" | "running");
        self.by_status.iter().filter(|(status, _)| is_bad(status)).map(|(_, count)| count).sum()
    }
}

/// What is known around a run's tasks.
struct Around<'a> {
    overview: &'a Overview,
    ends: &'a HashMap<String, Timestamp>,
    then: &'a HashMap<String, Then>,
}

impl Around<'_> {
    fn task(&self, seen: SeenTask) -> RunTask {
        let after = self.overview.find(&seen.task).and_then(|task| self.after(task, &seen));
        let begun = seen.attempts.first().map(|attempt| attempt.started_at);
        let before = self.then.get(&seen.task).map(|then| Compared {
            status: then.status.clone(),
            seconds: then.seconds,
            rows: then.rows,
        });
        let outcome = seen.outcome;
        let (message, hint) = match outcome.as_ref().and_then(|outcome| outcome.error.clone()) {
            Some(Failure { message, hint, .. }) => (Some(message), hint),
            None => (None, None),
        };
        RunTask {
            after,
            waited_seconds: begun.map(|begun| begun.duration_since(seen.started_at).as_secs_f64().max(0.0)),
            strategy: outcome.as_ref().and_then(|outcome| outcome.strategy.clone()),
            publish: outcome.as_ref().and_then(|outcome| outcome.publish.clone()),
            reason: outcome.as_ref().and_then(|outcome| outcome.reason.clone()),
            blocked_by: outcome.as_ref().map(|outcome| outcome.blocked_by.clone()).unwrap_or_default(),
            warnings: outcome.map(|outcome| outcome.warnings).unwrap_or_default(),
            error: message,
            hint,
            attempts: seen.attempts.into_iter().map(Attempt::of).collect(),
            before,
            task: seen.task,
            kind: seen.kind,
            tier: seen.tier,
            status: seen.status.unwrap_or_else(|| "running".to_owned()),
            started_at: seen.started_at,
            ended_at: seen.ended_at,
            seconds: seen.seconds,
            rows: seen.rows,
            bytes: seen.bytes,
            load: seen.load,
        }
    }

    /// Of what it needs, the task that ended last before it began.
    fn after(&self, task: NodeId, seen: &SeenTask) -> Option<String> {
        let end = |name: &str| self.ends.get(name).copied();
        let needs = self.overview.graph.needs(task).iter();
        let ended = needs.filter_map(|edge| {
            let name = &self.overview.task(edge.task).name;
            Some((end(name)?, name))
        });
        ended.max_by_key(|(at, _)| *at).filter(|(at, _)| *at <= seen.started_at).map(|(_, name)| name.clone())
    }
}

impl Attempt {
    fn of(seen: SeenAttempt) -> Self {
        let class = seen.failure.as_ref().and_then(|failure| serde_json::to_value(failure.class).ok());
        Self {
            attempt: seen.attempt,
            load: seen.load,
            started_at: seen.started_at,
            ended_at: seen.ended_at,
            status: seen.status.unwrap_or_else(|| "running".to_owned()),
            error: seen.failure.map(|failure| failure.message),
            class: class.and_then(|class| class.as_str().map(str::to_owned)),
        }
    }
}
