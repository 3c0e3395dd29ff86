//! Which task holds another one up: of those that its end waited for, the one that took longest beyond its usual time.

use jiff::Timestamp;

use super::forecast::{Fate, Forecast, Picture, Span};
use crate::dag::NodeId;

/// A pause that is no wait for a slot.
const PAUSE_SECONDS: f64 = 2.0;

/// A task that takes longer than it usually does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// The task.
    pub task: NodeId,
    /// By how much, in all.
    pub seconds: f64,
    /// How long it takes in all, as far as is known.
    pub takes_seconds: f64,
    /// How long it usually takes.
    pub usual_seconds: f64,
    /// Whether it has ended.
    pub has_ended: bool,
}

/// The task that holds this one up most. `None`: none takes longer than usual by so much.
pub(super) fn culprit(
    picture: &Picture<'_>,
    forecast: &Forecast,
    task: NodeId,
    at_least_seconds: f64,
) -> Option<Delay> {
    let way = way(picture, forecast, task);
    let delays = way.into_iter().map(|(task, span)| {
        let (takes_seconds, usual_seconds) = (seconds(span), picture.expected_seconds[task.index()]);
        let has_ended = picture.standings.get(&task).is_some_and(|standing| standing.ended.is_some());
        Delay { task, seconds: takes_seconds - usual_seconds, takes_seconds, usual_seconds, has_ended }
    });
    let most = delays.max_by(|a, b| a.seconds.total_cmp(&b.seconds))?;
    (most.seconds > 0.0 && most.seconds >= at_least_seconds).then_some(most)
}

/// When the way to a task's end began: the run's start, where nothing kept it from beginning.
pub(super) fn began_at(picture: &Picture<'_>, forecast: &Forecast, task: NodeId) -> Option<Timestamp> {
    way(picture, forecast, task).last().map(|(_, span)| span.start)
}

/// What its end waited for, walked back: before each task the one after whose end it began, be it something it
/// needs or what had its slot.
fn way(picture: &Picture<'_>, forecast: &Forecast, task: NodeId) -> Vec<(NodeId, Span)> {
    let mut way = Vec::new();
    let mut next = forecast.of(task).span().map(|span| (task, span));
    while let Some((task, span)) = next {
        way.push((task, span));
        let needs = picture.graph.needs(task).iter().map(|edge| edge.task);
        let needed = last_before(forecast, needs, (task, span.start));
        let is_prompt = |(_, before): &(NodeId, Span)| {
            span.start.duration_since(before.end).as_secs_f64() <= PAUSE_SECONDS
        };
        next = needed.filter(is_prompt).or_else(|| {
            let slots = last_before(forecast, picture.selected.iter().copied(), (task, span.start));
            slots.filter(is_prompt).or(needed)
        });
        if way.len() > picture.graph.len() {
            break;
        }
    }
    way
}

fn last_before(
    forecast: &Forecast,
    tasks: impl Iterator<Item = NodeId>,
    (task, start): (NodeId, Timestamp),
) -> Option<(NodeId, Span)> {
    let spans = tasks.filter(|other| *other != task).filter_map(|other| match forecast.of(other) {
        Fate::Outside | Fate::Lost(_) => None,
        fate => Some((other, fate.span()?)),
    });
    // What began no earlier took no slot before it; so each step leads back.
    spans.filter(|(_, span)| span.end <= start && span.start < start).max_by_key(|(_, span)| span.end)
}

fn seconds(span: Span) -> f64 {
    span.end.duration_since(span.start).as_secs_f64()
}
