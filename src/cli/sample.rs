//! Outcomes that the tests of summary, lines and exit statuses share.

use crate::{
    error::{Class, Failure},
    event::{InputTaken, RunOutcome, RunStatus, TaskOutcome, TaskStatus, Tier},
};

/// A critical task that was published.
pub(super) fn task(name: &str, status: TaskStatus) -> TaskOutcome {
    TaskOutcome {
        task: name.to_owned(),
        kind: "load".to_owned(),
        tier: Tier::Critical,
        status,
        attempts: 1,
        strategy: Some("full".to_owned()),
        reason: Some("the first load".to_owned()),
        publish: Some("swap".to_owned()),
        rows: Some(200_000),
        late_rows: None,
        bytes: Some(9_123_456),
        seconds: 3.21,
        load: Some("01JD3LOAD".to_owned()),
        as_of: Some("2026-11-22T05:00:00Z".parse().expect("a time")),
        snapshot: Some("S1".to_owned()),
        lag_seconds: Some(0.4),
        watermark: None,
        schema_hash: Some("v1:3fa9c1d27b06".to_owned()),
        sample: None,
        definition: None,
        schema_changes: Vec::new(),
        inputs: Vec::new(),
        blocked_by: Vec::new(),
        warnings: Vec::new(),
        checks: Vec::new(),
        verification: None,
        error: None,
    }
}

/// A task that came to nothing.
fn nothing(name: &str, status: TaskStatus, error: Option<(Class, &str, &str)>) -> TaskOutcome {
    TaskOutcome {
        tier: Tier::Optional,
        publish: None,
        reason: None,
        rows: None,
        late_rows: None,
        bytes: None,
        load: None,
        as_of: None,
        snapshot: None,
        lag_seconds: None,
        schema_hash: None,
        error: error.map(|(class, message, hint)| Failure {
            class,
            message: message.to_owned(),
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        }),
        ..task(name, status)
    }
}

/// A task of each status.
pub(super) fn every_status() -> Vec<TaskOutcome> {
    let mut failed = nothing(
        "raw_shop.fx_rates",
        TaskStatus::Failed,
        Some((Class::Passing, "the server answered 503", "try again later")),
    );
    failed.attempts = 3;
    let mut blocked = nothing("analytics.margins", TaskStatus::Blocked, None);
    blocked.attempts = 0;
    blocked.strategy = None;
    blocked.blocked_by = vec!["raw_shop.fx_rates".to_owned()];
    let mut customers = task("raw_shop.customers", TaskStatus::Unchanged);
    customers.publish = None;
    customers.reason = Some("its parts are those of the last load".to_owned());
    customers.warnings = vec!["the replica is 90 s behind".to_owned()];
    vec![
        task("raw_shop.orders", TaskStatus::Succeeded),
        customers,
        failed,
        blocked,
        nothing(
            "raw_shop.riders",
            TaskStatus::Held,
            Some((Class::Held, "another run holds its lock", "`barncat status` names it")),
        ),
        nothing("raw_shop.notes", TaskStatus::Skipped, None),
        nothing("raw_shop.cities", TaskStatus::Cancelled, None),
    ]
}

/// A run with two critical tasks done and one optional failed.
pub(super) fn degraded() -> RunOutcome {
    let mut tasks = every_status();
    tasks.truncate(4);
    let mut payments = task("analytics.rider_payments", TaskStatus::Succeeded);
    payments.kind = "model".to_owned();
    payments.snapshot = None;
    payments.inputs.push(InputTaken {
        task: "raw_shop.fx_rates".to_owned(),
        as_of: "2026-11-21T05:00:00Z".parse().expect("a time"),
        age_seconds: 86_400,
        because: "failed".to_owned(),
    });
    tasks.push(payments);
    outcome(RunStatus::Degraded, tasks)
}

/// A run with these tasks.
pub(super) fn outcome(status: RunStatus, tasks: Vec<TaskOutcome>) -> RunOutcome {
    RunOutcome {
        run: "01JD3RUN".to_owned(),
        mode: "production".to_owned(),
        status,
        started_at: "2026-11-22T05:00:00Z".parse().expect("a time"),
        seconds: 41.3,
        tasks,
        warnings: Vec::new(),
        deadlines: Vec::new(),
    }
}
