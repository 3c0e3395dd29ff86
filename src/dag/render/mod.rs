//! The graph, or a part of it, for people and for programs. A name is text in all of them, never
//! markup.

mod dot;
mod json;
mod mermaid;
mod text;

use std::collections::HashMap;

pub use self::{dot::dot, json::json, mermaid::mermaid, text::text};
use super::{CriticalPath, Edge, Graph, NodeId, hanging_seconds};
use crate::event::TaskStatus;

/// What is shown.
#[derive(Debug)]
pub struct View<'a> {
    graph: &'a Graph,
    tasks: Vec<NodeId>,
    selected: Vec<bool>,
    expected: &'a [Option<f64>],
    results: &'a HashMap<NodeId, TaskStatus>,
    /// Tasks that no run can do as things stand, and why.
    unreachable: HashMap<NodeId, &'a str>,
    path: CriticalPath,
    hanging: Vec<f64>,
}

impl<'a> View<'a> {
    /// The selected tasks, with their expected seconds by their numbers, and with how they ended the
    /// last time.
    pub fn new(
        graph: &'a Graph,
        tasks: &[NodeId],
        expected: &'a [Option<f64>],
        results: &'a HashMap<NodeId, TaskStatus>,
    ) -> Self {
        let selected = graph.mark(tasks);
        let seconds: Vec<f64> = expected.iter().map(|seconds| seconds.unwrap_or(0.0)).collect();
        let path = graph.critical_path(&seconds, &selected);
        let hanging = hanging_seconds(graph, &seconds, &selected);
        let tasks = graph.tasks().filter(|task| selected[task.index()]).collect();
        let unreachable = HashMap::new();
        Self { graph, tasks, selected, expected, results, unreachable, path, hanging }
    }

    /// The same with the tasks that no run can do as things stand, and why.
    pub fn with_unreachable(mut self, unreachable: &'a HashMap<NodeId, String>) -> Self {
        self.unreachable = unreachable.iter().map(|(task, why)| (*task, why.as_str())).collect();
        self
    }

    /// The critical path of what is shown.
    pub fn critical_path(&self) -> &CriticalPath {
        &self.path
    }

    /// Whether times are known at all: without them no path is longer than another.
    fn has_times(&self) -> bool {
        self.path.seconds > 0.0
    }

    fn is_on_path(&self) -> Vec<bool> {
        let steps: Vec<NodeId> = match self.has_times() {
            true => self.path.steps.iter().map(|step| step.task).collect(),
            false => Vec::new(),
        };
        self.graph.mark(&steps)
    }

    /// What a task needs of what is shown.
    fn shown_needs(&self, task: NodeId) -> impl Iterator<Item = &'a Edge> {
        self.graph.needs(task).iter().filter(|edge| self.selected[edge.task.index()])
    }
}

#[cfg(test)]
mod tests;
