//! A project's tasks as nodes.

use std::path::Path;

use super::{Facts, Graph, Kind, Need, Node, Origin, SelectError, TaskName};
use crate::{
    config::{
        self, CheckSpec, CommandSpec, HookSpec, LoadSpec, Loader, Mistake, Mistakes, ModelSpec, Named,
        NodeSpec, Place, Project, Statement,
    },
    error::Fault,
};

/// Reads a project, and holds its tasks against each other: every mistake at once. Tables that a wildcard of
/// its loaders may stand for are taken to be there.
pub fn read(dir: &Path, env: Option<&str>) -> Result<Project, Mistakes> {
    let project = config::read(dir, env)?;
    let graph = of_project(&project, &project.named_loads(), true)?;
    let mistakes: Vec<Mistake> =
        project.hooks.iter().filter_map(|hook| mistaken(&project, &graph, hook)).collect();
    if mistakes.is_empty() { Ok(project) } else { Err(Mistakes(mistakes)) }
}

/// A hook's selection that cannot mean anything, whatever the sources have.
fn mistaken(project: &Project, graph: &Graph, hook: &HookSpec) -> Option<Mistake> {
    let (select, place) = hook.select.as_ref()?;
    let error = graph.select(&Facts::default(), std::slice::from_ref(select), &[]).err()?;
    let may_be = match &error {
        SelectError::Unknown { name, .. } => {
            let (schema, name) = name.split_once('.').map_or((None, name.as_str()), |(s, n)| (Some(s), n));
            may_exist(project, schema, name)
        }
        SelectError::Nothing { .. } => true,
        _ => false,
    };
    let message = format!("`select` of hook `{}`: {error}", hook.name);
    (!may_be).then(|| Mistake { message, place: place.clone(), hint: error.hint() })
}

/// Whether a wildcard of a loader may stand for such a table.
fn may_exist(project: &Project, schema: Option<&str>, name: &str) -> bool {
    let is_its = |loader: &Loader| schema.is_none_or(|schema| schema == loader.into);
    project.loaders.iter().any(|loader| is_its(loader) && loader.may_load(name))
}

/// The graph of a project with these loads: those that its sources have, or (`may_be_more`) those that its
/// loaders name, where a wildcard may stand for others.
pub fn of_project(project: &Project, loads: &[LoadSpec], may_be_more: bool) -> Result<Graph, Mistakes> {
    let mut nodes: Vec<Node> = loads.iter().map(load).collect();
    nodes.extend(project.models.iter().map(model));
    nodes.extend(project.checks.iter().map(check));
    nodes.extend(project.commands.iter().map(command));
    let may_exist = |schema: Option<&str>, name: &str| may_be_more && may_exist(project, schema, name);
    Graph::build(nodes, &may_exist).map_err(|errors| Mistakes(errors.iter().map(Mistake::from).collect()))
}

fn load(spec: &LoadSpec) -> Node {
    Node {
        tier: spec.tier,
        has_deadline: spec.deadline.is_some(),
        tags: spec.tags.clone(),
        source: Some(spec.source.clone()),
        ..Node::new(spec.target.clone(), Kind::Load, spec.place.clone())
    }
}

fn model(spec: &ModelSpec) -> Node {
    let node = Node::new(spec.target.clone(), Kind::Model, spec.node.place.clone());
    said(&spec.node, Some(&spec.statement), node)
}

fn check(spec: &CheckSpec) -> Node {
    let mut node = Node::new(TaskName::bare(&spec.name), Kind::Check, spec.node.place.clone());
    node.needs.extend(spec.on.iter().map(|named| need(named, None)));
    said(&spec.node, Some(&spec.statement), node)
}

fn command(spec: &CommandSpec) -> Node {
    let node = Node::new(TaskName::bare(&spec.name), Kind::Command, spec.node.place.clone());
    Node { makes: spec.makes.clone(), ..said(&spec.node, None, node) }
}

/// What a task's settings and its SQL say of it.
fn said(spec: &NodeSpec, statement: Option<&Statement>, node: Node) -> Node {
    let mut node = Node {
        tier: spec.tier,
        has_deadline: spec.deadline.is_some(),
        tags: spec.tags.clone(),
        soft: spec.soft.iter().map(|(named, max_age)| need(named, *max_age)).collect(),
        ..node
    };
    node.needs.extend(spec.needs.iter().map(|named| need(named, None)));
    node.needs.extend(statement.into_iter().flat_map(tables));
    node
}

fn need(named: &Named, max_age: Option<std::time::Duration>) -> Need {
    Need {
        schema: named.schema.clone(),
        name: named.name.clone(),
        place: named.place.clone(),
        origin: Origin::Settings,
        max_age,
    }
}

/// The tables that a statement reads, but for those of other databases.
fn tables(statement: &Statement) -> Vec<Need> {
    let tables = statement.query.iter().flat_map(|query| query.tables());
    let own = tables.filter(|table| table.database.is_none());
    own.map(|table| Need {
        schema: table.schema.clone(),
        name: table.name.clone(),
        place: Place {
            file: statement.file.clone(),
            line: statement.line + table.line - 1,
            column: table.column,
        },
        origin: Origin::Sql,
        max_age: None,
    })
    .collect()
}
