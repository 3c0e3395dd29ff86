//! For programs.

use serde_json::{Value, json};

use super::View;
use crate::dag::{Critical, Edge, NodeId, words};

/// One object: `tasks` in the order of their names, each with all that it needs, and `critical_path`
/// (`null` where no times are known).
pub fn json(view: &View<'_>) -> Value {
    let on_path = view.is_on_path();
    let name = |task: NodeId| view.graph.name(task).to_string();
    let need = |edge: &Edge| {
        json!({
            "task": name(edge.task),
            "soft": !edge.way.is_hard(),
            "max_age_seconds": edge.way.max_age().map(|age| age.as_secs()),
        })
    };
    let critical = |task: NodeId| match view.graph.critical(task)? {
        Critical::ByHand => Some(json!({"by": "hand", "tasks": []})),
        Critical::ByDeadline => Some(json!({"by": "deadline", "tasks": []})),
        Critical::AsTable(table) => Some(json!({"by": "table", "tasks": [name(table)]})),
        Critical::NeededBy(way) => {
            let tasks: Vec<String> = way.into_iter().map(name).collect();
            Some(json!({"by": "need", "tasks": tasks}))
        }
    };
    let task = |task: &NodeId| {
        let node = view.graph.node(*task);
        json!({
            "task": name(*task),
            "kind": node.kind.as_str(),
            "tier": words::of_tier(view.graph.tier(*task)),
            "critical_by": critical(*task),
            "source": node.source,
            "tags": node.tags,
            "needs": view.graph.needs(*task).iter().map(need).collect::<Vec<_>>(),
            "last_status": view.results.get(task).map(|status| words::of_status(*status)),
            "unreachable": view.unreachable.get(task),
            "expected_seconds": view.expected[task.index()],
            "hanging_seconds": view.has_times().then(|| view.hanging[task.index()]),
            "on_critical_path": on_path[task.index()],
        })
    };
    let step = |step: &crate::dag::PathStep| {
        json!({
            "task": name(step.task),
            "starts_after_seconds": step.starts_after_seconds,
            "seconds": step.seconds,
        })
    };
    let path = view.has_times().then(|| {
        let steps: Vec<Value> = view.path.steps.iter().map(step).collect();
        json!({"seconds": view.path.seconds, "tasks": steps})
    });
    json!({"tasks": view.tasks.iter().map(task).collect::<Vec<_>>(), "critical_path": path})
}
