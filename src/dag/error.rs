//! What makes a project's tasks no graph.

use super::{Kind, TaskName};
use crate::{
    config::{Mistake, Place},
    error::{Class, Fault},
};

/// A mistake in what a task needs, or in how important it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Two tasks of one name.
    #[error("two tasks have the name `{name}`: here and in {}", places[0])]
    TwoOfOneName {
        /// The name.
        name: TaskName,
        /// Where the tasks are written.
        places: [Place; 2],
    },
    /// SQL reads a table without a schema that nothing makes.
    #[error("{kind} `{task}` reads `{name}`, which no loader or model makes")]
    Unread {
        /// The task.
        task: TaskName,
        /// What it is.
        kind: Kind,
        /// As it is written.
        name: String,
        /// The task whose name is nearest.
        nearest: Option<String>,
        /// Where.
        place: Place,
    },
    /// Settings name a task that is not there.
    #[error("{kind} `{task}` needs `{name}`, and there is no such task")]
    Unknown {
        /// The task.
        task: TaskName,
        /// What it is.
        kind: Kind,
        /// As it is written.
        name: String,
        /// The task whose name is nearest.
        nearest: Option<String>,
        /// Where.
        place: Place,
    },
    /// A name without its schema that several tasks have.
    #[error("`{name}`, which {kind} `{task}` needs, could be any of {}", choices.join(", "))]
    Ambiguous {
        /// The task.
        task: TaskName,
        /// What it is.
        kind: Kind,
        /// As it is written.
        name: String,
        /// The tasks that have it.
        choices: Vec<String>,
        /// Where.
        place: Place,
    },
    /// A task that reads itself.
    #[error("{kind} `{task}` needs itself")]
    Itself {
        /// The task.
        task: TaskName,
        /// What it is.
        kind: Kind,
        /// Where.
        place: Place,
    },
    /// A name among `needs` and among `soft`.
    #[error("{kind} `{task}` has `{name}` among both `needs` and `soft`")]
    HardAndSoft {
        /// The task.
        task: TaskName,
        /// What it is.
        kind: Kind,
        /// As it is written in `soft`.
        name: String,
        /// Where it is written in `soft`.
        place: Place,
    },
    /// Tasks that need each other.
    #[error("`{task}` needs itself: {path}")]
    Cycle {
        /// The first of them by name.
        task: TaskName,
        /// `a → b ⇢ c → a`: each needs the next one, by hard or soft edges.
        path: String,
        /// Where the first of them is written.
        place: Place,
    },
    /// A task that is optional by hand and that something critical cannot go without.
    #[error("`{task}` is marked optional, but `{critical}` is critical and cannot go without it: {path}")]
    OptionalNeeded {
        /// The optional task.
        task: TaskName,
        /// The nearest task that is critical by itself.
        critical: TaskName,
        /// The task next to the optional one on the way.
        by: TaskName,
        /// `critical → … → task`.
        path: String,
        /// Where the optional task is written.
        place: Place,
    },
    /// A deadline of a task that is optional by hand.
    #[error("`{task}` is marked optional, but has a deadline, which makes it critical")]
    OptionalWithDeadline {
        /// The task.
        task: TaskName,
        /// Where it is written.
        place: Place,
    },
    /// What a command makes, written as no pattern can be.
    #[error("`{pattern}` among what command `{task}` makes is no pattern")]
    Pattern {
        /// The command.
        task: TaskName,
        /// As it is written.
        pattern: String,
        /// Where the command is written.
        place: Place,
    },
}

impl GraphError {
    /// Where it is written.
    pub fn place(&self) -> &Place {
        match self {
            Self::TwoOfOneName { places: [_, place], .. }
            | Self::Unread { place, .. }
            | Self::Unknown { place, .. }
            | Self::Ambiguous { place, .. }
            | Self::Itself { place, .. }
            | Self::HardAndSoft { place, .. }
            | Self::Cycle { place, .. }
            | Self::OptionalNeeded { place, .. }
            | Self::OptionalWithDeadline { place, .. }
            | Self::Pattern { place, .. } => place,
        }
    }
}

impl Fault for GraphError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TwoOfOneName { .. } => "rename one of them; a loader's row has `as` for that".to_owned(),
            Self::Unread { nearest: Some(nearest), .. } => format!(
                "there is a task `{nearest}`; a table that barncat does not make is written with its schema"
            ),
            Self::Unread { nearest: None, .. } => {
                "a table that barncat does not make is written with its schema".to_owned()
            }
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::Unknown { nearest: None, .. } => "`barncat graph` lists the tasks".to_owned(),
            Self::Ambiguous { .. } => "write it with its schema".to_owned(),
            Self::Itself { kind: Kind::Model, .. } => {
                "only a model of `kind = \"incremental\"` may read its own table".to_owned()
            }
            Self::Itself { .. } => return None,
            Self::HardAndSoft { .. } => "leave it in one of them".to_owned(),
            Self::Cycle { .. } => "a soft edge counts too: a task waits for it".to_owned(),
            Self::OptionalNeeded { task, by, .. } => format!(
                "let `{by}` go on without it by `soft = {{ \"{task}\" = \"24h\" }}`, or take its tier away"
            ),
            Self::OptionalWithDeadline { .. } => "take one of them away".to_owned(),
            Self::Pattern { .. } => "patterns are like `marts.*`".to_owned(),
        };
        Some(hint)
    }
}

impl From<&GraphError> for Mistake {
    fn from(error: &GraphError) -> Self {
        Self { message: error.to_string(), place: error.place().clone(), hint: error.hint() }
    }
}
