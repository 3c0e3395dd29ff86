//! Whether what a task needs is there.

use std::time::Duration;

use jiff::Timestamp;

use super::{Because, Cause, Scheduler, StaleInput, Why, scheduler::State};
use crate::dag::{Edge, NodeId};

/// What a task takes as it was last published.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    pub(super) stale: Vec<StaleInput>,
    /// When the first of them is too old.
    pub(super) good_until: Option<Timestamp>,
}

/// What a task needs and cannot have.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) through: NodeId,
    pub(super) cause: Cause,
    pub(super) too_old: Option<Duration>,
}

impl Scheduler<'_> {
    /// What is known by now of a task's inputs: those still to come refuse nothing.
    pub(super) fn inputs(&self, task: NodeId, now: Timestamp) -> Result<Inputs, Refusal> {
        let mut inputs = Inputs::default();
        for edge in self.graph.needs(task) {
            let because = match self.state(edge.task) {
                State::Waiting | State::Ready | State::Running | State::Well => continue,
                State::Outside => Because::NotSelected,
                State::Held => Because::Held,
                State::Skipped => Because::Skipped,
                State::Failed => Because::Failed,
                State::Cancelled => Because::Cancelled,
                State::Blocked => Because::Blocked,
            };
            let is_bad = matches!(because, Because::Failed | Because::Cancelled | Because::Blocked);
            let as_published =
                if is_bad && edge.way.is_hard() { Err(None) } else { self.as_published(edge, now) };
            match as_published {
                Ok(Some((as_of, age))) => {
                    let is_soft = !edge.way.is_hard();
                    inputs.stale.push(StaleInput { task: edge.task, as_of, age, is_soft, because });
                    inputs.good_until = earliest(inputs.good_until, good_until(edge, as_of));
                }
                Ok(None) => {}
                Err(why) => return Err(self.refusal(edge.task, why)),
            }
        }
        Ok(inputs)
    }

    /// What was published before, if it will do.
    fn as_published(
        &self,
        edge: &Edge,
        now: Timestamp,
    ) -> Result<Option<(Timestamp, Duration)>, Option<Why>> {
        let Some(as_of) = self.published(edge.task) else {
            // What leaves no table behind cannot be missed by who reads tables.
            let is_needless = !self.graph.node(edge.task).kind.publishes() && edge.way.max_age().is_none();
            return if is_needless { Ok(None) } else { Err(Some(Why::NeverPublished)) };
        };
        // A source's clock may be ahead.
        let age = now.duration_since(as_of).try_into().unwrap_or_default();
        match edge.way.max_age() {
            Some(max_age) if age > max_age => Err(Some(Why::TooOld { age, max_age })),
            _ => Ok(Some((as_of, age))),
        }
    }

    fn refusal(&self, through: NodeId, why: Option<Why>) -> Refusal {
        let too_old = match why {
            Some(Why::TooOld { age, .. }) => Some(age),
            _ => None,
        };
        let cause = match (self.state(through), why) {
            (State::Blocked, _) => self.cause(through),
            (State::Cancelled, _) => Cause { task: through, why: Why::Cancelled },
            (State::Outside | State::Held | State::Skipped, Some(why)) => Cause { task: through, why },
            _ => Cause { task: through, why: Why::Failed },
        };
        Refusal { through, cause, too_old }
    }
}

fn good_until(edge: &Edge, as_of: Timestamp) -> Option<Timestamp> {
    // An age that ends beyond all time never does.
    as_of.checked_add(edge.way.max_age()?).ok()
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min()
}
