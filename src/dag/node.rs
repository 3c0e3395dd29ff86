//! What a task says of itself, as it was written.

use std::{fmt, time::Duration};

use super::TaskName;
use crate::{config::Place, event::Tier};

/// What a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Brings a table from a source.
    Load,
    /// Makes a table or a view in the warehouse.
    Model,
    /// Says whether the outcome is as it should be.
    Check,
    /// Starts another program.
    Command,
}

impl Kind {
    /// As it is selected by and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Model => "model",
            Self::Check => "check",
            Self::Command => "command",
        }
    }

    /// Whether there is a table after it, which others can read when the task fails the next time.
    pub fn publishes(self) -> bool {
        matches!(self, Self::Load | Self::Model)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A task, before it is known what its names mean.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its full name.
    pub name: TaskName,
    /// What it is.
    pub kind: Kind,
    /// Where it is written.
    pub place: Place,
    /// The tier that it was given by hand.
    pub tier: Option<Tier>,
    /// Whether it has a deadline, which makes it critical.
    pub has_deadline: bool,
    /// What it cannot run without: what its SQL reads, and what its settings list.
    pub needs: Vec<Need>,
    /// What it waits for, and goes on without. A name that the SQL reads too is meant once, softly.
    pub soft: Vec<Need>,
    /// Whether its SQL may read its own table, as that of an incremental model may.
    pub may_read_itself: bool,
    /// Of a command: globs of the tables that it makes. A name that matches stands for the command.
    pub makes: Vec<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its source, where it has one.
    pub source: Option<String>,
    /// The task whose tier is its own too, without anybody's being the more critical for it.
    pub tier_of: Option<TaskName>,
}

impl Node {
    /// A task that needs nothing.
    pub fn new(name: impl Into<TaskName>, kind: Kind, place: Place) -> Self {
        Self {
            name: name.into(),
            kind,
            place,
            tier: None,
            has_deadline: false,
            needs: Vec::new(),
            soft: Vec::new(),
            may_read_itself: false,
            makes: Vec::new(),
            tags: Vec::new(),
            source: None,
            tier_of: None,
        }
    }
}

/// Something that a task needs, as it is written.
#[derive(Debug, Clone)]
pub struct Need {
    /// The schema, where it is written.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
    /// Where.
    pub place: Place,
    /// By whom.
    pub origin: Origin,
    /// Of a soft one: how old its published data may be when it could not be brought up to date;
    /// `None`: as old as may be.
    pub max_age: Option<Duration>,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Where a need is read from. SQL may read tables that barncat does not make; settings may not name
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The task's SQL.
    Sql,
    /// `needs` or `soft` among its settings.
    Settings,
}
