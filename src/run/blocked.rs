//! Who cannot run, and why: in words, and foreseen before a run.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::{
    ready::{Before, Blocked, End, Limits, Scheduler, Why},
    tasks::Tasks,
};
use crate::{
    clock::{self, Clock},
    dag::NodeId,
    error::{Class, Failure},
    sql::TableName,
    warehouse::LedgerRow,
};

/// A blocked task as a failure: what went wrong first, and what unblocks it.
pub(super) fn failure(blocked: &Blocked, tasks: &Tasks) -> Failure {
    in_words(blocked, tasks, "failed")
}

fn in_words(blocked: &Blocked, tasks: &Tasks, failed: &str) -> Failure {
    let task = tasks.job(blocked.task).name();
    let cause = tasks.job(blocked.cause.task).name();
    let through = tasks.job(blocked.through).name();
    let what = match blocked.cause.why {
        Why::Failed => format!("{cause} {failed}"),
        Why::Cancelled => format!("{cause} was stopped"),
        Why::NeverPublished => format!("{cause} was never published, and is not of this run"),
        Why::TooOld { age, max_age } => format!(
            "the published data of {cause} is {} old, and {} is the most",
            in_hours(age),
            in_hours(max_age)
        ),
    };
    let mut message = if through == cause { what } else { format!("{what}; between them stands {through}") };
    let edge = tasks.graph.needs(blocked.task).iter().find(|edge| edge.task == blocked.through);
    let is_told = matches!(blocked.cause.why, Why::TooOld { .. }) && through == cause;
    if let (Some(age), Some(max_age)) = (blocked.too_old, edge.and_then(|edge| edge.way.max_age()))
        && !is_told
    {
        let (age, max_age) = (in_hours(age), in_hours(max_age));
        message += &format!("; the published data of {through} is {age} old, and {max_age} is the most");
    }
    let hint = match blocked.cause.why {
        Why::Failed => {
            format!("`barncat why {cause}` tells why; once it is mended, `barncat run --failed` does both")
        }
        Why::Cancelled => "`barncat run --resume` goes on with the run".to_owned(),
        Why::NeverPublished | Why::TooOld { .. } => {
            format!(
                "`barncat run +{task}` brings what it needs too, unless that is held: `barncat why {cause}`"
            )
        }
    };
    Failure { class: Class::Passing, message, hint: Some(hint) }
}

/// Who would be blocked in a run of the `selected` tasks, if these ended so and all others went well.
pub(super) fn foreseen(
    tasks: &Tasks,
    selected: &[NodeId],
    published: &BTreeMap<TableName, LedgerRow>,
    ended: &[(NodeId, End)],
) -> HashMap<NodeId, Failure> {
    let (now, expected_seconds) = (clock::System.now(), tasks.expected_seconds());
    let published = tasks.as_of(published);
    let before = Before { expected_seconds: &expected_seconds, published: &published, ended };
    let mut scheduler = Scheduler::new(&tasks.graph, selected, before, &Limits::default());
    let mut foreseen = HashMap::new();
    loop {
        let next = scheduler.next(now);
        for blocked in &next.blocked {
            let mut failure = in_words(blocked, tasks, "cannot be done");
            if blocked.cause.why == Why::Failed {
                // It did not fail yet; why it would is told of itself.
                failure.hint = None;
            }
            foreseen.insert(blocked.task, failure);
        }
        if next.starts.is_empty() {
            return foreseen;
        }
        for start in next.starts {
            scheduler.ended(start.task, End::Succeeded(Some(now)));
        }
    }
}

fn in_hours(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{} s", span.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
