//! Which tasks are critical, and by whom.

use std::collections::VecDeque;

use super::{GraphError, Node, NodeId, TaskName, edges::Edges};
use crate::event::Tier;

/// Why a task is critical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Critical {
    /// It was marked so.
    ByHand,
    /// It has a deadline.
    ByDeadline,
    /// It looks at the table of this critical task.
    AsTable(NodeId),
    /// A critical task cannot go without it: the tasks on the shortest way, from the one that needs
    /// this one itself to the one that is critical by itself.
    NeededBy(Vec<NodeId>),
}

/// The tiers of all tasks.
#[derive(Debug, Clone)]
pub(super) struct Tiers(Vec<Why>);

/// What makes a task's tier; ways are walked only when somebody asks, so that long ones cost nothing.
#[derive(Debug, Clone, Copy)]
enum Why {
    Optional,
    ByHand,
    ByDeadline,
    AsTable(NodeId),
    NeededBy(NodeId),
}

impl Tiers {
    /// Walks from what is critical by itself along hard edges, the nearest first.
    pub(super) fn new(nodes: &[Node], needs: &Edges) -> Self {
        let by_itself = |node: &Node| match node.tier {
            Some(Tier::Critical) => Why::ByHand,
            None | Some(Tier::Optional) if node.has_deadline => Why::ByDeadline,
            None | Some(Tier::Optional) => Why::Optional,
        };
        let mut tiers = Self(nodes.iter().map(by_itself).collect());
        let all = (0..nodes.len()).map(NodeId::new);
        let mut queue: VecDeque<NodeId> = all.filter(|task| tiers.tier(*task) == Tier::Critical).collect();
        while let Some(task) = queue.pop_front() {
            for edge in needs.of(task).iter().filter(|edge| edge.way.is_hard()) {
                if tiers.tier(edge.task) == Tier::Optional {
                    tiers.0[edge.task.index()] = Why::NeededBy(task);
                    queue.push_back(edge.task);
                }
            }
        }
        // Last, so that what only looks makes nothing critical.
        for (place, node) in nodes.iter().enumerate() {
            let Some(table) = node.tier_of.as_ref().map(TaskName::halves) else { continue };
            let found = nodes.binary_search_by(|other| other.name.halves().cmp(&table));
            if let Ok(found) = found.map(NodeId::new)
                && tiers.tier(found) == Tier::Critical
            {
                tiers.0[place] = Why::AsTable(found);
            }
        }
        tiers
    }

    pub(super) fn tier(&self, task: NodeId) -> Tier {
        match self.0[task.index()] {
            Why::Optional => Tier::Optional,
            Why::ByHand | Why::ByDeadline | Why::AsTable(_) | Why::NeededBy(_) => Tier::Critical,
        }
    }

    pub(super) fn critical(&self, task: NodeId) -> Option<Critical> {
        match self.0[task.index()] {
            Why::Optional => None,
            Why::ByHand => Some(Critical::ByHand),
            Why::ByDeadline => Some(Critical::ByDeadline),
            Why::AsTable(table) => Some(Critical::AsTable(table)),
            Why::NeededBy(_) => Some(Critical::NeededBy(self.way(task))),
        }
    }

    fn way(&self, mut task: NodeId) -> Vec<NodeId> {
        let mut way = Vec::new();
        while let Why::NeededBy(by) = self.0[task.index()] {
            way.push(by);
            task = by;
        }
        way
    }
}

/// Tasks that are optional by hand and critical by what others make of them.
pub(super) fn contradictions(nodes: &[Node], tiers: &Tiers) -> Vec<GraphError> {
    let by_hand = nodes.iter().enumerate().filter(|(_, node)| node.tier == Some(Tier::Optional));
    let error = |(index, node): (usize, &Node)| {
        let (task, place) = (node.name.clone(), node.place.clone());
        match tiers.critical(NodeId::new(index))? {
            Critical::ByHand | Critical::AsTable(_) => None,
            Critical::ByDeadline => Some(GraphError::OptionalWithDeadline { task, place }),
            Critical::NeededBy(way) => {
                let name = |id: &NodeId| nodes[id.index()].name.clone();
                let (by, critical) = (name(way.first()?), name(way.last()?));
                let mut path: Vec<String> = way.iter().rev().map(|id| name(id).to_string()).collect();
                path.push(task.to_string());
                Some(GraphError::OptionalNeeded { task, critical, by, path: path.join(" → "), place })
            }
        }
    };
    by_hand.filter_map(error).collect()
}
