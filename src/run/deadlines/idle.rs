//! How long a task takes that no run does, with all that it needs.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::forecast::{Picture, forecast};
use crate::dag::{Graph, NodeId};

/// How long it would take from now. `None`: it could not be done.
pub(super) fn takes_seconds(picture: &Picture<'_>, task: NodeId, now: Timestamp) -> Option<f64> {
    let (selected, standings) = (with_needs(picture.graph, &[task]), BTreeMap::new());
    let all = Picture { selected: &selected, standings: &standings, ..*picture };
    let span = forecast(&all, now).of(task).span()?;
    Some(span.end.duration_since(now).as_secs_f64())
}

/// Tasks and all that they need.
pub(super) fn with_needs(graph: &Graph, tasks: &[NodeId]) -> Vec<NodeId> {
    let mut marks = graph.mark(tasks);
    for task in graph.in_order().iter().rev() {
        if marks[task.index()] {
            graph.needs(*task).iter().for_each(|edge| marks[edge.task.index()] = true);
        }
    }
    graph.tasks().filter(|task| marks[task.index()]).collect()
}
