//! The graph, or as much of it as can be taken in.

#[cfg(test)]
mod document;

use std::collections::HashMap;

use serde_json::Value;

#[cfg(test)]
pub(in crate::serve) use self::document::GraphDocument;
use super::{Look, ViewError, selecting};
use crate::{
    dag::{self, CriticalPath, Facts, NodeId, render, selection},
    error::Fault,
    event::Tier,
};

/// More tasks than these nobody takes in, and no browser likes to draw.
const DRAWN_MAX: usize = 400;

/// Which tasks are drawn.
#[derive(Debug)]
pub(in crate::serve) struct Picture {
    /// The tasks, in the order of their names.
    pub(in crate::serve) tasks: Vec<NodeId>,
    /// Those that decide how long all of them take; `None` where no times are known.
    pub(in crate::serve) path: Option<CriticalPath>,
    /// How they were chosen.
    pub(in crate::serve) choice: Choice,
    /// How many tasks were meant.
    pub(in crate::serve) meant: usize,
}

/// How tasks were chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) enum Choice {
    /// All that were meant.
    All,
    /// Without so many tables that need nothing and that nothing needs.
    Connected(usize),
    /// They would be too many: those that are critical.
    Critical,
    /// They would be too many, however they are chosen.
    TooMany,
}

/// The tasks that a selection means, and of those as many as can be drawn.
pub(in crate::serve) fn choose(look: &Look, select: &str) -> Result<Picture, ViewError> {
    let meant = select_tasks(look, select)?;
    let graph = &look.overview.graph;
    let marks = graph.mark(&meant);
    let is_alone = |task: &NodeId| {
        let ends = graph.needs(*task).iter().chain(graph.needed_by(*task));
        !ends.into_iter().any(|edge| marks[edge.task.index()])
    };
    let count = meant.len();
    let (tasks, choice) = if count <= DRAWN_MAX / 4 {
        (meant, Choice::All)
    } else {
        let connected: Vec<NodeId> = meant.iter().copied().filter(|task| !is_alone(task)).collect();
        let critical = |task: &NodeId| graph.tier(*task) == Tier::Critical;
        match connected.len() {
            0 if count <= DRAWN_MAX => (meant, Choice::All),
            1..=DRAWN_MAX => {
                let alone = count - connected.len();
                (connected, Choice::Connected(alone))
            }
            _ => match connected.into_iter().filter(critical).collect::<Vec<_>>() {
                few if (1..=DRAWN_MAX).contains(&few.len()) => (few, Choice::Critical),
                _ => (Vec::new(), Choice::TooMany),
            },
        }
    };
    let path = path(look, &tasks);
    Ok(Picture { tasks, path, choice, meant: count })
}

fn select_tasks(look: &Look, select: &str) -> Result<Vec<NodeId>, ViewError> {
    let (words, exclude) = selection::read(select);
    let overview = &look.overview;
    let facts = Facts { changed: None, results: Some(overview.results()) };
    if dag::asks_for_changes(words.iter().chain(&exclude)) {
        let message = "what changed is known by asking the sources, and nobody asks them here".to_owned();
        let hint = Some(format!("{} asks them", selecting("barncat graph", select)));
        return Err(ViewError::Nothing { message, hint });
    }
    let wrong =
        |error: dag::SelectError| ViewError::Nothing { message: error.to_string(), hint: error.hint() };
    overview.graph.select(&facts, &words, &exclude).map_err(wrong)
}

fn path(look: &Look, tasks: &[NodeId]) -> Option<CriticalPath> {
    let graph = &look.overview.graph;
    let seconds: Vec<f64> = look.overview.expected_seconds().iter().map(|one| one.unwrap_or(0.0)).collect();
    let path = graph.critical_path(&seconds, &graph.mark(tasks));
    (path.seconds > 0.0).then_some(path)
}

/// The tasks that a selection means, as `barncat graph --output json` prints them.
pub(in crate::serve) fn json(look: &Look, select: &str) -> Result<Value, ViewError> {
    let tasks = select_tasks(look, select)?;
    let (expected, results) = (look.overview.expected_seconds(), look.overview.results());
    let unreachable = HashMap::new();
    let view =
        render::View::new(&look.overview.graph, &tasks, &expected, &results).with_unreachable(&unreachable);
    Ok(render::json(&view))
}
