//! Every metric, for docs/REFERENCE.md: noted as they are registered.

use std::{cell::RefCell, fmt::Write};

use super::{Counted, text};
use crate::serve::dashboard::tests::look;

thread_local! {
    static NOTED: RefCell<Vec<(String, &'static str, String, String)>> = RefCell::default();
}

/// Notes that a metric is registered.
pub(super) fn note(name: &str, kind: &'static str, labels: &[&str], help: &str) {
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    // A counter's samples have an ending of their own.
    let ending = if kind == "counter" { "_total" } else { "" };
    let one = (format!("barncat_{name}{ending}"), kind, labels.join(", "), help.to_owned());
    NOTED.with_borrow_mut(|noted| noted.push(one));
}

/// All of them, as Markdown.
pub(crate) async fn markdown() -> String {
    let look = look().await;
    NOTED.take();
    let _ = text(Some(&look), &Counted::default());
    let mut table = "| metric | type | labels | is |\n| --- | --- | --- | --- |\n".to_owned();
    for (name, kind, labels, help) in NOTED.take() {
        let _ = writeln!(table, "| `{name}` | {kind} | {labels} | {help} |");
    }
    table
}
