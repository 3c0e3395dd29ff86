//! When each task of a run ends, by what tasks usually take: the scheduler itself is asked what starts when.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    dag::{Graph, NodeId},
    run::ready::{Before, Cause, End, Limits, Scheduler},
};

/// Where a task stands that has begun.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// When the task began.
    pub started_at: Timestamp,
    /// When its attempt began; ahead of now: when the next one begins.
    pub attempt_at: Timestamp,
    /// When and how it ended; `None`: it runs, or waits for its next attempt.
    pub ended: Option<(Timestamp, End)>,
}

/// A run as it is now.
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    /// All tasks.
    pub graph: &'a Graph,
    /// Those of the run.
    pub selected: &'a [NodeId],
    /// What each usually takes, by the tasks' numbers.
    pub expected_seconds: &'a [f64],
    /// The moment that each task's published rows showed before the run, by the tasks' numbers.
    pub published: &'a [Option<Timestamp>],
    /// Those that have begun.
    pub standings: &'a BTreeMap<NodeId, Standing>,
    /// How many at once.
    pub limits: &'a Limits,
    /// Which others are done in one go with a task.
    pub along: &'a dyn Fn(NodeId) -> Vec<NodeId>,
}

/// From when to when a task takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
}

/// What becomes of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// It is not of the run.
    Outside,
    /// It ended well, or will.
    Well(Span),
    /// It ended otherwise, and is not tried again.
    Failed(Span),
    /// It cannot run, or was not to.
    Lost(Option<Cause>),
}

impl Fate {
    /// Its time, where it has or had any.
    pub fn span(self) -> Option<Span> {
        match self {
            Self::Well(span) | Self::Failed(span) => Some(span),
            Self::Outside | Self::Lost(_) => None,
        }
    }
}

/// What becomes of each task, by the tasks' numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast(Vec<Fate>);

impl Forecast {
    /// What becomes of a task.
    pub fn of(&self, task: NodeId) -> Fate {
        self.0[task.index()]
    }
}

/// Plays the rest of the run through.
pub fn forecast(picture: &Picture<'_>, now: Timestamp) -> Forecast {
    let mut fates = vec![Fate::Outside; picture.graph.len()];
    for task in picture.selected {
        fates[task.index()] = Fate::Lost(None);
    }
    let mut ended: Vec<(Timestamp, NodeId, End)> = Vec::new();
    for (task, standing) in picture.standings {
        let Some((at, end)) = standing.ended else { continue };
        ended.push((at, *task, end));
        let span = Span { start: standing.started_at, end: at };
        fates[task.index()] = match end {
            End::Succeeded(_) | End::Unchanged(_) => Fate::Well(span),
            End::Failed | End::Held | End::Skipped | End::Cancelled => Fate::Failed(span),
        };
    }
    ended.sort_by_key(|(at, task, _)| (*at, *task));
    let ended: Vec<(NodeId, End)> = ended.into_iter().map(|(_, task, end)| (task, end)).collect();
    let Picture { expected_seconds, published, .. } = *picture;
    let before = Before { expected_seconds, published, ended: &ended };
    let mut scheduler = Scheduler::new(picture.graph, picture.selected, before, picture.limits);
    let mut running = BinaryHeap::new();
    for (task, standing) in picture.standings.iter().filter(|(_, standing)| standing.ended.is_none()) {
        if scheduler.runs_already(*task) {
            let end = expected_end(standing.attempt_at, expected_seconds[task.index()], now);
            fates[task.index()] = Fate::Well(Span { start: standing.started_at, end });
            running.push(Reverse((end, *task)));
        }
    }
    let mut lost = Vec::new();
    let mut now = now;
    loop {
        let next = scheduler.next(now);
        lost.extend(next.blocked.iter().map(|blocked| (blocked.task, blocked.cause)));
        for start in next.starts {
            let along = (picture.along)(start.task);
            let with: Vec<NodeId> =
                along.into_iter().filter(|task| scheduler.start_along(*task, now).is_some()).collect();
            for task in std::iter::once(start.task).chain(with) {
                let end = after(now, expected_seconds[task.index()]);
                fates[task.index()] = Fate::Well(Span { start: now, end });
                running.push(Reverse((end, task)));
            }
        }
        let Some(Reverse((end, task))) = running.pop() else { break };
        now = end.max(now);
        scheduler.ended(task, End::Succeeded(Some(now)));
    }
    for (task, cause) in lost {
        fates[task.index()] = Fate::Lost(Some(cause));
    }
    Forecast(fates)
}

/// When a running task ends. Past its usual time it goes on, by a quarter of what it is past it already: what has taken
/// three times as long is not expected any moment. By half of its usual time at most, or one that hangs would
/// alarm people hours before they would have to know.
fn expected_end(attempt_at: Timestamp, usual_seconds: f64, now: Timestamp) -> Timestamp {
    let so_far = now.duration_since(attempt_at).as_secs_f64();
    let left = match so_far < 0.0 {
        true => usual_seconds - so_far,
        false => (usual_seconds - so_far).max(((so_far - usual_seconds) / 4.0).min(usual_seconds / 2.0)),
    };
    after(now, left)
}

/// So many seconds later.
pub(super) fn after(moment: Timestamp, seconds: f64) -> Timestamp {
    let span = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}
