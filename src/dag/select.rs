//! `SELECT`: which tasks are meant.

use std::collections::BTreeSet;

use globset::Glob;

use crate::{
    config::nearest,
    error::{Class, Fault},
    event::Tier,
    sql::TableName,
};

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
            Self::Method { .. } => Some("there are tier:, kind:, source: and tag:".to_owned()),
        }
    }
}

/// The tasks that `wanted` selects (empty: all) and `exclude` does not, in their own order. A `+`
/// before or behind a name adds what it needs or what needs it: a load needs no other task.
pub fn select(
    tasks: &[Candidate],
    wanted: &[String],
    exclude: &[String],
) -> Result<Vec<TableName>, SelectError> {
    let all = || tasks.iter().map(|task| task.name.clone()).collect();
    let kept = if wanted.is_empty() { all() } else { union(tasks, wanted)? };
    let dropped = union(tasks, exclude)?;
    let is_in = |task: &&Candidate| kept.contains(&task.name) && !dropped.contains(&task.name);
    Ok(tasks.iter().filter(is_in).map(|task| task.name.clone()).collect())
}

fn union(tasks: &[Candidate], words: &[String]) -> Result<BTreeSet<TableName>, SelectError> {
    let mut selected = BTreeSet::new();
    for word in words {
        selected.extend(one(tasks, word)?);
    }
    Ok(selected)
}

fn one(tasks: &[Candidate], word: &str) -> Result<Vec<TableName>, SelectError> {
    let bare = word.strip_prefix('+').unwrap_or(word);
    let bare = bare.strip_suffix('+').unwrap_or(bare);
    if let Some((method, value)) = bare.split_once(':') {
        let by: fn(&Candidate, &str) -> bool = match method {
            "tier" => {
                |task, value| value == if task.tier == Tier::Critical { "critical" } else { "optional" }
            }
            "kind" => |task, value| task.kind == value,
            "source" => |task, value| task.source.as_deref() == Some(value),
            "tag" => |task, value| task.tags.iter().any(|tag| tag == value),
            _ => return Err(SelectError::Method { word: word.to_owned() }),
        };
        return some(tasks, word, |task| by(task, value));
    }
    if bare.contains(['*', '?', '[', '{']) {
        let glob =
            Glob::new(bare).map_err(|_| SelectError::Nothing { word: word.to_owned() })?.compile_matcher();
        return some(tasks, word, |task| {
            glob.is_match(task.name.to_string()) || glob.is_match(&task.name.name)
        });
    }
    by_name(tasks, bare)
}

fn some(
    tasks: &[Candidate],
    word: &str,
    is_meant: impl Fn(&Candidate) -> bool,
) -> Result<Vec<TableName>, SelectError> {
    let selected: Vec<_> = tasks.iter().filter(|task| is_meant(task)).map(|task| task.name.clone()).collect();
    if selected.is_empty() { Err(SelectError::Nothing { word: word.to_owned() }) } else { Ok(selected) }
}

fn by_name(tasks: &[Candidate], name: &str) -> Result<Vec<TableName>, SelectError> {
    if let Some(task) = tasks.iter().find(|task| task.name.to_string() == name) {
        return Ok(vec![task.name.clone()]);
    }
    let named: Vec<_> =
        tasks.iter().filter(|task| task.name.name == name).map(|task| task.name.clone()).collect();
    match named.as_slice() {
        [_] => Ok(named),
        [] => {
            let names: Vec<String> = tasks.iter().map(|task| task.name.to_string()).collect();
            let known =
                names.iter().map(String::as_str).chain(tasks.iter().map(|task| task.name.name.as_str()));
            Err(SelectError::Unknown {
                name: name.to_owned(),
                nearest: nearest(name, known).map(str::to_owned),
            })
        }
        several => Err(SelectError::Ambiguous {
            name: name.to_owned(),
            choices: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Vec<Candidate> {
        let task = |schema: &str, name: &str, tier, tags: &[&str]| Candidate {
            name: TableName::new(schema, name),
            kind: "load".to_owned(),
            tier,
            source: Some("shop".to_owned()),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        vec![
            task("a", "orders", Tier::Critical, &["hot"]),
            task("a", "riders", Tier::Optional, &[]),
            task("b", "riders", Tier::Optional, &["hot"]),
        ]
    }

    fn names(wanted: &[&str], exclude: &[&str]) -> Result<Vec<String>, SelectError> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        select(&tasks(), &own(wanted), &own(exclude))
            .map(|names| names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn tasks_are_selected_by_what_they_are() {
        let cases: [(&[&str], &[&str], &[&str]); 8] = [
            (&[], &[], &["a.orders", "a.riders", "b.riders"]),
            (&["orders"], &[], &["a.orders"]),
            (&["+orders+"], &[], &["a.orders"]),
            (&["b.*"], &[], &["b.riders"]),
            (&["rid*"], &["a.riders"], &["b.riders"]),
            (&["tag:hot"], &[], &["a.orders", "b.riders"]),
            (&["tier:optional", "kind:load"], &["source:shop"], &[]),
            (&["a.riders", "tier:critical"], &[], &["a.orders", "a.riders"]),
        ];
        for (wanted, exclude, expected) in cases {
            assert_eq!(names(wanted, exclude).unwrap(), expected, "{wanted:?} {exclude:?}");
        }
    }

    #[test]
    fn what_means_nothing_or_too_much_is_refused() {
        let unknown = SelectError::Unknown { name: "ordrs".into(), nearest: Some("orders".into()) };
        assert_eq!(names(&["ordrs"], &[]), Err(unknown));
        let choices = vec!["a.riders".into(), "b.riders".into()];
        assert_eq!(names(&["riders"], &[]), Err(SelectError::Ambiguous { name: "riders".into(), choices }));
        assert_eq!(names(&["tag:cold"], &[]), Err(SelectError::Nothing { word: "tag:cold".into() }));
        assert_eq!(names(&["color:red"], &[]), Err(SelectError::Method { word: "color:red".into() }));
    }
}
