//! Graphs drawn as lines of text, for tests: `model m.pay critical: raw.orders, ~raw.fx 24h, !dbt`.
//!
//! A need is read from the SQL; with `!` it is of `needs`, with `~` of `soft`.

use std::time::Duration;

use super::{Graph, GraphError, Kind, Need, Node, Origin, TaskName};
use crate::{config::Place, event::Tier};

/// The graph of such lines.
pub(crate) fn graph(lines: &[&str]) -> Graph {
    build(lines).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// The graph of such lines, or what is wrong with it.
pub(crate) fn build(lines: &[&str]) -> Result<Graph, Vec<GraphError>> {
    Graph::build(nodes(lines), &|_, _| false)
}

/// The tasks of such lines, each of its own line of `project`.
pub(crate) fn nodes(lines: &[&str]) -> Vec<Node> {
    lines.iter().enumerate().map(|(index, line)| node(line, index + 1)).collect()
}

fn node(line: &str, number: usize) -> Node {
    let place = Place { file: "project".to_owned(), line: number, column: 1 };
    let (head, needs) = line.split_once(": ").unwrap_or((line, ""));
    let mut words = head.split(' ');
    let kind = match words.next() {
        Some("load") => Kind::Load,
        Some("model") => Kind::Model,
        Some("check") => Kind::Check,
        Some("command") => Kind::Command,
        other => panic!("what is {other:?}?"),
    };
    let (schema, name) = halves(words.next().expect("a task has a name"));
    let mut node = Node::new(TaskName { schema, name }, kind, place);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("critical", _) => node.tier = Some(Tier::Critical),
            ("optional", _) => node.tier = Some(Tier::Optional),
            ("deadline", _) => node.has_deadline = true,
            ("incremental", _) => node.may_read_itself = true,
            ("makes", pattern) => node.makes.push(pattern.to_owned()),
            ("tag", tag) => node.tags.push(tag.to_owned()),
            ("source", source) => node.source = Some(source.to_owned()),
            other => panic!("what is {other:?}?"),
        }
    }
    for (index, need) in needs.split(", ").filter(|need| !need.is_empty()).enumerate() {
        let (name, hours) = need.split_once(' ').unwrap_or((need, ""));
        let origin = if name.starts_with(['!', '~']) { Origin::Settings } else { Origin::Sql };
        let (schema, bare) = halves(name.trim_start_matches(['!', '~']));
        let hours = hours.trim_end_matches('h').parse::<u64>().ok();
        let max_age = hours.map(|hours| Duration::from_secs(hours * 3600));
        let place = Place { column: index + 2, ..node.place.clone() };
        let need = Need { schema, name: bare, place, origin, max_age };
        if name.starts_with('~') { node.soft.push(need) } else { node.needs.push(need) }
    }
    node
}

fn halves(name: &str) -> (Option<String>, String) {
    match name.split_once('.') {
        Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
        None => (None, name.to_owned()),
    }
}
