//! Why a command came to an early end.

use std::io;

use super::{exit::Exit, output::Output};
use crate::error::{Class, Failure, Fault};

/// Why a command came to an early end: printed on stderr, and the exit status.
#[derive(Debug)]
pub(super) enum Complaint {
    /// Any error.
    Failure(Failure),
}

impl Complaint {
    /// An error of the machine itself.
    pub(super) fn of_io(doing: &str, error: &io::Error) -> Self {
        Self::Failure(Failure { class: Class::Lasting, message: format!("{doing}: {error}"), hint: None })
    }

    /// The exit status.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Failure(failure) => Exit::of_class(failure.class),
        }
    }

    /// Tells people.
    pub(super) fn print(&self, output: &Output) {
        match self {
            Self::Failure(failure) => output.error(&failure.message, None, failure.hint.as_deref()),
        }
    }
}

impl From<Failure> for Complaint {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<E: Fault> From<E> for Complaint {
    fn from(error: E) -> Self {
        Self::Failure(Failure::of(&error))
    }
}

impl From<Box<dyn Fault + Send + Sync>> for Complaint {
    fn from(error: Box<dyn Fault + Send + Sync>) -> Self {
        Self::Failure(Failure::of(error.as_ref()))
    }
}
