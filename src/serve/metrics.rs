//! What is measured, in the text form of OpenMetrics, which Prometheus reads.
//!
//! Gauges are what the dashboard shows at the same moment. Counters count what ended since the process began, whoever
//! did it, by the control database: so they agree with it, and two services count the same.

mod process;

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
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
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

/// All of it. `look`: `None` where the control database cannot be asked.
pub(super) fn text(look: Option<&Look>, counted: &Counted) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("barncat");
    let up = gauge(&mut registry, "control_up", "Whether the control database answers");
    set(&up, vec![], if look.is_some_and(|look| look.trouble.is_none()) { 1.0 } else { 0.0 });
    let info = gauge(&mut registry, "build", "Which barncat this is");
    set(&info, vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0);
    registry.register(
        "runs",
        "Runs that ended since the process began, whoever began them",
        counted.runs.clone(),
    );
    registry.register("tasks", "Tasks that ended since the process began", counted.tasks.clone());
    registry.register("rows", "Rows that were published", counted.rows.clone());
    registry.register("staged_bytes", "Bytes in the stage of what was published", counted.bytes.clone());
    registry.register("task_seconds", "Time that tasks took, all attempts together", counted.seconds.clone());
    if let Some(look) = look {
        of_tasks(&mut registry, look);
        of_the_rest(&mut registry, look);
    }
    process::register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let gauges = Gauges::default();
    registry.register(name, help, gauges.clone());
    gauges
}

fn set(gauges: &Gauges, labels: Labels, value: f64) {
    gauges.get_or_create(&labels).set(value);
}

/// Adds one to a gauge.
fn add(gauges: &Gauges, labels: Labels) {
    gauges.get_or_create(&labels).inc();
}

fn of_tasks(registry: &mut Registry, look: &Look) {
    let now =
        gauge(registry, "task_state", "How many tasks stand how: as they ended the last time, or running");
    let seconds = gauge(registry, "task_last_seconds", "How long a task took the last time");
    let usual = gauge(registry, "task_usual_seconds", "What a task usually takes");
    let as_of = gauge(registry, "table_as_of_timestamp_seconds", "The moment that a table's rows show");
    let published = gauge(
        registry,
        "table_published_timestamp_seconds",
        "When a table was published, or found unchanged",
    );
    let rows = gauge(registry, "table_load_rows", "Rows of a table's last load");
    let bytes = gauge(registry, "table_load_bytes", "Bytes of a table's last load in the stage");
    let lag = gauge(registry, "table_lag_seconds", "How far the source was behind when a table was loaded");
    let held = gauge(registry, "tasks_on_hold", "How many tasks a person put on hold");
    set(&held, vec![], 0.0);
    for task in look.overview.tasks.iter().map(Task::of) {
        let of_task = vec![("task", task.task.clone())];
        let state = task.state().replace(' ', "_");
        add(&now, vec![("kind", task.kind.to_owned()), ("tier", task.tier.to_owned()), ("status", state)]);
        if let Some(took) = task.seconds {
            set(&seconds, of_task.clone(), took);
        }
        if let Some(takes) = task.expected_seconds {
            set(&usual, of_task, takes);
        }
        if task.hold.is_some() {
            add(&held, vec![]);
        }
        let of_table = || vec![("table", task.task.clone()), ("tier", task.tier.to_owned())];
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
                set(gauges, of_table(), value);
            }
        }
    }
}

fn of_the_rest(registry: &mut Registry, look: &Look) {
    let overview = &look.overview;
    let running = gauge(registry, "runs_running", "Runs under way");
    set(&running, vec![], overview.running.iter().filter(|going| !going.run.is_crashed).count() as f64);
    let tasks = gauge(registry, "tasks_running", "Tasks under way");
    set(&tasks, vec![], overview.tasks.iter().filter(|task| task.running.is_some()).count() as f64);
    let slack = gauge(
        registry,
        "deadline_slack_seconds",
        "How long before its deadline a task is done, or will be; negative: after it",
    );
    let due = gauge(registry, "deadline_timestamp_seconds", "When a task must be done");
    let state = gauge(registry, "deadline_state", "How a deadline stands: 1 for that state");
    for deadline in overview.deadlines.iter().map(|shown| Deadline::of(shown, look.now)) {
        let of_task = vec![("task", deadline.task.clone())];
        if let Some(seconds) = deadline.slack_seconds {
            set(&slack, of_task.clone(), seconds);
        }
        set(&due, of_task.clone(), deadline.due_at.as_second() as f64);
        for word in ["met", "expected", "in_danger", "missed"] {
            let mut labels = of_task.clone();
            labels.push(("state", word.to_owned()));
            set(&state, labels, if word == deadline.state { 1.0 } else { 0.0 });
        }
    }
    let open = gauge(registry, "incidents_open", "Open incidents");
    for (tier, kind) in [("critical", "failed"), ("optional", "failed")] {
        set(&open, vec![("tier", tier.to_owned()), ("kind", kind.to_owned())], 0.0);
    }
    for incident in incidents(overview) {
        add(&open, vec![("tier", incident.tier), ("kind", incident.kind)]);
    }
    let found = gauge(registry, "checks", "Checks by what they found the last time");
    for status in ["passed", "warned", "failed"] {
        set(&found, vec![("status", status.to_owned())], 0.0);
    }
    for Check { status, .. } in checks(overview) {
        add(&found, vec![("status", status)]);
    }
    let slots = gauge(
        registry,
        "connections_in_use",
        "Connections in use of a source or a warehouse, over all processes",
    );
    for one in &overview.slots {
        set(&slots, vec![("of", one.of.clone())], one.in_use as f64);
    }
    let most = gauge(registry, "connections_max", "How many connections there may be");
    for (name, source) in &look.project.sources {
        set(&most, vec![("of", format!("source/{name}"))], f64::from(source.connections));
    }
    let read = gauge(registry, "read_timestamp_seconds", "When all this was read from the control database");
    set(&read, vec![], overview.read_at.as_millisecond() as f64 / 1000.0);
}

#[cfg(test)]
mod tests;
