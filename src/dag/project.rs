//! A project's tasks as nodes.

use std::path::Path;

use super::{Facts, Graph, Kind, Need, Node, Origin, SelectError, TaskName, selection};
use crate::{
    config::{
        self, BuiltIn, CheckKind, CheckSpec, CommandSpec, HookSpec, LoadSpec, Loader, Mistake, Mistakes,
        ModelSpec, Named, NodeSpec, Place, Project, Schedule, Statement,
    },
    error::Fault,
    sql::TableName,
};

/// Reads a project, and holds its tasks against each other: every mistake at once. Tables that a wildcard of
/// its loaders may stand for are taken to be there.
pub fn read(dir: &Path, env: Option<&str>) -> Result<Project, Mistakes> {
    let project = config::read(dir, env)?;
    let graph = of_project(&project, &project.named_loads(), true)?;
    let of_hook = |hook: &HookSpec| {
        let (select, place) = hook.select.as_ref()?;
        let select = (vec![select.clone()], Vec::new());
        mistaken(&project, &graph, &format!("hook `{}`", hook.name), &select, place)
    };
    let of_schedule = |(name, schedule): (&String, &Schedule)| {
        let select = selection::read(&schedule.select);
        mistaken(&project, &graph, &format!("schedule `{name}`"), &select, &schedule.select_place)
    };
    let of_hooks = project.hooks.iter().filter_map(of_hook);
    let mistakes: Vec<Mistake> = of_hooks.chain(project.schedules.iter().filter_map(of_schedule)).collect();
    if mistakes.is_empty() { Ok(project) } else { Err(Mistakes(mistakes)) }
}

/// A selection that cannot mean anything, whatever the sources have.
fn mistaken(
    project: &Project,
    graph: &Graph,
    whose: &str,
    (select, exclude): &(Vec<String>, Vec<String>),
    place: &Place,
) -> Option<Mistake> {
    let error = graph.select(&Facts::default(), select, exclude).err()?;
    let may_be = match &error {
        SelectError::Unknown { name, .. } => {
            let (schema, name) = name.split_once('.').map_or((None, name.as_str()), |(s, n)| (Some(s), n));
            may_exist(project, schema, name)
        }
        SelectError::Nothing { .. } => true,
        _ => false,
    };
    let message = format!("`select` of {whose}: {error}");
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
    let audits = project.checks.iter().filter(|check| check.options.before_publish);
    audits.for_each(|check| wait_for_files(check, &mut nodes));
    nodes.extend(
        loads.iter().filter_map(|spec| built_in(&spec.target, &spec.checks, &spec.place, &spec.tags)),
    );
    let of_model = |spec: &ModelSpec| built_in(&spec.target, &spec.checks, &spec.node.place, &spec.node.tags);
    nodes.extend(project.models.iter().filter_map(of_model));
    if let Some(group) = grouped_relationship(loads) {
        return Err(Mistakes(vec![group]));
    }
    nodes.extend(project.checks.iter().map(check));
    nodes.extend(project.commands.iter().map(command));
    let may_exist = |schema: Option<&str>, name: &str| may_be_more && may_exist(project, schema, name);
    Graph::build(nodes, &may_exist).map_err(|errors| Mistakes(errors.iter().map(Mistake::from).collect()))
}

fn load(spec: &LoadSpec) -> Node {
    let node = Node {
        tier: spec.tier,
        has_deadline: spec.deadline.is_some(),
        tags: spec.tags.clone(),
        source: Some(spec.source.clone()),
        needs: spec.work().into_iter().flat_map(tables).collect(),
        // Work is mostly what the table has not got yet.
        may_read_itself: spec.work().is_some(),
        ..Node::new(spec.target.clone(), Kind::Load, spec.place.clone())
    };
    waiting(node, &spec.checks)
}

fn model(spec: &ModelSpec) -> Node {
    let node = Node::new(spec.target.clone(), Kind::Model, spec.node.place.clone());
    waiting(said(&spec.node, Some(&spec.statement), node), &spec.checks)
}

