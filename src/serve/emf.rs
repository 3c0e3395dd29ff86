//! What alarms need, once a minute, in CloudWatch's embedded metric format: a line of the log of which CloudWatch Logs
//! makes metrics. Nothing is asked of AWS, and no right is needed.
//!
//! Each name with its dimensions is a metric that is paid for, so there is one dimension, the project, and a figure is
//! here only if somebody would be called for it, or looks at it first when he is. What is known by table is in `/metrics`.
//!
//! The form: "Specification: Embedded metric format" in CloudWatch's user's guide.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Figures,
    health::Role,
    http::State,
    metrics::{Counted, Sums, resident_memory},
    view::{self, Deadline, Look, Task, incidents},
};
use crate::clock::{Clock, System};

/// How often: CloudWatch keeps one figure a minute.
const EVERY: Duration = Duration::from_secs(60);

/// How soon again, where it is not known yet who leads.
const SOON: Duration = Duration::from_secs(1);

/// What the metrics' names are under.
const NAMESPACE: &str = "barncat";

/// A figure: its name, its unit by CloudWatch's words, its value.
type Figure = (&'static str, &'static str, f64);

/// Tells them until the service ends. Who leads tells all of it, who stands by nothing; a control database that does not
/// answer is told by each.
pub(super) async fn tell(state: State, figures: Figures, ended: CancellationToken) {
    // Its own, so that what readers ask for is not missing here.
    let counted = Counted::default();
    let mut before = Sums::default();
    loop {
        let role = state.shared.health.role();
        let found = match role {
            Role::Starting | Role::Stopping => None,
            Role::Leader | Role::Standby => match reached(&state).await {
                None => Some(vec![("ControlReachable", "Count", 0.0)]),
                Some(_) if role == Role::Standby => None,
                Some(look) => {
                    if let Err(error) = counted.count(&look.control).await {
                        tracing::debug!(%error, "what ended was not counted");
                    }
                    let sums = counted.sums();
                    let mut found = of_the_project(&look);
                    found.extend(of_the_minute(sums, before));
                    before = sums;
                    Some(found)
                }
            },
        };
        if let Some(found) = found {
            figures(&document(&state.shared.project().name, System.now(), found));
        }
        tokio::select! {
            () = ended.cancelled() => return,
            () = sleep(if role == Role::Starting { SOON } else { EVERY }) => {}
        }
    }
}

/// How all stands, if the control database answers.
async fn reached(state: &State) -> Option<Look> {
    match state.look().await {
        Ok(look) => Some(look).filter(|look| look.trouble.is_none()),
        Err(error) => {
            tracing::debug!(error = %view::failure(&error), "figures without the control database");
            None
        }
    }
}

fn of_the_project(look: &Look) -> Vec<Figure> {
    let overview = &look.overview;
    let deadlines: Vec<Deadline> =
        overview.deadlines.iter().map(|shown| Deadline::of(shown, look.now)).collect();
    let in_state = |state: &str| deadlines.iter().filter(|deadline| deadline.state == state).count() as f64;
    let open = incidents(overview);
    let critical = open.iter().filter(|incident| incident.tier == "critical").count();
    let mut found = vec![
        ("Leads", "Count", 1.0),
        ("ControlReachable", "Count", 1.0),
        ("DeadlinesInDanger", "Count", in_state("in_danger")),
        ("DeadlinesMissed", "Count", in_state("missed")),
        ("CriticalIncidents", "Count", critical as f64),
        ("OptionalIncidents", "Count", (open.len() - critical) as f64),
    ];
    let age = |task: Task| {
        let published = (task.tier == "critical").then_some(task.published_at).flatten()?;
        Some(look.now.duration_since(published).as_secs_f64())
    };
    let oldest = overview.tasks.iter().filter_map(|task| age(Task::of(task))).reduce(f64::max);
    found.extend(oldest.map(|age| ("OldestCriticalTable", "Seconds", age)));
    let lag = overview.tasks.iter().filter_map(|task| Task::of(task).lag_seconds).reduce(f64::max);
    found.extend(lag.map(|lag| ("SourceLag", "Seconds", lag)));
    found.extend(resident_memory().map(|bytes| ("Memory", "Bytes", bytes)));
    found
}

/// What came since the last time.
fn of_the_minute(now: Sums, before: Sums) -> [Figure; 4] {
    let more = |now: u64, before: u64| now.saturating_sub(before) as f64;
    [
        ("FailedRuns", "Count", more(now.failed_runs, before.failed_runs)),
        ("FailedTasks", "Count", more(now.failed_tasks, before.failed_tasks)),
        ("PublishedRows", "Count", more(now.rows, before.rows)),
        ("StagedBytes", "Bytes", more(now.bytes, before.bytes)),
    ]
}

/// One line, whole: what is a metric of it, and what is not.
fn document(project: &str, at: Timestamp, figures: Vec<Figure>) -> Value {
    let metrics: Vec<Value> =
        figures.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [
            {"Namespace": NAMESPACE, "Dimensions": [["Project"]], "Metrics": metrics}]}),
    );
    line.insert("Project".to_owned(), Value::String(dimension(project)));
    line.insert("Version".to_owned(), Value::String(env!("CARGO_PKG_VERSION").to_owned()));
    line.extend(figures.into_iter().map(|(name, _, value)| (name.to_owned(), json!(value))));
    Value::Object(line)
}

/// A dimension's value, as CloudWatch takes it: ASCII that can be seen, not all of it blank, not `:` in front.
fn dimension(text: &str) -> String {
    let seen = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    let text: String = text.chars().map(seen).take(255).collect();
    match text.strip_prefix(':') {
        Some(rest) => format!("?{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests;
