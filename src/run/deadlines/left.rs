//! What the last runs left undone, where none works for a deadline now.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::{idle::with_needs, judge::Outlook};
use crate::{
    config::Due,
    control::{Control, ControlError},
    dag::{Graph, NodeId},
    event::TaskStatus,
    run::{
        ready::{Cause, Why},
        tasks::{Tasks, status_of},
    },
};

/// How tasks ended last, and when.
pub(super) type LastEnds = HashMap<NodeId, (TaskStatus, Timestamp)>;

/// Of some tasks, and of all that they need.
pub(super) async fn last_ends(
    control: &Control,
    tasks: &Tasks,
    some: &[NodeId],
) -> Result<LastEnds, ControlError> {
    let all = with_needs(&tasks.graph, some);
    let names: Vec<String> = all.iter().map(|task| tasks.job(*task).name()).collect();
    let last = control.last_ends(&names).await?;
    let of = |(task, name): (NodeId, &String)| {
        let (status, at) = last.get(name)?;
        Some((task, (status_of(status)?, *at)))
    };
    Ok(all.into_iter().zip(&names).filter_map(of).collect())
}

/// What the last run that counts for a deadline could not do: it says so too, and it stays true until another run begins.
pub(super) fn lost(ends: &LastEnds, graph: &Graph, task: NodeId, due: Due) -> Option<Outlook> {
    let ended = |task: NodeId| ends.get(&task).filter(|(_, at)| *at >= due.since).map(|(status, _)| *status);
    match ended(task)? {
        TaskStatus::Failed => Some(Outlook::Lost { cause: None }),
        TaskStatus::Blocked => {
            let (mut seen, mut next) = (BTreeSet::new(), vec![task]);
            while let Some(task) = next.pop() {
                if ended(task) == Some(TaskStatus::Failed) {
                    return Some(Outlook::Lost { cause: Some(Cause { task, why: Why::Failed }) });
                }
                if seen.insert(task) {
                    next.extend(graph.needs(task).iter().map(|edge| edge.task));
                }
            }
            None
        }
        _ => None,
    }
}
