//! An order in which each task comes after all that it needs; or the cycles that let there be none.

use std::collections::{BTreeMap, VecDeque};

use super::{GraphError, Node, NodeId, edges::Edges};

/// The order; or one cycle for each set of tasks that all need each other.
pub(super) fn order(needs: &Edges, needed_by: &Edges) -> Result<Vec<NodeId>, Vec<Vec<NodeId>>> {
    let all = || (0..needs.len()).map(NodeId::new);
    let mut waiting: Vec<usize> = all().map(|task| needs.of(task).len()).collect();
    let mut order: Vec<NodeId> = all().filter(|task| waiting[task.index()] == 0).collect();
    let mut done = 0;
    while let Some(task) = order.get(done).copied() {
        done += 1;
        for edge in needed_by.of(task) {
            waiting[edge.task.index()] -= 1;
            if waiting[edge.task.index()] == 0 {
                order.push(edge.task);
            }
        }
    }
    if order.len() == needs.len() {
        return Ok(order);
    }
    Err(cycles(needs, needed_by, waiting.iter().map(|waiting| *waiting > 0).collect()))
}

/// Among the tasks that are left: those of cycles, and those that need one.
fn cycles(needs: &Edges, needed_by: &Edges, mut left: Vec<bool>) -> Vec<Vec<NodeId>> {
    let mut cycles = Vec::new();
    for task in (0..needs.len()).map(NodeId::new) {
        if !left[task.index()] {
            continue;
        }
        let ahead = reached(needs, task, &left);
        if let Some(cycle) = way_back(task, &ahead) {
            let behind = reached(needed_by, task, &left);
            // What is ahead and behind is of the same knot: told once.
            for other in ahead.keys().filter(|other| behind.contains_key(other)) {
                left[other.index()] = false;
            }
            cycles.push(cycle);
        }
        left[task.index()] = false;
    }
    cycles
}

/// All tasks that are reached by one step or more, each with the one before it on a shortest way.
fn reached(edges: &Edges, from: NodeId, left: &[bool]) -> BTreeMap<NodeId, NodeId> {
    let mut before = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(task) = queue.pop_front() {
        for edge in edges.of(task).iter().filter(|edge| left[edge.task.index()]) {
            before.entry(edge.task).or_insert_with(|| {
                queue.push_back(edge.task);
                task
            });
        }
    }
    before
}

/// From a task by what it needs back to it: `[a, b, a]`.
fn way_back(task: NodeId, before: &BTreeMap<NodeId, NodeId>) -> Option<Vec<NodeId>> {
    let mut way = vec![task, *before.get(&task)?];
    while let Some(last) = way.last().filter(|last| **last != task) {
        way.push(before[last]);
    }
    way.reverse();
    Some(way)
}

/// A cycle as an error.
pub(super) fn error(nodes: &[Node], needs: &Edges, cycle: &[NodeId]) -> GraphError {
    let first = &nodes[cycle[0].index()];
    let mut path = first.name.to_string();
    for pair in cycle.windows(2) {
        let is_hard = needs.of(pair[0]).iter().any(|edge| edge.task == pair[1] && edge.way.is_hard());
        path.push_str(if is_hard { " → " } else { " ⇢ " });
        path.push_str(&nodes[pair[1].index()].name.to_string());
    }
    GraphError::Cycle { task: first.name.clone(), path, place: first.place.clone() }
}
