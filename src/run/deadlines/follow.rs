//! A task with a deadline: which of its deadlines counts now.

use jiff::{Timestamp, tz::TimeZone};

use super::watch::Watch;
use crate::{
    config::{Deadline, Due},
    dag::NodeId,
};

/// A task with a deadline, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    pub(super) task: NodeId,
    pub(super) deadline: Deadline,
    /// When it last came to a good end.
    pub(super) done_at: Option<Timestamp>,
    pub(super) watch: Watch,
}

impl Followed {
    pub(super) fn new(task: NodeId, deadline: Deadline, done_at: Option<Timestamp>) -> Self {
        Self { task, deadline, done_at, watch: Watch::default() }
    }

    /// The deadline that counts: the last one until it is done for it, else the next. A task that never came to a
    /// good end has missed nothing that lay before it was first looked at.
    pub(super) fn due(&self, since: Timestamp, now: Timestamp, zone: &TimeZone) -> Option<Due> {
        let last = self.deadline.last(now, zone).filter(|last| match self.done_at {
            Some(done_at) => done_at < last.since,
            None => last.at >= since,
        });
        last.or_else(|| self.deadline.next(now, zone))
    }

    /// When it was done for a deadline.
    pub(super) fn met_at(&self, due: Due) -> Option<Timestamp> {
        self.done_at.filter(|done_at| *done_at >= due.since)
    }
}
