//! How much may be done at once, and what is kept free for what matters.

use std::collections::HashMap;

use super::Limits;
use crate::dag::{Graph, NodeId};

/// The slots of all tasks, and those of each source with a limit.
#[derive(Debug)]
pub(super) struct Slots {
    all: Slot,
    sources: Vec<Slot>,
    /// By the tasks' numbers: 0, or the number of the source's slots, from 1.
    lanes: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    limit: usize,
    /// How many are kept for urgent tasks while so many have not started.
    reserve: usize,
    running: usize,
    urgent_waiting: usize,
}

impl Slots {
    pub(super) fn new(graph: &Graph, limits: &Limits) -> Self {
        let mut lanes_of: HashMap<&str, u32> = HashMap::new();
        let mut sources = Vec::new();
        let lane = |task: NodeId| {
            let Some(source) = graph.node(task).source.as_deref() else { return 0 };
            let Some(limit) = limits.sources.get(source) else { return 0 };
            *lanes_of.entry(source).or_insert_with(|| {
                sources.push(Slot::new(*limit, 1));
                u32::try_from(sources.len()).expect("there are fewer sources than tasks")
            })
        };
        let lanes = graph.tasks().map(lane).collect();
        Self { all: Slot::new(limits.jobs, (limits.jobs / 4).max(1)), sources, lanes }
    }

    /// How many queues there are: one of each source with a limit, and one of all other tasks.
    pub(super) fn lanes(&self) -> usize {
        self.sources.len() + 1
    }

    pub(super) fn lane(&self, task: NodeId) -> usize {
        self.lanes[task.index()] as usize
    }

    /// Whether a task of this queue may start.
    pub(super) fn admits(&self, lane: usize, is_urgent: bool) -> bool {
        let of_source = lane.checked_sub(1).and_then(|source| self.sources.get(source));
        self.all.admits(is_urgent) && of_source.is_none_or(|slot| slot.admits(is_urgent))
    }

    /// An urgent task of the run, which has not started yet.
    pub(super) fn expect_urgent(&mut self, task: NodeId) {
        self.each(task, |slot| slot.urgent_waiting += 1);
    }

    /// It starts, or never will.
    pub(super) fn forget_urgent(&mut self, task: NodeId) {
        self.each(task, |slot| slot.urgent_waiting -= 1);
    }

    pub(super) fn take(&mut self, task: NodeId) {
        self.each(task, |slot| slot.running += 1);
    }

    pub(super) fn give_back(&mut self, task: NodeId) {
        self.each(task, |slot| slot.running -= 1);
    }

    fn each(&mut self, task: NodeId, change: impl Fn(&mut Slot)) {
        change(&mut self.all);
        if let Some(source) = self.lane(task).checked_sub(1) {
            change(&mut self.sources[source]);
        }
    }
}

impl Slot {
    fn new(limit: usize, reserve: usize) -> Self {
        // Of a single slot nothing can be kept: the rest would never run.
        let reserve = if limit >= 2 { reserve } else { 0 };
        Self { limit: limit.max(1), reserve, running: 0, urgent_waiting: 0 }
    }

    fn admits(&self, is_urgent: bool) -> bool {
        let kept = if is_urgent { 0 } else { self.reserve.min(self.urgent_waiting) };
        self.running + kept < self.limit
    }
}