/// The task of a table's built-in checks, where it has any.
fn built_in(table: &TableName, checks: &[BuiltIn], place: &Place, tags: &[String]) -> Option<Node> {
    let first = checks.first()?;
    let own = Need {
        schema: Some(table.schema.clone()),
        name: table.name.clone(),
        place: place.clone(),
        origin: Origin::Settings,
        max_age: None,
    };
    let others = checks.iter().filter_map(other).filter(|other| !is_meant(other, table));
    Some(Node {
        needs: std::iter::once(own).chain(others).collect(),
        tags: tags.to_vec(),
        tier_of: Some(table.clone().into()),
        ..Node::new(TaskName::checks_of(table), Kind::Check, first.place.clone())
    })
}

/// The table whose values a check looks up.
fn other(check: &BuiltIn) -> Option<Need> {
    let CheckKind::Relationship { schema, table, .. } = &check.kind else { return None };
    Some(Need {
        schema: schema.clone(),
        name: table.clone(),
        place: check.place.clone(),
        origin: Origin::Settings,
        max_age: None,
    })
}

fn is_meant(need: &Need, table: &TableName) -> bool {
    need.name == table.name && need.schema.as_ref().is_none_or(|schema| *schema == table.schema)
}

/// What is looked up before a publish is waited for, and taken as it was last published if it fails.
fn waiting(mut node: Node, checks: &[BuiltIn]) -> Node {
    let looked_up = checks.iter().filter(|check| check.options.before_publish).filter_map(other);
    for other in looked_up {
        wait_for(&mut node, other);
    }
    node
}

/// The same of what a check in a file reads beside the table before whose publish it is asked.
fn wait_for_files(check: &CheckSpec, nodes: &mut [Node]) {
    let Some((schema, name)) = check.table() else { return };
    let is_its = |node: &&mut Node| {
        node.name.name == name && schema.is_none_or(|schema| node.name.schema.as_deref() == Some(schema))
    };
    let Some(node) = nodes.iter_mut().find(is_its) else { return };
    let statements = std::iter::once(&check.statement).chain(&check.reconcile);
    for need in statements.flat_map(tables) {
        wait_for(node, need);
    }
}

fn wait_for(node: &mut Node, need: Need) {
    let is_own = node.name.name == need.name
        && need.schema.as_ref().is_none_or(|schema| Some(schema) == node.name.schema.as_ref());
    let is_known = node.needs.iter().chain(&node.soft).any(|other| other.name == need.name);
    if !is_own && !is_known {
        node.soft.push(need);
    }
}

/// Tables of one group are loaded in one go: none of them can wait for another.
fn grouped_relationship(loads: &[LoadSpec]) -> Option<Mistake> {
    let grouped = |table: &Need, group| {
        loads.iter().any(|load| load.consistent_group == group && is_meant(table, &load.target))
    };
    loads.iter().filter(|load| load.consistent_group.is_some()).find_map(|load| {
        let audited = load.checks.iter().filter(|check| check.options.before_publish);
        let check = audited.into_iter().find(|check| {
            other(check).is_some_and(|other| {
                !is_meant(&other, &load.target) && grouped(&other, load.consistent_group)
            })
        })?;
        Some(Mistake {
            message: format!(
                "`{}` cannot be asked before the publish: both tables are of one group",
                check.label()
            ),
            place: check.place.clone(),
            hint: Some(
                "tables of `consistent` are published one after the other; leave `before_publish` out"
                    .to_owned(),
            ),
        })
    })
}

fn check(spec: &CheckSpec) -> Node {
    let mut node = Node::new(TaskName::bare(&spec.name), Kind::Check, spec.node.place.clone());
    node.needs.extend(spec.on.iter().map(|named| need(named, None)));
    node.needs.extend(spec.reconcile.iter().flat_map(tables));
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
