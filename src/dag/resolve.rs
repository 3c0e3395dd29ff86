//! What the names mean that tasks need.

use std::collections::{BTreeMap, HashMap};

use globset::{Glob, GlobMatcher};

use super::{Edge, GraphError, Need, Node, NodeId, Origin, Way};
use crate::config::nearest;

/// Whether a task may make the table of this schema and name that no known task makes.
pub type MayExist<'a> = &'a dyn Fn(Option<&str>, &str) -> bool;

/// Suggestions cost a look at every name: a project that is wrong from end to end gets no more.
const SUGGESTIONS_MAX: usize = 50;

/// The tasks by their names. A look-up costs the same however many there are.
pub(super) struct Names<'a> {
    nodes: &'a [Node],
    /// The first task of each name without its schema.
    first: HashMap<&'a str, NodeId>,
    /// By the tasks' numbers: the next one of the same name.
    next: Vec<Option<NodeId>>,
    makers: Vec<Maker>,
    may_exist: MayExist<'a>,
}

/// A pattern of what a command makes.
struct Maker {
    command: NodeId,
    /// `None`: tables of any schema.
    schema: Option<GlobMatcher>,
    table: GlobMatcher,
    /// Whether any name matches, so that one without a schema cannot be meant.
    is_any: bool,
    text: String,
}

/// What a name means.
#[derive(Clone, Copy, PartialEq)]
enum Meaning {
    Task(NodeId),
    /// One of the tables that a command makes.
    Made(NodeId),
    /// No task: a table that barncat does not make, or one that is not known yet.
    NoTask,
}

impl<'a> Names<'a> {
    pub(super) fn new(nodes: &'a [Node], may_exist: MayExist<'a>, errors: &mut Vec<GraphError>) -> Self {
        let ids = || (0..nodes.len()).map(NodeId::new);
        let (mut first, mut next) = (HashMap::with_capacity(nodes.len()), vec![None; nodes.len()]);
        for id in ids().rev() {
            next[id.index()] = first.insert(nodes[id.index()].name.name.as_str(), id);
        }
        let mut makers = Vec::new();
        for command in ids() {
            for pattern in &nodes[command.index()].makes {
                match Maker::new(command, pattern) {
                    Ok(maker) => makers.push(maker),
                    Err(_) => errors.push(GraphError::Pattern {
                        task: nodes[command.index()].name.clone(),
                        pattern: pattern.clone(),
                        place: nodes[command.index()].place.clone(),
                    }),
                }
            }
        }
        Self { nodes, first, next, makers, may_exist }
    }

    /// The tasks of a name without its schema, in the order of their full names.
    fn named(&self, name: &str) -> impl Iterator<Item = NodeId> {
        std::iter::successors(self.first.get(name).copied(), |id| self.next[id.index()])
    }

    fn schema(&self, task: NodeId) -> Option<&str> {
        self.nodes[task.index()].name.schema.as_deref()
    }

    /// What a task needs, in the order of the names.
    pub(super) fn edges(&self, task: NodeId, errors: &mut Vec<GraphError>) -> Vec<Edge> {
        let node = &self.nodes[task.index()];
        let mut hard = self.meant(task, &node.needs, errors);
        let soft = self.meant(task, &node.soft, errors);
        for (need, meaning) in &soft {
            let is_same = |other: &(&Need, Meaning)| {
                other.1 == *meaning && (matches!(meaning, Meaning::Task(_)) || is_one_name(other.0, need))
            };
            if hard.iter().any(|other| other.0.origin == Origin::Settings && is_same(other)) {
                errors.push(GraphError::HardAndSoft {
                    task: node.name.clone(),
                    kind: node.kind,
                    name: need.to_string(),
                    place: need.place.clone(),
                });
            }
            hard.retain(|other| !is_same(other));
        }
        let mut ways: BTreeMap<NodeId, Way> = BTreeMap::new();
        for (need, meaning) in soft {
            let max_age = need.max_age;
            if let Meaning::Task(needed) | Meaning::Made(needed) = meaning {
                // Of two tables that one command makes the stricter age counts.
                let stricter = |way: &mut Way| {
                    let ages = [way.max_age(), max_age];
                    *way = Way::Soft { max_age: ages.into_iter().flatten().min() };
                };
                ways.entry(needed).and_modify(stricter).or_insert(Way::Soft { max_age });
            }
        }
        for (_, meaning) in hard {
            if let Meaning::Task(needed) | Meaning::Made(needed) = meaning {
                ways.insert(needed, Way::Hard);
            }
        }
        ways.into_iter().map(|(task, way)| Edge { task, way }).collect()
    }

