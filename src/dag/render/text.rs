//! For a terminal.

use std::fmt::Write;

use super::View;
use crate::dag::{Critical, Edge, NodeId, Way, words};

/// A line a task, those that need nothing first; then the critical path.
pub fn text(view: &View<'_>) -> String {
    let mut rows: Vec<(usize, NodeId)> = levels(view);
    rows.sort_unstable();
    let cells: Vec<[String; 6]> = rows.iter().map(|(level, task)| cells(view, *level, *task)).collect();
    let mut widths = [0; 6];
    for row in &cells {
        row.iter().zip(&mut widths).for_each(|(cell, width)| *width = (*width).max(cell.chars().count()));
    }
    let mut text = String::new();
    for (row, (_, task)) in cells.iter().zip(&rows) {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = format!("{}  {}", padded.collect::<Vec<_>>().join("  "), needs(view, *task));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for task in &view.tasks {
        if let Some(why) = view.unreachable.get(task) {
            let _ = writeln!(text, "unreachable  {}: {why}", name(view, *task));
        }
    }
    if view.has_times() {
        let step = |step: &crate::dag::PathStep| {
            format!("{} {}", name(view, step.task), words::of_seconds(step.seconds))
        };
        let steps: Vec<String> = view.path.steps.iter().map(step).collect();
        let seconds = words::of_seconds(view.path.seconds);
        let _ = writeln!(text, "\ncritical path  {seconds}: {}", steps.join(", then "));
    }
    text
}

/// How many tasks come before each at least, one after the other.
fn levels(view: &View<'_>) -> Vec<(usize, NodeId)> {
    let mut levels = vec![0; view.graph.len()];
    for task in view.graph.in_order().iter().filter(|task| view.selected[task.index()]) {
        let before = view.shown_needs(*task).map(|edge| levels[edge.task.index()]);
        levels[task.index()] = 1 + before.max().unwrap_or(0);
    }
    view.tasks.iter().map(|task| (levels[task.index()], *task)).collect()
}

fn cells(view: &View<'_>, level: usize, task: NodeId) -> [String; 6] {
    let tier = match view.graph.critical(task) {
        None => String::new(),
        Some(Critical::ByHand) => "critical".to_owned(),
        Some(Critical::ByDeadline) => "critical (deadline)".to_owned(),
        Some(Critical::AsTable(_)) => "critical (as its table)".to_owned(),
        Some(Critical::NeededBy(way)) => match way.last() {
            Some(by) => format!("critical (for {})", name(view, *by)),
            None => "critical".to_owned(),
        },
    };
    let seconds = view.expected[task.index()].map(words::of_seconds).unwrap_or_default();
    let status = view.results.get(&task).copied().map(words::of_status).unwrap_or_default();
    let kind = view.graph.node(task).kind.to_string();
    [level.to_string(), name(view, task), kind, tier, seconds, status.to_owned()]
}

fn needs(view: &View<'_>, task: NodeId) -> String {
    let one = |edge: &Edge| match edge.way {
        Way::Hard => format!("→ {}", name(view, edge.task)),
        Way::Soft { max_age: None } => format!("⇢ {}", name(view, edge.task)),
        Way::Soft { max_age: Some(age) } => format!("⇢ {} ({})", name(view, edge.task), words::of_age(age)),
    };
    view.graph.needs(task).iter().map(one).collect::<Vec<_>>().join("  ")
}

/// What a terminal would obey is shown as it is written in code.
fn name(view: &View<'_>, task: NodeId) -> String {
    let name = view.graph.name(task).to_string();
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_control() { text.extend(letter.escape_default()) } else { text.push(letter) }
    }
    text
}
