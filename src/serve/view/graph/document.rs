//! What a graph's JSON answers, for the API's description.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A graph.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(in crate::serve) struct GraphDocument {
    /// In the order of their names.
    tasks: Vec<GraphTask>,
    /// The tasks that decide how long all of them take; `null` where no times are known.
    critical_path: Option<GraphPath>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct GraphTask {
    /// Its full name.
    task: String,
    /// `load`, `model`, `check` or `command`.
    kind: String,
    /// `critical` or `optional`.
    tier: String,
    /// Why it is critical.
    critical_by: Option<CriticalBy>,
    /// The source that it reads.
    source: Option<String>,
    /// Its tags.
    tags: Vec<String>,
    /// What it needs.
    needs: Vec<GraphNeed>,
    /// How it ended the last time.
    last_status: Option<String>,
    /// Why no run can do it; here always `null`: only who asks the sources knows.
    unreachable: Option<String>,
    /// What it usually takes.
    expected_seconds: Option<f64>,
    /// How long it takes with all that hangs on it.
    hanging_seconds: Option<f64>,
    /// Whether it is of the critical path.
    on_critical_path: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct CriticalBy {
    /// `hand`, `deadline`, `table` or `need`.
    by: String,
    /// By way of which tasks.
    tasks: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct GraphNeed {
    /// Its full name.
    task: String,
    /// Whether the task goes on without it.
    soft: bool,
    /// How old its published data may be then.
    max_age_seconds: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct GraphPath {
    /// How long they take, one after the other.
    seconds: f64,
    /// From the first to the last.
    tasks: Vec<GraphStep>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct GraphStep {
    /// Its full name.
    task: String,
    /// How long after the first one's start it starts.
    starts_after_seconds: f64,
    /// How long it takes.
    seconds: f64,
}
