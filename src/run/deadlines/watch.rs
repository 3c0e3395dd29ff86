//! What people are told of one deadline, and when: once that it will be missed, once that it was, once that it is met.

use jiff::Timestamp;

use super::judge::{Judged, Outlook};
use crate::{config::Due, dag::NodeId};

/// What is no longer in danger stays so for this long before people are told.
const STEADY_SECONDS: f64 = 5.0 * 60.0;

/// Something to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// It will be missed, as things stand.
    Danger,
    /// It was missed.
    Missed,
    /// It is met, or no longer in danger.
    Well,
}

/// One deadline's watch.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    due: Option<Due>,
    /// What was said last, and about which task that holds it up. Nothing: another process may have said anything.
    said: Option<(Say, Option<NodeId>)>,
    /// Since when it is safe.
    safe_since: Option<Timestamp>,
}

impl Watch {
    /// How the deadline stands now; what is to be said.
    pub fn step(&mut self, judged: &Judged, now: Timestamp) -> Option<Say> {
        let is_next = self.due.is_some_and(|due| due != judged.due);
        self.due = Some(judged.due);
        // The one before is settled if the next one is not over: what is missed stays until it is done.
        if is_next && !judged.is_missed(now) {
            self.safe_since = None;
            let was_wrong = matches!(self.said, Some((Say::Danger | Say::Missed, _)));
            if was_wrong && !judged.is_in_danger(now) {
                self.said = Some((Say::Well, None));
                return Some(Say::Well);
            }
        }
        let say = self.say(judged, now)?;
        let said = (say, held_up_by(judged));
        if self.said == Some(said) || (say == Say::Missed && matches!(self.said, Some((Say::Missed, _)))) {
            return None;
        }
        self.said = Some(said);
        Some(say)
    }

    fn say(&mut self, judged: &Judged, now: Timestamp) -> Option<Say> {
        if judged.is_met() {
            return Some(Say::Well);
        }
        if judged.is_missed(now) {
            return Some(Say::Missed);
        }
        if judged.is_in_danger(now) {
            self.safe_since = None;
            return Some(Say::Danger);
        }
        if !judged.is_safe(now) {
            self.safe_since = None;
            return None;
        }
        let since = *self.safe_since.get_or_insert(now);
        (now.duration_since(since).as_secs_f64() >= STEADY_SECONDS).then_some(Say::Well)
    }
}

/// The task that is at fault, for whether it became another one.
fn held_up_by(judged: &Judged) -> Option<NodeId> {
    match judged.outlook {
        Outlook::Expected { held_up, .. } => held_up.map(|delay| delay.task),
        Outlook::Lost { cause } => cause.map(|cause| cause.task),
        Outlook::Met { .. } | Outlook::Idle { .. } => None,
    }
}
