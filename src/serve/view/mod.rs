//! What the service shows of a project, as plain data: the pages, the API and the metrics are made of it.
//!
//! All of it comes from the control database and the project's text, in a number of statements that does not grow with
//! the history. No statement goes to the warehouse or a source, so that a serverless one can sleep.

mod argument;
mod check;
mod deadline;
mod desk;
mod graph;
mod incident;
mod run;
mod table;
mod task;

use crate::{
    control::ControlError,
    error::{Class, Failure, Fault},
    run::RunError,
};

pub(super) use self::{
    argument::{argument, is_hidden, selecting},
    check::{Check, checks},
    deadline::Deadline,
    desk::{Desk, Look},
    graph::{Choice, Picture, choose, json as graph_json},
    incident::{Incident, incidents},
    run::{Attempt, Compared, Run, RunPage, RunTask, SHOWN as TASKS_SHOWN, run, runs},
    table::{Load, TablePage, table},
    task::Task,
};

#[cfg(test)]
pub(super) use self::{desk::Turns, graph::GraphDocument};

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum ViewError {
    /// The service has only just begun.
    #[error("the control database was not reached yet")]
    NotReached,
    /// It does not answer, or not as it should.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The project cannot be read as it is.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// What is selected is not there.
    #[error("{message}")]
    Nothing {
        /// What is wrong with it.
        message: String,
        /// What to select instead.
        hint: Option<String>,
    },
    /// The question makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// What to ask instead.
        hint: Option<String>,
    },
}

impl Fault for ViewError {
    fn class(&self) -> Class {
        match self {
            Self::NotReached => Class::Passing,
            Self::Control(error) => error.class(),
            Self::Run(error) => error.class(),
            Self::Unknown { .. } | Self::Nothing { .. } | Self::Usage { .. } => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotReached => Some("it is waited for; /readyz says why it does not answer".to_owned()),
            Self::Control(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Unknown { .. } => None,
            Self::Nothing { hint, .. } | Self::Usage { hint, .. } => hint.clone(),
        }
    }
}

/// What is wrong, as plain data.
pub(super) fn failure(error: &ViewError) -> Failure {
    Failure::of(error)
}
