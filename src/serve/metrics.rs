//! What is measured, in the text form of OpenMetrics, which Prometheus reads.
//!
//! Gauges are what the dashboard shows at the same moment. Counters count what ended since the process began, whoever
//! did it, by the control database: so they agree with it, and two services count the same.

mod process;

pub(super) use self::process::resident_memory;

use std::{
    fmt,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::time::Instant;

use crate::{
    control::{Control, ControlError, EndedRuns, EndedTasks},
    serve::view::{Check, Deadline, Look, Task, checks, incidents},
};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter<u64, AtomicU64>>;
type Seconds = Family<Labels, Counter<f64, AtomicU64>>;

/// What ended since the process began.
pub(super) struct Counted {
    /// When that was.
    begun: Instant,
    /// Up to when the control database was asked.
    until: Mutex<Option<Timestamp>>,
    /// One at a time, so that nothing is counted twice.
    counting: tokio::sync::Mutex<()>,
    runs: Counters,
    tasks: Counters,
    rows: Counters,
    bytes: Counters,
    seconds: Seconds,
}

impl Default for Counted {
    fn default() -> Self {
        let (until, counting, runs, tasks, rows, bytes, seconds) = Default::default();
        Self { begun: Instant::now(), until, counting, runs, tasks, rows, bytes, seconds }
    }
}

impl Counted {
    /// Adds what has ended since the last time.
    pub(super) async fn count(&self, control: &Control) -> Result<(), ControlError> {
        let _guard = self.counting.lock().await;
        let since = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = control.ended_since(since, self.begun.elapsed()).await?;
        for EndedRuns { status, count } in &ended.runs {
            self.runs.get_or_create(&vec![("status", status.clone())]).inc_by(*count);
        }
        for EndedTasks { kind, tier, status, count, rows, bytes, seconds } in &ended.tasks {
            let labels = vec![("kind", kind.clone()), ("tier", tier.clone()), ("status", status.clone())];
            self.tasks.get_or_create(&labels).inc_by(*count);
            self.seconds.get_or_create(&vec![("kind", kind.clone())]).inc_by(*seconds);
            if status == "succeeded" {
                self.rows.get_or_create(&vec![("kind", kind.clone())]).inc_by(*rows);
                self.bytes.get_or_create(&vec![("kind", kind.clone())]).inc_by(*bytes);
            }
        }
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended.until);
        Ok(())
    }
}

impl Counted {
    fn register(&self, registry: &mut Registry) {
        let mut counter = |name: &str, labels: &'static [&'static str], help: &str, family: Counters| {
            #[cfg(test)]
            reference::note(name, "counter", labels, help);
            let _ = labels;
            registry.register(name, help, family);
        };
        counter("runs", &["status"], "Runs that ended", self.runs.clone());
        counter("tasks", &["kind", "tier", "status"], "Tasks that ended", self.tasks.clone());
        counter("rows", &["kind"], "Rows that were published", self.rows.clone());
        counter("staged_bytes", &["kind"], "Bytes in the stage of what was published", self.bytes.clone());
        let (name, help) = ("task_seconds", "How long tasks took, all attempts together");
        #[cfg(test)]
        reference::note(name, "counter", &["kind"], help);
        registry.register(name, help, self.seconds.clone());
    }
}

/// What ended since the process began, over all of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) failed_runs: u64,
    pub(super) failed_tasks: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Counted {
    /// In a few numbers.
    pub(super) fn sums(&self) -> Sums {
        let of = |family: &Counters, labels: Labels| family.get_or_create(&labels).get();
        let bad = ["failed", "crashed"].map(str::to_owned);
        let kinds = ["load", "model", "check", "command"];
        let by_kind =
            |family: &Counters| kinds.iter().map(|kind| of(family, vec![("kind", (*kind).to_owned())])).sum();
        let mut failed_tasks = 0;
        for (kind, tier) in kinds.iter().flat_map(|kind| ["critical", "optional"].map(|tier| (*kind, tier))) {
            for status in &bad {
                let labels =
                    vec![("kind", kind.to_owned()), ("tier", tier.to_owned()), ("status", status.clone())];
                failed_tasks += of(&self.tasks, labels);
            }
        }
        Sums {
            failed_runs: bad.iter().map(|status| of(&self.runs, vec![("status", status.clone())])).sum(),
            failed_tasks,
            rows: by_kind(&self.rows),
            bytes: by_kind(&self.bytes),
        }
    }
}

/// All of it. `look`: `None` where the control database cannot be asked.
pub(super) fn text(look: Option<&Look>, counted: &Counted) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("barncat");
    let up = gauge(&mut registry, "control_up", &[], "Whether the control database answers: 1 or 0");
    up.set([], if look.is_some_and(|look| look.trouble.is_none()) { 1.0 } else { 0.0 });
    let build = gauge(&mut registry, "build", &["version"], "Which barncat this is: always 1");
    build.set([env!("CARGO_PKG_VERSION")], 1.0);
    counted.register(&mut registry);
    if let Some(look) = look {
        of_tasks(&mut registry, look);
        of_the_rest(&mut registry, look);
    }
    process::register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// A gauge for each value of its labels.
