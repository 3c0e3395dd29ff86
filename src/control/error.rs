//! What can go wrong with the control database.

use crate::{
    error::{Class, Fault},
    pg::PgError,
};

/// An error of the control database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A statement failed, or the database cannot be reached.
    #[error("the control database failed")]
    Failed(#[source] PgError),
    /// No connection of the pool became free.
    #[error("the control database's pool gave no connection: {what}")]
    Pool {
        /// What the pool says.
        what: String,
    },
    /// No answer in time.
    #[error("cannot {doing}: the control database has not answered for {seconds} s")]
    Silent {
        /// What was attempted: an infinitive with its object.
        doing: &'static str,
        /// For how long.
        seconds: u64,
    },
    /// Another service has the schedule's tick by now.
    #[error("the run was not begun: another service took its tick over")]
    TickTaken,
    /// The process is ending.
    #[error("the control database was not asked: the process is ending")]
    Ending,
    /// A newer barncat has changed it in a way that this one does not know.
    #[error(
        "the control database's migration {found} needs a barncat that knows migration {needed}; this one knows {known}"
    )]
    Newer {
        /// Its newest migration.
        found: i32,
        /// What one must know to use it.
        needed: i32,
        /// The newest that this release knows.
        known: i32,
    },
    /// A migration was applied in another form.
    #[error("the control database's migration {number} ({name}) is not the one that this barncat has")]
    Altered {
        /// Its number.
        number: i32,
        /// Its name.
        name: String,
    },
}

impl Fault for ControlError {
    fn class(&self) -> Class {
        match self {
            Self::Failed(source) => source.class(),
            Self::Pool { .. } | Self::Silent { .. } | Self::Ending => Class::Passing,
            Self::TickTaken => Class::Held,
            Self::Newer { .. } | Self::Altered { .. } => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Failed(source) => source.hint(),
            Self::Pool { .. } | Self::Silent { .. } | Self::Ending | Self::TickTaken => None,
            Self::Newer { .. } => Some("use the barncat that made the change, or a newer one".to_owned()),
            Self::Altered { .. } => Some(
                "migrations are never edited; was this schema made by a build between releases?".to_owned(),
            ),
        }
    }
}
