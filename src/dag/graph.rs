//! The graph: every name resolved, no cycle, tiers known.

use super::{
    Critical, Edge, GraphError, MayExist, Node, TaskName, cycle,
    edges::Edges,
    resolve::Names,
    tier::{self, Tiers},
};
use crate::event::Tier;

/// A task of one graph: its number in the order of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The task of this number.
    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a project has fewer than four thousand million tasks"))
    }

    /// Its number, from 0: the place of what is known of it in a list of all tasks.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All tasks of a project. Tasks are numbered in the order of their names, so that the same project
/// always gives the same graph.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: Vec<Node>,
    needs: Edges,
    needed_by: Edges,
    order: Vec<NodeId>,
    tiers: Tiers,
}

impl Graph {
    /// Resolves all names. `may_exist`: a table that no task makes as far as is known, but that one
    /// may make: a loader's wildcard before its source was asked. Answers with every error there is,
    /// in the order of their places.
    pub fn build(nodes: Vec<Node>, may_exist: MayExist<'_>) -> Result<Self, Vec<GraphError>> {
        let mut errors = Vec::new();
        let nodes = in_order(nodes, &mut errors);
        let needs = {
            let names = Names::new(&nodes, may_exist, &mut errors);
            Edges::new((0..nodes.len()).map(|index| names.edges(NodeId::new(index), &mut errors)))
        };
        let needed_by = needs.reversed();
        let order = cycle::order(&needs, &needed_by).unwrap_or_else(|cycles| {
            errors.extend(cycles.iter().map(|cycle| cycle::error(&nodes, &needs, cycle)));
            Vec::new()
        });
        let tiers = Tiers::new(&nodes, &needs);
        errors.extend(tier::contradictions(&nodes, &tiers));
        let graph = Self { nodes, needs, needed_by, order, tiers };
        if errors.is_empty() {
            return Ok(graph);
        }
        errors.sort_by(|a, b| a.place().cmp(b.place()));
        Err(errors)
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All tasks, in the order of their names.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId::new)
    }

    /// All tasks, each after all that it needs.
    pub fn in_order(&self) -> &[NodeId] {
        &self.order
    }

    /// What a task says of itself.
    pub fn node(&self, task: NodeId) -> &Node {
        &self.nodes[task.index()]
    }

    /// A task's full name.
    pub fn name(&self, task: NodeId) -> &TaskName {
        &self.nodes[task.index()].name
    }

    /// The task of a full name.
    pub fn find(&self, name: &TaskName) -> Option<NodeId> {
        let halves = name.halves();
        self.nodes.binary_search_by(|node| node.name.halves().cmp(&halves)).ok().map(NodeId::new)
    }

    /// What a task needs, by hard and soft edges, in the order of the names.
    pub fn needs(&self, task: NodeId) -> &[Edge] {
        self.needs.of(task)
    }

    /// What needs a task, in the order of the names.
    pub fn needed_by(&self, task: NodeId) -> &[Edge] {
        self.needed_by.of(task)
    }

    /// A task's tier, with what its dependents make of it.
    pub fn tier(&self, task: NodeId) -> Tier {
        self.tiers.tier(task)
    }

    /// Why a task is critical, if it is.
    pub fn critical(&self, task: NodeId) -> Option<Critical> {
        self.tiers.critical(task)
    }
}

/// By name; of two of one name the first in the project's text.
fn in_order(nodes: Vec<Node>, errors: &mut Vec<GraphError>) -> Vec<Node> {
    // Their places are sorted, and each node is moved once: nodes are large.
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    let by_name = |a: &Node, b: &Node| a.name.cmp(&b.name).then_with(|| a.place.cmp(&b.place));
    order.sort_by(|a, b| by_name(&nodes[*a], &nodes[*b]));
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let mut nodes: Vec<Node> = order.into_iter().filter_map(|place| nodes[place].take()).collect();
    nodes.dedup_by(|later, first| {
        let is_double = later.name == first.name;
        if is_double {
            let places = [first.place.clone(), later.place.clone()];
            errors.push(GraphError::TwoOfOneName { name: first.name.clone(), places });
        }
        is_double
    });
    nodes
}

#[cfg(test)]
mod tests;