struct Gauges {
    labels: &'static [&'static str],
    family: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl Gauges {
    fn of<const N: usize>(&self, values: [&str; N]) -> Labels {
        debug_assert_eq!(N, self.labels.len(), "a value for each label");
        self.labels.iter().copied().zip(values.map(str::to_owned)).collect()
    }

    fn set<const N: usize>(&self, labels: [&str; N], value: f64) {
        self.family.get_or_create(&self.of(labels)).set(value);
    }

    /// Adds one.
    fn add<const N: usize>(&self, labels: [&str; N]) {
        self.family.get_or_create(&self.of(labels)).inc();
    }
}

fn gauge(registry: &mut Registry, name: &str, labels: &'static [&'static str], help: &str) -> Gauges {
    #[cfg(test)]
    reference::note(name, "gauge", labels, help);
    let family = Family::default();
    registry.register(name, help, family.clone());
    Gauges { labels, family }
}

fn of_tasks(registry: &mut Registry, look: &Look) {
    let mut gauge = |name: &str, labels, help: &str| gauge(registry, name, labels, help);
    const TABLE: &[&str] = &["table", "tier"];
    let now = gauge(
        "task_state",
        &["kind", "tier", "status"],
        "How many tasks stand so: as they ended last, running, or never_run",
    );
    let seconds = gauge("task_last_seconds", &["task"], "How long a task took the last time");
    let usual = gauge("task_usual_seconds", &["task"], "What a task usually takes");
    let as_of = gauge(
        "table_as_of_timestamp_seconds",
        TABLE,
        "The moment that a table's rows show; time() less it is their age",
    );
    let published =
        gauge("table_published_timestamp_seconds", TABLE, "When a table was published, or found unchanged");
    let rows = gauge("table_load_rows", TABLE, "Rows of a table's last load");
    let bytes = gauge("table_load_bytes", TABLE, "Bytes of a table's last load in the stage");
    let lag = gauge("table_lag_seconds", TABLE, "How far the source was behind when a table was loaded");
    let held = gauge("tasks_on_hold", &[], "How many tasks a person put on hold");
    held.set([], 0.0);
    for task in look.overview.tasks.iter().map(Task::of) {
        let (name, tier) = (task.task.as_str(), task.tier);
        now.add([task.kind, tier, &task.state().replace(' ', "_")]);
        if let Some(took) = task.seconds {
            seconds.set([name], took);
        }
        if let Some(takes) = task.expected_seconds {
            usual.set([name], takes);
        }
        if task.hold.is_some() {
            held.add([]);
        }
        let time = |at: Timestamp| at.as_millisecond() as f64 / 1000.0;
        let of = [
            (&as_of, task.as_of.map(time)),
            (&published, task.published_at.map(time)),
            (&rows, task.rows.map(|rows| rows as f64)),
            (&bytes, task.bytes.map(|bytes| bytes as f64)),
            (&lag, task.lag_seconds),
        ];
        for (gauges, value) in of {
            if let Some(value) = value {
                gauges.set([name, tier], value);
            }
        }
    }
}

fn of_the_rest(registry: &mut Registry, look: &Look) {
    let overview = &look.overview;
    let mut gauge = |name: &str, labels, help: &str| gauge(registry, name, labels, help);
    let running = gauge("runs_running", &[], "Runs under way");
    running.set([], overview.running.iter().filter(|going| !going.run.is_crashed).count() as f64);
    let tasks = gauge("tasks_running", &[], "Tasks under way");
    tasks.set([], overview.tasks.iter().filter(|task| task.running.is_some()).count() as f64);
    let slack = gauge(
        "deadline_slack_seconds",
        &["task"],
        "How long before its deadline a task is done, or will be; negative: after it; absent: it cannot be done",
    );
    let due = gauge("deadline_timestamp_seconds", &["task"], "When a task must be done");
    let state = gauge(
        "deadline_state",
        &["task", "state"],
        "1 for how a deadline stands (met, expected, in_danger, missed), 0 for the others",
    );
    for deadline in overview.deadlines.iter().map(|shown| Deadline::of(shown, look.now)) {
        let task = deadline.task.as_str();
        if let Some(seconds) = deadline.slack_seconds {
            slack.set([task], seconds);
        }
        due.set([task], deadline.due_at.as_second() as f64);
        for word in ["met", "expected", "in_danger", "missed"] {
            state.set([task, word], if word == deadline.state { 1.0 } else { 0.0 });
        }
    }
    let open = gauge("incidents_open", &["tier", "kind"], "Open incidents");
    for tier in ["critical", "optional"] {
        open.set([tier, "failed"], 0.0);
    }
    for incident in incidents(overview) {
        open.add([&incident.tier, &incident.kind]);
    }
    let found = gauge("checks", &["status"], "Checks by what they found the last time");
    for status in ["passed", "warned", "failed"] {
        found.set([status], 0.0);
    }
    for Check { status, .. } in checks(overview) {
        found.add([&status]);
    }
    let slots = gauge(
        "connections_in_use",
        &["of"],
        "Connections in use of a source (source/NAME) or the warehouse, over all processes",
    );
    let most = gauge("connections_max", &["of"], "How many there may be");
    for (name, source) in &look.project.sources {
        most.set([&format!("source/{name}")], f64::from(source.connections));
    }
    for one in &overview.slots {
        slots.set([&one.of], one.in_use as f64);
        if one.of.starts_with("warehouse/") {
            most.set([&one.of], f64::from(look.project.warehouse.connections));
        }
    }
    let read = gauge("read_timestamp_seconds", &[], "When all this was read from the control database");
    read.set([], overview.read_at.as_millisecond() as f64 / 1000.0);
}

#[cfg(test)]
pub(crate) mod reference;
#[cfg(test)]
mod tests;
