//! What is selected from: the tasks of a graph, or tasks that need no other one.

use globset::{Glob, GlobMatcher};

use super::{
    super::{Graph, NodeId, words},
    Facts, SelectError,
    word::Word,
};
use crate::{config::nearest, event::Tier, sql::TableName};

/// A task that can be selected.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its full name.
    pub name: TableName,
    /// `load`, later `model` and `check`.
    pub kind: String,
    /// Its tier.
    pub tier: Tier,
    /// Its source, where it has one.
    pub source: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// The tasks, and what is known of them.
pub(super) struct Pool<'a> {
    tasks: Vec<Task<'a>>,
    graph: Option<(&'a Graph, &'a Facts)>,
}

struct Task<'a> {
    schema: Option<&'a str>,
    name: &'a str,
    kind: &'a str,
    tier: Tier,
    source: Option<&'a str>,
    tags: &'a [String],
}

const RESULTS: &str = "succeeded, unchanged, failed, blocked, held, skipped and cancelled";

impl<'a> Pool<'a> {
    pub(super) fn of_candidates(candidates: &'a [Candidate]) -> Self {
        let task = |candidate: &'a Candidate| Task {
            schema: Some(&candidate.name.schema),
            name: &candidate.name.name,
            kind: &candidate.kind,
            tier: candidate.tier,
            source: candidate.source.as_deref(),
            tags: &candidate.tags,
        };
        Self { tasks: candidates.iter().map(task).collect(), graph: None }
    }

    pub(super) fn of_graph(graph: &'a Graph, facts: &'a Facts) -> Self {
        let task = |id: NodeId| {
            let node = graph.node(id);
            Task {
                schema: node.name.schema.as_deref(),
                name: &node.name.name,
                kind: node.kind.as_str(),
                tier: graph.tier(id),
                source: node.source.as_deref(),
                tags: &node.tags,
            }
        };
        Self { tasks: graph.tasks().map(task).collect(), graph: Some((graph, facts)) }
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn graph(&self) -> Option<&'a Graph> {
        self.graph.map(|(graph, _)| graph)
    }

    /// The tasks that a word means, without what they need and what needs them.
    pub(super) fn meant(&self, word: &Word<'_>) -> Result<Vec<bool>, SelectError> {
        let value = word.value;
        match word.method {
            Some("tier") => self.some(word, |task| value == words::of_tier(task.tier)),
            Some("kind") => self.some(word, |task| task.kind == value),
            Some("source") => self.some(word, |task| task.source == Some(value)),
            Some("tag") => self.some(word, |task| task.tags.iter().any(|tag| tag == value)),
            Some("state") => self.by_state(word),
            Some("result") => self.by_result(word),
            Some(_) => Err(SelectError::Method { word: word.text.to_owned() }),
            None if value.contains(['*', '?', '[', '{']) => {
                let nothing = |_| SelectError::Nothing { word: word.text.to_owned() };
                let glob: GlobMatcher = Glob::new(value).map_err(nothing)?.compile_matcher();
                self.some(word, |task| glob.is_match(task.full_name()) || glob.is_match(task.name))
            }
            None => self.by_name(value),
        }
    }

    fn some(&self, word: &Word<'_>, is_meant: impl Fn(&Task<'a>) -> bool) -> Result<Vec<bool>, SelectError> {
        let meant: Vec<bool> = self.tasks.iter().map(is_meant).collect();
        if meant.contains(&true) {
            Ok(meant)
        } else {
            Err(SelectError::Nothing { word: word.text.to_owned() })
        }
    }

    fn by_state(&self, word: &Word<'_>) -> Result<Vec<bool>, SelectError> {
        if word.value != "changed" {
            return Err(SelectError::Fact { word: word.text.to_owned(), choices: "state:changed" });
        }
        let changed = self.graph.and_then(|(_, facts)| facts.changed.as_ref());
        let changed = changed.ok_or_else(|| SelectError::NotKnown { word: word.text.to_owned() })?;
        Ok(self.places().map(|task| changed.contains(&task)).collect())
    }

    fn by_result(&self, word: &Word<'_>) -> Result<Vec<bool>, SelectError> {
        let wanted = words::status(word.value)
            .ok_or_else(|| SelectError::Fact { word: word.text.to_owned(), choices: RESULTS })?;
        let results = self.graph.and_then(|(_, facts)| facts.results.as_ref());
        let results = results.ok_or_else(|| SelectError::NotKnown { word: word.text.to_owned() })?;
        Ok(self.places().map(|task| results.get(&task) == Some(&wanted)).collect())
    }

    fn places(&self) -> impl Iterator<Item = NodeId> {
        (0..self.tasks.len()).map(NodeId::new)
    }

    /// Whether it is the name of a task, with its schema or without.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tasks.iter().any(|task| task.name == name || task.is_full_name(name))
    }

    /// A full name is nobody else's; one without its schema must be one task's alone.
    pub(super) fn by_name(&self, name: &str) -> Result<Vec<bool>, SelectError> {
        let all = || self.tasks.iter();
        if all().any(|task| task.is_full_name(name)) {
            return Ok(all().map(|task| task.is_full_name(name)).collect());
        }
        let named: Vec<&Task<'a>> = all().filter(|task| task.name == name).collect();
        match named.as_slice() {
            [_] => Ok(all().map(|task| task.name == name).collect()),
            [] => {
                let names: Vec<String> = all().map(Task::full_name).collect();
                let known = names.iter().map(String::as_str).chain(all().map(|task| task.name));
                let nearest = nearest(name, known).map(str::to_owned);
                Err(SelectError::Unknown { name: name.to_owned(), nearest })
            }
            several => Err(SelectError::Ambiguous {
                name: name.to_owned(),
                choices: several.iter().map(|task| task.full_name()).collect(),
            }),
        }
    }
}

impl Task<'_> {
    fn full_name(&self) -> String {
        match self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.to_owned(),
        }
    }

    fn is_full_name(&self, name: &str) -> bool {
        match self.schema {
            Some(schema) => {
                name.strip_prefix(schema).and_then(|rest| rest.strip_prefix('.')) == Some(self.name)
            }
            None => name == self.name,
        }
    }
}
