//! How a deadline stands: met, on its way, in danger, missed.

use jiff::Timestamp;

use super::{
    culprit::{Delay, began_at, culprit},
    forecast::{Fate, Forecast, Picture, after},
};
use crate::{
    config::Due,
    dag::NodeId,
    run::ready::{Cause, End, Why},
};

/// Until so long before a deadline people need not know, and the miss can become surer.
const EARLY_SECONDS: f64 = 12.0 * 60.0;

/// Until then the end must be past the deadline by this share of what is left to do: medians are no better.
const UNSURE: f64 = 0.2;

/// Later it must be past it by so much: a miss by less cannot be foreseen.
const SLIGHT_SECONDS: f64 = 150.0;

/// A task is at fault if without it half of the delay would not be. Else the run began too late, or all is slow.
const SHARE_AT_FAULT: f64 = 0.5;

/// What becomes of a task until its deadline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outlook {
    /// It is done.
    Met {
        /// Since when.
        at: Timestamp,
    },
    /// The run under way does it.
    Expected {
        /// When it is done by then.
        at: Timestamp,
        /// When the work for it began.
        began_at: Timestamp,
        /// What holds it up, where something takes longer than it usually does.
        held_up: Option<Delay>,
    },
    /// The run under way cannot do it.
    Lost {
        /// What went wrong, where it is another task.
        cause: Option<Cause>,
    },
    /// No run does it.
    Idle {
        /// How long it takes with all that it needs.
        takes_seconds: f64,
    },
}

/// How a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The task.
    pub task: NodeId,
    /// The deadline.
    pub due: Due,
    /// What becomes of the task.
    pub outlook: Outlook,
}

impl Judged {
    /// How the deadline of a task stands by a run. `None`: that run does nothing for it, be it that the task is none
    /// of its own, that it was stopped or is held, or that what it does is too early to count.
    pub fn of_run(picture: &Picture<'_>, forecast: &Forecast, task: NodeId, due: Due) -> Option<Self> {
        let ended = picture.standings.get(&task).and_then(|standing| standing.ended);
        let outlook = match (forecast.of(task), ended) {
            (Fate::Well(span), _) if span.end < due.since => return None,
            (Fate::Well(span), Some(_)) => Outlook::Met { at: span.end },
            (Fate::Well(span), None) => {
                let late_seconds = span.end.duration_since(due.at).as_secs_f64();
                Outlook::Expected {
                    at: span.end,
                    began_at: began_at(picture, forecast, task).unwrap_or(span.start),
                    held_up: culprit(picture, forecast, task, late_seconds.max(0.0) * SHARE_AT_FAULT),
                }
            }
            (Fate::Failed(_), Some((_, End::Failed))) => Outlook::Lost { cause: None },
            (Fate::Lost(Some(cause)), _) if cause.why != Why::Cancelled => {
                Outlook::Lost { cause: Some(cause) }
            }
            _ => return None,
        };
        Some(Self { task, due, outlook })
    }

    /// When it is done, by what is known: where no run does it, if one began now.
    pub fn expected_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.outlook {
            Outlook::Met { at } | Outlook::Expected { at, .. } => Some(at),
            Outlook::Lost { .. } => None,
            Outlook::Idle { takes_seconds } => Some(after(now, takes_seconds)),
        }
    }

    /// Whether it is over and was not met.
    pub fn is_missed(&self, now: Timestamp) -> bool {
        now > self.due.at && !self.is_met()
    }

    /// Whether it was met.
    pub fn is_met(&self) -> bool {
        matches!(self.outlook, Outlook::Met { .. })
    }

    /// Whether a miss has become likely.
    pub fn is_in_danger(&self, now: Timestamp) -> bool {
        match (self.is_met(), self.expected_at(now)) {
            (true, _) => false,
            // The runs that count for it have begun, and the one that did cannot do it.
            (_, None) => now >= self.due.since,
            (_, Some(at)) => at > after(self.due.at, self.unsure_seconds(at, now)),
        }
    }

    /// Whether it will be met by far: what is just no longer in danger may be again.
    pub fn is_safe(&self, now: Timestamp) -> bool {
        match (self.is_met(), self.expected_at(now)) {
            (true, _) => true,
            (_, None) => false,
            (_, Some(at)) => after(at, (UNSURE * seconds(now, at)).max(60.0)) <= self.due.at,
        }
    }

    /// By how much the expected end must be past the deadline.
    fn unsure_seconds(&self, expected_at: Timestamp, now: Timestamp) -> f64 {
        let is_early = seconds(now, self.due.at) > EARLY_SECONDS;
        if is_early { UNSURE * seconds(now, expected_at) } else { SLIGHT_SECONDS }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
