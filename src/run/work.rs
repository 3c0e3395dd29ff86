//! What is done with a task's table: load it, or something that a person asked for by hand.

use super::Request;
use crate::load::{
    Attempt, LoadError, Loaded, Verified, Verify, Workshop, adopt, ask_again, load, load_group, replay,
    restore, verify,
};

/// What is done with each of a run's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// It is loaded.
    Load,
    /// It is compared with its source, after a load or instead of one.
    Verify(Verify),
    /// It is taken over as it is.
    Adopt {
        /// Its rows are compared.
        with_rows: bool,
    },
    /// Its checks are asked; nothing is brought.
    Check,
    /// An earlier state of it is published again.
    Restore {
        /// The load whose state it is; the beginning of its id will do.
        load: String,
    },
    /// Its rows are made again of what its service answered for a load.
    Replay {
        /// The load; the beginning of its id will do. `None`: the last one.
        load: Option<String>,
    },
    /// Requests that failed are sent again.
    AskAgain,
}

impl Work {
    /// The same as a verb: the kind of the run's tasks.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Verify(_) => "verify",
            Self::Check => "check",
            Self::Adopt { .. } => "adopt",
            Self::Restore { .. } => "restore",
            Self::Replay { .. } | Self::AskAgain => "replay",
        }
    }

    /// Whether it waits for a table that a person put on hold to be released: it would publish, and was
    /// not asked for by the same hand.
    pub(super) fn heeds_holds(&self) -> bool {
        match self {
            Self::Load => true,
            Self::Verify(how) => !how.as_is,
            Self::Check
            | Self::Adopt { .. }
            | Self::Restore { .. }
            | Self::Replay { .. }
            | Self::AskAgain => false,
        }
    }

    /// Whether a task that is not critical fails the run too: it was asked for by name.
    pub(super) fn all_count(&self) -> bool {
        !matches!(self, Self::Load)
    }

    /// One attempt at each of these tables; the answers are in their order.
    pub(super) async fn attempt(
        &self,
        workshop: &Workshop,
        attempts: &[Attempt],
    ) -> Vec<Result<Verified, LoadError>> {
        let loaded = match (self, attempts) {
            (Self::Verify(how), attempts) => return verify(workshop, attempts, *how).await,
            (Self::Load, [_, _, ..]) => load_group(workshop, attempts).await,
            _ => {
                let mut done = Vec::with_capacity(attempts.len());
                for attempt in attempts {
                    done.push(self.one(workshop, attempt).await);
                }
                done
            }
        };
        let alone = |loaded| Verified { loaded: Some(loaded), verification: None };
        loaded.into_iter().map(|loaded| loaded.map(alone)).collect()
    }

    /// One attempt at one table, whatever becomes of others.
    async fn one(&self, workshop: &Workshop, attempt: &Attempt) -> Result<Loaded, LoadError> {
        match self {
            Self::Adopt { with_rows } => adopt(workshop, attempt, *with_rows).await,
            Self::Restore { load } => restore(workshop, attempt, load).await,
            Self::Replay { load } => replay(workshop, attempt, load.as_deref()).await,
            Self::AskAgain => ask_again(workshop, attempt).await,
            Self::Load | Self::Check | Self::Verify(_) => load(workshop, attempt).await,
        }
    }
}

/// What a request says of each attempt.
#[derive(Debug, Clone)]
pub(super) struct How {
    pub(super) full: bool,
    pub(super) accept_shrink: bool,
    pub(super) accept_measures: bool,
    pub(super) work: Work,
}

impl How {
    pub(super) fn of(request: &Request) -> Self {
        let Request { full, accept_shrink, accept_measures, .. } = *request;
        Self { full, accept_shrink, accept_measures, work: request.work.clone() }
    }
}
