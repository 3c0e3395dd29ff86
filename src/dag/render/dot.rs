//! For Graphviz.

use std::fmt::Write;

use super::View;
use crate::{
    dag::{Kind, Way, words},
    event::{TaskStatus, Tier},
};

/// A digraph whose edges point from what is needed to what needs it; soft ones are dashed.
pub fn dot(view: &View<'_>) -> String {
    let on_path = view.is_on_path();
    let mut text = String::from("digraph barncat {\n  rankdir = LR;\n  node [fontname = \"sans-serif\"];\n");
    for task in &view.tasks {
        let name = view.graph.name(*task).to_string();
        let mut label = quoted(&name);
        let seconds = view.expected[task.index()].map(words::of_seconds);
        let status = view.results.get(task).map(|status| words::of_status(*status).to_owned());
        for line in seconds.into_iter().chain(status) {
            let _ = write!(label, "\\n{line}");
        }
        let shape = match view.graph.node(*task).kind {
            Kind::Load => "cylinder",
            Kind::Model => "box",
            Kind::Check => "diamond",
            Kind::Command => "hexagon",
        };
        let mut looks = format!("shape = {shape}");
        if view.graph.tier(*task) == Tier::Critical {
            looks.push_str(", style = bold");
        }
        match view.results.get(task) {
            Some(TaskStatus::Failed) => looks.push_str(", color = red"),
            Some(TaskStatus::Blocked) => looks.push_str(", color = orange"),
            _ => {}
        }
        let _ = writeln!(text, "  \"{}\" [label = \"{label}\", {looks}];", quoted(&name));
    }
    for task in &view.tasks {
        for edge in view.shown_needs(*task) {
            let mut looks = match edge.way {
                Way::Hard => String::new(),
                Way::Soft { max_age: None } => "style = dashed".to_owned(),
                Way::Soft { max_age: Some(age) } => {
                    format!("style = dashed, label = \"{}\"", words::of_age(age))
                }
            };
            if on_path[task.index()] && on_path[edge.task.index()] {
                looks.push_str(if looks.is_empty() { "penwidth = 2" } else { ", penwidth = 2" });
            }
            let looks = if looks.is_empty() { looks } else { format!(" [{looks}]") };
            let from = quoted(&view.graph.name(edge.task).to_string());
            let to = quoted(&view.graph.name(*task).to_string());
            let _ = writeln!(text, "  \"{from}\" -> \"{to}\"{looks};");
        }
    }
    text.push_str("}\n");
    text
}

/// Within double quotes. A backslash before a letter would stand for something else.
fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            letter if letter.is_control() => text.push('\u{fffd}'),
            letter => text.push(letter),
        }
    }
    text
}
