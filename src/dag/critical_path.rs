//! What hangs on what, by the expected times.

use super::{Graph, NodeId};

/// The tasks that decide how long the selection takes, however much is done at once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CriticalPath {
    /// From the first to the last.
    pub steps: Vec<PathStep>,
    /// How long they take, one after the other.
    pub seconds: f64,
    /// How long all selected tasks take, one after the other.
    pub all_seconds: f64,
}

/// A task of the critical path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathStep {
    /// The task.
    pub task: NodeId,
    /// When it starts, counted from the start of the run.
    pub starts_after_seconds: f64,
    /// How long it takes.
    pub seconds: f64,
}

impl CriticalPath {
    /// How long the selection takes at least with so many tasks at once.
    pub fn expected_seconds(&self, jobs: usize) -> f64 {
        let jobs = u32::try_from(jobs.max(1)).unwrap_or(u32::MAX);
        self.seconds.max(self.all_seconds / f64::from(jobs))
    }
}

/// For each task the expected time from its start to the end of the last one that waits for it, over
/// the selected tasks alone; 0 for others. `seconds` and `selected` go by the tasks' numbers.
pub fn hanging_seconds(graph: &Graph, seconds: &[f64], selected: &[bool]) -> Vec<f64> {
    let mut hanging = vec![0.0_f64; graph.len()];
    for task in graph.in_order().iter().rev().filter(|task| selected[task.index()]) {
        let after = graph.needed_by(*task).iter().map(|edge| hanging[edge.task.index()]);
        hanging[task.index()] = seconds[task.index()].max(0.0) + after.fold(0.0, f64::max);
    }
    hanging
}

impl Graph {
    /// The longest way through the selected tasks.
    pub fn critical_path(&self, seconds: &[f64], selected: &[bool]) -> CriticalPath {
        let hanging = hanging_seconds(self, seconds, selected);
        let longest = |tasks: &mut dyn Iterator<Item = NodeId>| {
            let tasks = tasks.filter(|task| selected[task.index()]);
            // Of two of one length the first by name.
            tasks.max_by(|a, b| hanging[a.index()].total_cmp(&hanging[b.index()]).then(b.cmp(a)))
        };
        let own = |task: NodeId| seconds[task.index()].max(0.0);
        let all_seconds = self.tasks().filter(|task| selected[task.index()]).map(own).sum();
        let mut path = CriticalPath { all_seconds, ..CriticalPath::default() };
        let mut next = longest(&mut self.tasks());
        while let Some(task) = next {
            path.steps.push(PathStep { task, starts_after_seconds: path.seconds, seconds: own(task) });
            path.seconds += own(task);
            next = longest(&mut self.needed_by(task).iter().map(|edge| edge.task));
        }
        path
    }

    /// Which tasks are among `selected`, by their numbers.
    pub fn mark(&self, selected: &[NodeId]) -> Vec<bool> {
        let mut marks = vec![false; self.len()];
        selected.iter().for_each(|task| marks[task.index()] = true);
        marks
    }
}

#[cfg(test)]
mod tests {
    use crate::dag::{drawn, hanging_seconds};

    #[test]
    fn the_longest_way_decides() {
        let graph = drawn::graph(&[
            "load raw.a",
            "load raw.b",
            "model m.c: a, b",
            "model m.d: ~c",
            "model m.e: b",
            "check alone",
        ]);
        // In the order of the names: alone, c, d, e, a, b.
        let seconds = [9.0, 2.0, 4.0, 5.0, 3.0, 1.0];
        let all = [true; 6];
        assert_eq!(hanging_seconds(&graph, &seconds, &all), [9.0, 6.0, 4.0, 5.0, 9.0, 7.0]);
        let path = graph.critical_path(&seconds, &all);
        // `alone` takes as long, and comes first by name.
        let steps = |path: &super::CriticalPath| {
            let step =
                |step: &super::PathStep| (graph.name(step.task).name.clone(), step.starts_after_seconds);
            path.steps.iter().map(step).collect::<Vec<_>>()
        };
        assert_eq!(steps(&path), [("alone".to_owned(), 0.0)]);
        let path = graph.critical_path(&seconds, &[false, true, true, true, true, true]);
        assert_eq!(steps(&path), [("a".to_owned(), 0.0), ("c".to_owned(), 3.0), ("d".to_owned(), 5.0)]);
        assert_eq!((path.seconds, path.all_seconds), (9.0, 15.0));
        assert_eq!(path.expected_seconds(1), 15.0);
        assert_eq!(path.expected_seconds(4), 9.0);
        let path = graph.critical_path(&seconds, &[false, true, false, true, false, true]);
        assert_eq!(steps(&path), [("b".to_owned(), 0.0), ("e".to_owned(), 1.0)]);
        assert_eq!(graph.critical_path(&seconds, &[false; 6]), super::CriticalPath::default());
    }
}
