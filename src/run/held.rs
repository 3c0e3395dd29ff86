//! Why a task waits: somebody else holds its lock, or a person put it on hold.

use std::collections::BTreeMap;

use crate::{
    control::{Control, ControlError, Hold},
    error::{Class, Failure},
};

/// Why each of these tasks waits, which are done together or not at all; `None`: no person holds any.
pub(super) async fn by_people(
    control: &Control,
    tasks: &[String],
) -> Result<Option<BTreeMap<String, Failure>>, ControlError> {
    let holds = control.holds().await?;
    let of = |task: &String| holds.iter().find(|hold| hold.task == *task);
    let Some(first) = tasks.iter().find_map(of) else { return Ok(None) };
    let why = |task: &String| match of(task) {
        Some(hold) => on_hold(hold),
        None => beside(first),
    };
    Ok(Some(tasks.iter().map(|task| (task.clone(), why(task))).collect()))
}

/// A task on hold.
fn on_hold(hold: &Hold) -> Failure {
    held(hold.to_string(), format!("`barncat release {}` lets it go", hold.task))
}

/// A task that must match one that is on hold.
fn beside(hold: &Hold) -> Failure {
    let task = &hold.task;
    held(
        format!("it must match {task}, which is {hold}"),
        format!("`barncat release {task}` lets both go; named alone, it is loaded without the other"),
    )
}

/// Why tasks wait one of whose locks was not to be had.
pub(super) async fn by_locks(control: &Control, tasks: &[String]) -> BTreeMap<String, Failure> {
    let mut who = None;
    for task in tasks {
        // Who it was is told if it can be; that it was held is known.
        let found = control.who_holds(&format!("task/{task}")).await.ok().flatten();
        who = who.or(found.map(|found| (task, found)));
    }
    let message = match who {
        Some((task, by)) => {
            format!("{by}, holds the lock of {task}")
        }
        None => "another run held its lock".to_owned(),
    };
    let why = held(message, "`barncat status` shows what is running".to_owned());
    tasks.iter().map(|task| (task.clone(), why.clone())).collect()
}

fn held(message: String, hint: String) -> Failure {
    Failure { class: Class::Held, message, hint: Some(hint) }
}