    /// What needs mean, but for those that mean nothing or the task itself.
    fn meant<'n>(
        &self,
        task: NodeId,
        needs: &'n [Need],
        errors: &mut Vec<GraphError>,
    ) -> Vec<(&'n Need, Meaning)> {
        let node = &self.nodes[task.index()];
        let mut meant = Vec::with_capacity(needs.len());
        for need in needs {
            match self.meaning(node, need, errors.len() < SUGGESTIONS_MAX) {
                Ok(Meaning::Task(needed) | Meaning::Made(needed)) if needed == task => {
                    if !(node.may_read_itself && need.origin == Origin::Sql) {
                        let (task, place) = (node.name.clone(), need.place.clone());
                        errors.push(GraphError::Itself { task, kind: node.kind, place });
                    }
                }
                Ok(meaning) => meant.push((need, meaning)),
                Err(error) => errors.push(error),
            }
        }
        meant
    }

    fn meaning(&self, node: &Node, need: &Need, suggest: bool) -> Result<Meaning, GraphError> {
        let by_settings = need.origin == Origin::Settings;
        // A full name is nobody else's; SQL reads tables alone.
        let is_it = |task: &NodeId| self.schema(*task) == need.schema.as_deref();
        if (need.schema.is_some() || by_settings)
            && let Some(task) = self.named(&need.name).find(is_it)
        {
            return Ok(Meaning::Task(task));
        }
        let choices = self.choices(need);
        match choices.as_slice() {
            [meaning] => Ok(*meaning),
            [] if (self.may_exist)(need.schema.as_deref(), &need.name) => Ok(Meaning::NoTask),
            [] if need.schema.is_some() && !by_settings => Ok(Meaning::NoTask),
            [] => Err(self.unknown(node, need, suggest)),
            several => Err(GraphError::Ambiguous {
                task: node.name.clone(),
                kind: node.kind,
                name: need.to_string(),
                choices: several.iter().map(|meaning| self.text(*meaning)).collect(),
                place: need.place.clone(),
            }),
        }
    }

    /// The tables of a name without a schema, and the commands that make such a table.
    fn choices(&self, need: &Need) -> Vec<Meaning> {
        let mut choices = Vec::new();
        if need.schema.is_none() {
            let tables = self.named(&need.name).filter(|task| self.schema(*task).is_some());
            choices.extend(tables.map(Meaning::Task));
        }
        for maker in self.makers.iter().filter(|maker| maker.makes(need)) {
            let meaning = Meaning::Made(maker.command);
            if !choices.contains(&meaning) {
                choices.push(meaning);
            }
        }
        choices
    }

    fn text(&self, meaning: Meaning) -> String {
        match meaning {
            Meaning::Task(task) => self.nodes[task.index()].name.to_string(),
            Meaning::Made(command) => {
                let patterns = self.makers.iter().filter(|maker| maker.command == command);
                let patterns: Vec<&str> = patterns.map(|maker| maker.text.as_str()).collect();
                format!("{} (makes {})", self.nodes[command.index()].name, patterns.join(", "))
            }
            Meaning::NoTask => String::new(),
        }
    }

    fn unknown(&self, node: &Node, need: &Need, suggest: bool) -> GraphError {
        let name = need.to_string();
        let (task, kind, place) = (node.name.clone(), node.kind, need.place.clone());
        let nearest = suggest.then(|| self.nearest(need, &name)).flatten();
        match need.origin {
            Origin::Sql => GraphError::Unread { task, kind, name, nearest, place },
            Origin::Settings => GraphError::Unknown { task, kind, name, nearest, place },
        }
    }

    fn nearest(&self, need: &Need, name: &str) -> Option<String> {
        let is_meant = |node: &&Node| need.origin == Origin::Settings || node.kind.publishes();
        let meant = || self.nodes.iter().filter(is_meant);
        if need.schema.is_none() {
            let short = nearest(name, meant().map(|node| node.name.name.as_str()));
            return short.map(str::to_owned);
        }
        let full: Vec<String> = meant().map(|node| node.name.to_string()).collect();
        nearest(name, full.iter().map(String::as_str)).map(str::to_owned)
    }
}

impl Maker {
    fn new(command: NodeId, pattern: &str) -> Result<Self, globset::Error> {
        let (schema, table) = match pattern.split_once('.') {
            Some((schema, table)) => (Some(Glob::new(schema)?.compile_matcher()), table),
            None => (None, pattern),
        };
        let is_any = table.chars().all(|letter| letter == '*');
        let table = Glob::new(table)?.compile_matcher();
        Ok(Self { command, schema, table, is_any, text: pattern.to_owned() })
    }

    fn makes(&self, need: &Need) -> bool {
        let in_schema = match (&need.schema, &self.schema) {
            (Some(schema), Some(glob)) => glob.is_match(schema),
            (Some(_), None) => true,
            (None, _) => !self.is_any,
        };
        in_schema && self.table.is_match(&need.name)
    }
}

fn is_one_name(a: &Need, b: &Need) -> bool {
    a.name == b.name && (a.schema == b.schema || a.schema.is_none() || b.schema.is_none())
}
