//! For Mermaid, which many sites that show Markdown draw.

use std::fmt::Write;

use super::View;
use crate::{
    dag::{Kind, Way, words},
    event::{TaskStatus, Tier},
};

/// A flowchart whose edges point from what is needed to what needs it; soft ones are dotted.
pub fn mermaid(view: &View<'_>) -> String {
    let on_path = view.is_on_path();
    let mut text = String::from("flowchart LR\n");
    for task in &view.tasks {
        let mut label = quoted(&view.graph.name(*task).to_string());
        if let Some(seconds) = view.expected[task.index()] {
            let _ = write!(label, "<br>{}", words::of_seconds(seconds));
        }
        let (open, close) = match view.graph.node(*task).kind {
            Kind::Load => ("[(", ")]"),
            Kind::Model => ("[", "]"),
            Kind::Check => ("{", "}"),
            Kind::Command => ("{{", "}}"),
        };
        let _ = writeln!(text, "  t{}{open}\"{label}\"{close}", task.index());
    }
    let mut bold = Vec::new();
    let edges = view.tasks.iter().flat_map(|task| view.shown_needs(*task).map(move |edge| (*task, edge)));
    for (number, (task, edge)) in edges.enumerate() {
        let arrow = match edge.way {
            Way::Hard => "-->".to_owned(),
            Way::Soft { max_age: None } => "-.->".to_owned(),
            Way::Soft { max_age: Some(age) } => format!("-. {} .->", words::of_age(age)),
        };
        let _ = writeln!(text, "  t{} {arrow} t{}", edge.task.index(), task.index());
        if on_path[task.index()] && on_path[edge.task.index()] {
            bold.push(number.to_string());
        }
    }
    text.push_str("  classDef critical stroke-width:3px\n  classDef failed stroke:#c00\n");
    text.push_str("  classDef blocked stroke:#e80\n");
    for task in &view.tasks {
        if view.graph.tier(*task) == Tier::Critical {
            let _ = writeln!(text, "  class t{} critical", task.index());
        }
        if let Some(status @ (TaskStatus::Failed | TaskStatus::Blocked)) = view.results.get(task) {
            let _ = writeln!(text, "  class t{} {}", task.index(), words::of_status(*status));
        }
    }
    if !bold.is_empty() {
        let _ = writeln!(text, "  linkStyle {} stroke-width:3px", bold.join(","));
    }
    text
}

/// Whatever could be markup by its number.
fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-' | ' ') {
            text.push(letter);
        } else {
            let _ = write!(text, "#{};", u32::from(letter));
        }
    }
    text
}
