//! Which task needs which: all edges in one list, and where each task's begin.

use std::time::Duration;

use super::NodeId;

/// One end of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The task at the other end.
    pub task: NodeId,
    /// How it is needed.
    pub way: Way,
}

/// How a task is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing goes without it.
    Hard,
    /// It is waited for; if it fails, its last published data serves.
    Soft {
        /// If it is not older than this.
        max_age: Option<Duration>,
    },
}

impl Way {
    /// Whether nothing goes without it.
    pub fn is_hard(self) -> bool {
        self == Self::Hard
    }

    /// How old published data may be.
    pub fn max_age(self) -> Option<Duration> {
        match self {
            Self::Hard => None,
            Self::Soft { max_age } => max_age,
        }
    }
}

/// The edges of all tasks in one direction.
#[derive(Debug, Clone)]
pub(super) struct Edges {
    /// Where each task's edges begin, and where the last ones end.
    starts: Vec<u32>,
    all: Vec<Edge>,
}

impl Edges {
    /// From a list for each task, in their order.
    pub(super) fn new(lists: impl Iterator<Item = Vec<Edge>>) -> Self {
        let mut edges = Self { starts: vec![0], all: Vec::new() };
        for list in lists {
            edges.all.extend(list);
            edges.starts.push(short(edges.all.len()));
        }
        edges
    }

    pub(super) fn of(&self, task: NodeId) -> &[Edge] {
        let at = |index: usize| self.starts[index] as usize;
        &self.all[at(task.index())..at(task.index() + 1)]
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The same edges seen from their other ends.
    pub(super) fn reversed(&self) -> Self {
        let mut starts = vec![0_u32; self.len() + 1];
        for edge in &self.all {
            starts[edge.task.index() + 1] += 1;
        }
        for index in 0..self.len() {
            starts[index + 1] += starts[index];
        }
        let mut free = starts.clone();
        let mut all = self.all.clone();
        for task in (0..self.len()).map(NodeId::new) {
            for edge in self.of(task) {
                let place = &mut free[edge.task.index()];
                all[*place as usize] = Edge { task, way: edge.way };
                *place += 1;
            }
        }
        Self { starts, all }
    }
}

fn short(length: usize) -> u32 {
    u32::try_from(length).expect("a project has fewer than four thousand million edges")
}
