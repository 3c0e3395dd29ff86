//! `SELECT`: which tasks are meant.
//!
//! Words are joined, by blanks too; of words with commas between them only what all mean is left. A
//! `+` before a word adds all that it needs, one behind it all that needs it; a number there says how
//! many steps far.

mod pool;
mod word;

use std::collections::{HashMap, HashSet};

pub use self::pool::Candidate;
use self::{pool::Pool, word::Word};
use super::{Graph, NodeId};
use crate::{
    error::{Class, Fault},
    event::TaskStatus,
    sql::TableName,
};

/// What is known of the tasks beyond their text, where it is.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The tasks that are not as they were when they were last published: `state:changed`.
    pub changed: Option<HashSet<NodeId>>,
    /// How each task ended the last time: `result:failed`.
    pub results: Option<HashMap<NodeId, TaskStatus>>,
}

/// A selection that means nothing, or too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// No such task.
    #[error("there is no task `{name}`")]
    Unknown {
        /// As it was written.
        name: String,
        /// The task whose name is nearest.
        nearest: Option<String>,
    },
    /// A name without its schema that several tasks have.
    #[error("`{name}` could be any of {}", choices.join(", "))]
    Ambiguous {
        /// As it was written.
        name: String,
        /// The tasks that have it.
        choices: Vec<String>,
    },
    /// A prefix that is none.
    #[error("`{word}` selects by nothing known")]
    Method {
        /// As it was written.
        word: String,
    },
    /// A state or a result that is none.
    #[error("`{word}` is no state of a task")]
    Fact {
        /// As it was written.
        word: String,
        /// What there is.
        choices: &'static str,
    },
    /// A state or a result where nobody knows any.
    #[error("`{word}` cannot be selected by here")]
    NotKnown {
        /// As it was written.
        word: String,
    },
    /// An argument without a word in it: of a variable that is not set, say.
    #[error("a selection is empty")]
    Empty,
    /// A pattern, tag, tier, kind or source that no task has.
    #[error("no task is selected by `{word}`")]
    Nothing {
        /// As it was written.
        word: String,
    },
}

impl Fault for SelectError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Self::Unknown { nearest: None, .. } | Self::Nothing { .. } => {
                Some("`barncat plan` lists the tasks".to_owned())
            }
            Self::Ambiguous { .. } => Some("write it with its schema".to_owned()),
            Self::Method { .. } => {
                Some("there are tier:, kind:, source:, tag:, state: and result:".to_owned())
            }
            Self::Fact { choices, .. } => Some(format!("there is {choices}")),
            Self::Empty => Some("leave it out to select all tasks".to_owned()),
            Self::NotKnown { .. } => Some("states and results are known where a run is known".to_owned()),
        }
    }
}

/// The tasks that `wanted` selects (empty: all) and `exclude` does not, in their own order; of tasks
/// that need no other one.
pub fn select(
    tasks: &[Candidate],
    wanted: &[String],
    exclude: &[String],
) -> Result<Vec<TableName>, SelectError> {
    let places = among(&Pool::of_candidates(tasks), wanted, exclude)?;
    Ok(places.map(|place| tasks[place].name.clone()).collect())
}

impl Graph {
    /// The tasks that `wanted` selects (empty: all) and `exclude` does not, in the order of the names.
    pub fn select(
        &self,
        facts: &Facts,
        wanted: &[String],
        exclude: &[String],
    ) -> Result<Vec<NodeId>, SelectError> {
        Ok(among(&Pool::of_graph(self, facts), wanted, exclude)?.map(NodeId::new).collect())
    }
}

/// Whether any of these selections asks for what [`Facts::changed`] is: it is not cheap to know.
pub fn asks_for_changes<'a>(texts: impl IntoIterator<Item = &'a String>) -> bool {
    each(texts).any(|word| word.method == Some("state"))
}

/// Whether any of these selections asks for what changes from run to run: then it may well mean nothing.
pub fn asks_for_facts<'a>(texts: impl IntoIterator<Item = &'a String>) -> bool {
    each(texts).any(|word| word.is_fact())
}

fn each<'a>(texts: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = Word<'a>> {
    let parts = texts.into_iter().flat_map(|text| text.split_whitespace()).flat_map(word::parts);
    parts.map(Word::parse)
}

fn among(
    pool: &Pool<'_>,
    wanted: &[String],
    exclude: &[String],
) -> Result<impl Iterator<Item = usize> + use<>, SelectError> {
    let kept = if wanted.is_empty() { vec![true; pool.len()] } else { union(pool, wanted)? };
    let dropped = union(pool, exclude)?;
    let is_in = move |place: &usize| kept[*place] && !dropped[*place];
    Ok((0..pool.len()).filter(is_in))
}

fn union(pool: &Pool<'_>, texts: &[String]) -> Result<Vec<bool>, SelectError> {
    let mut selected = vec![false; pool.len()];
    let mut add = |meant: Vec<bool>| {
        selected.iter_mut().zip(meant).for_each(|(selected, meant)| *selected |= meant);
    };
    for text in texts {
        if text.trim().is_empty() {
            return Err(SelectError::Empty);
        }
        // A name may have blanks in it, and commas.
        if pool.has(text) {
            add(pool.by_name(text)?);
            continue;
        }
        for word in text.split_whitespace() {
            add(intersection(pool, word)?);
        }
    }
    Ok(selected)
}

fn intersection(pool: &Pool<'_>, text: &str) -> Result<Vec<bool>, SelectError> {
    let mut all = vec![true; pool.len()];
    let mut may_be_empty = false;
    for part in word::parts(text) {
        let word = Word::parse(part);
        may_be_empty |= word.is_fact();
        let meant = word.spread(pool, pool.meant(&word)?);
        all.iter_mut().zip(meant).for_each(|(all, meant)| *all &= meant);
    }
    // That nothing changed or failed is no mistake.
    if may_be_empty || all.contains(&true) {
        return Ok(all);
    }
    Err(SelectError::Nothing { word: text.to_owned() })
}

#[cfg(test)]
mod tests;
