//! Checks of tables: what each kind finds, what is asked before a publish, what is kept of failing rows.

mod anomalies;
mod before_publish;
mod by_hand;
mod killed;
mod kinds;

use serde_json::Value;

use crate::support::project::{INTO, task};

/// A check of a task, by its label.
fn check<'a>(outcome: &'a Value, of: &str, label: &str) -> &'a Value {
    let checks = task(outcome, of)["checks"].as_array().unwrap_or_else(|| panic!("no checks in {outcome:#}"));
    checks.iter().find(|check| check["check"] == label).unwrap_or_else(|| panic!("no {label} in {outcome:#}"))
}

/// A table's full name.
fn full(table: &str) -> String {
    format!("{INTO}.{table}")
}

/// Status and failing rows of a check of the table `orders`.
fn found(outcome: &Value, label: &str) -> (String, Option<u64>) {
    let check = check(outcome, &full("orders.checks"), label);
    (check["status"].as_str().unwrap_or_default().to_owned(), check["rows"].as_u64())
}
