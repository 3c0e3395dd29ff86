//! Why a collection did not become whole.

use crate::{
    error::{Class, Failure, Fault},
    source::{SourceError, http::paging::PagingError},
    stage::StageError,
};

/// Why a collection did not become whole. What lies in the stage stays, to be gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The service.
    #[error("{}", Failure::of(.0.as_ref()))]
    Asked(SourceError),
    /// An answer in which records could not be counted.
    #[error("{}", Failure::of(.0.as_ref()))]
    Counted(SourceError),
    /// The pages contradict each other.
    #[error(transparent)]
    Paging(#[from] PagingError),
    /// The stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// What cannot be written as JSON.
    #[error("cannot write {what} of a collection")]
    Json {
        /// What.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
}

impl CollectError {
    /// Whether it lies in what is staged: gone on with, it would be the same again.
    pub fn is_of_answers(&self) -> bool {
        matches!(self, Self::Paging(_) | Self::Counted(_))
    }

    /// Whether records may have moved between pages: all of them asked anew may fit together.
    pub(super) fn is_drift(&self) -> bool {
        matches!(self, Self::Paging(error) if error.is_drift())
    }
}

impl Fault for CollectError {
    fn class(&self) -> Class {
        match self {
            Self::Asked(error) | Self::Counted(error) => error.class(),
            Self::Paging(error) => error.class(),
            Self::Stage(error) => error.class(),
            Self::Json { .. } => Class::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Asked(error) | Self::Counted(error) => error.hint(),
            Self::Paging(error) => error.hint(),
            Self::Stage(error) => error.hint(),
            Self::Json { .. } => None,
        }
    }
}
