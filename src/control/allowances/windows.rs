//! When a service may be asked next: pure arithmetic over what it may have counted, in microseconds.
//!
//! The service counts a request somewhere between the moment when it is sent and the moment when its answer is there; which one
//! nobody here knows. So a request takes its place in a window that slides from when it is sent until a window's length after it was
//! answered: whatever stretch the service looks at, it finds no more there than stood here together when the last one was sent.

use jiff::Timestamp;

use super::{
    Standing, UsedWindow,
    limits::{CalendarUnit, Limits, Span, Window},
    rows::{in_micros, timestamp},
};
use crate::event::Tier;

/// How far the service's calendar may be from ours: what was under way so near to a window's edge counts on both sides of it.
const SKEW: i64 = 5_000_000;

/// What stands of a source, at a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) now: i64,
    pub(super) paused_until: Option<i64>,
    pub(super) open: Vec<Open>,
    pub(super) spent: Vec<Spent>,
    pub(super) counted: Vec<Counted>,
    /// How many critical tasks of other processes wait for what comes free.
    pub(super) waiting: u64,
}

/// A request under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) id: String,
    pub(super) granted_at: i64,
    pub(super) until: i64,
}

/// Requests that were answered, in the windows of one length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) length: i64,
    pub(super) last_at: i64,
    pub(super) count: u64,
}

/// How many a stretch of the calendar has.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) unit: String,
    pub(super) span: Span,
    pub(super) count: u64,
}

/// A window's length as it is held: a thousandth more, because no two clocks run alike.
pub(super) fn held(length: i64) -> i64 {
    length + (length / 1000).max(1000)
}

/// When the next request of a task may be sent, as far as is known by now: at `state.now` or before, at once. It can be later,
/// where somebody else is faster, and never earlier. `first`: how many others go first.
pub(super) fn earliest(limits: &Limits, state: &State, tier: Tier, first: u64) -> i64 {
    let paused = state.paused_until.unwrap_or(state.now);
    let of_each = limits.windows.iter().map(|window| match window {
        Window::Sliding { length, count } => sliding(in_micros(*length), *count, state, first),
        Window::Calendar { unit, count } => calendar(limits, *unit, *count, state, tier, first),
    });
    of_each.fold(paused.max(state.now), i64::max)
}

/// How much of each limit is used, by what may count now.
pub(super) fn standing(limits: &Limits, state: &State) -> Standing {
    let of = |window: &Window| {
        let (used, ends_at) = match window {
            Window::Sliding { length, .. } => {
                let length = in_micros(*length);
                let counts = |spent: &&Spent| {
                    spent.length == length && spent.last_at.min(state.now) + held(length) > state.now
                };
                let spent: u64 = state.spent.iter().filter(counts).map(|spent| spent.count).sum();
                (spent + state.open.len() as u64, None)
            }
            Window::Calendar { unit, .. } => {
                let span = unit.around(state.now, &limits.zone);
                (used(*unit, span, state), Some(timestamp(span.ends)))
            }
        };
        UsedWindow { window: *window, used, ends_at }
    };
    let paused: Option<Timestamp> = state.paused_until.filter(|until| *until > state.now).map(timestamp);
    Standing { windows: limits.windows.iter().map(of).collect(), paused_until: paused }
}

fn sliding(length: i64, count: u32, state: &State, first: u64) -> i64 {
    let held = held(length);
    // What is under way ends at the earliest so long after it were answered now.
    let earliest_end = state.now.saturating_add(held);
    let Some(mut room) = u64::from(count).checked_sub(first + 1) else { return earliest_end };
    match room.checked_sub(state.open.len() as u64) {
        Some(left) => room = left,
        None => return earliest_end,
    }
    let of_window = state.spent.iter().filter(|spent| spent.length == length);
    let mut ends: Vec<(i64, u64)> =
        of_window.map(|spent| (spent.last_at.min(state.now) + held, spent.count)).collect();
    ends.sort_unstable_by(|a, b| b.cmp(a));
    for (end, count) in ends {
        match room.checked_sub(count) {
            _ if end <= state.now => break,
            Some(left) => room = left,
            None => return end,
        }
    }
    state.now
}

fn calendar(limits: &Limits, unit: CalendarUnit, count: u32, state: &State, tier: Tier, first: u64) -> i64 {
    let kept = if limits.keeps && tier == Tier::Optional { count / 4 } else { 0 };
    let of_each = touched(unit, limits, state.now).into_iter().map(|span| {
        let over = span.ends + SKEW;
        let used = used(unit, span, state) + first;
        let Some(room) = u64::from(count).checked_sub(used + 1) else { return over };
        melted(span, kept, room).clamp(state.now, over)
    });
    of_each.fold(state.now, i64::max)
}

/// When no more than `room` is kept: what is kept of a window is `kept`, times what is left of the window's time, in whole requests.
fn melted(span: Span, kept: u32, room: u64) -> i64 {
    if u64::from(kept) <= room {
        return i64::MIN;
    }
    let length = i128::from(span.ends - span.starts);
    let left = (i128::from(room) + 1) * length / i128::from(kept);
    i64::try_from(i128::from(span.ends) - left + 1).unwrap_or(span.ends)
}

/// The windows in which the service may count what is sent now.
pub(super) fn touched(unit: CalendarUnit, limits: &Limits, now: i64) -> Vec<Span> {
    let (before, after) = (unit.around(now - SKEW, &limits.zone), unit.around(now + SKEW, &limits.zone));
    if before == after { vec![before] } else { vec![before, after] }
}

/// The windows in which the service may count what was sent then and is answered by `until`, beside those where it was
/// counted when it was sent. Each begins to count [`SKEW`] before it begins.
pub(super) fn reached(unit: CalendarUnit, limits: &Limits, granted_at: i64, until: i64) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut last = unit.around(granted_at + SKEW, &limits.zone);
    while last.ends <= until + SKEW {
        last = unit.around(last.ends, &limits.zone);
        spans.push(last);
    }
    spans
}

/// How many seconds before its beginning a window counts.
pub(super) fn skew_seconds() -> f64 {
    SKEW as f64 / 1e6
}

/// How many stand in a window. Another zone's windows count as far as they overlap with it: too many rather than too few.
fn used(unit: CalendarUnit, span: Span, state: &State) -> u64 {
    let overlaps = |other: Span| other.starts < span.ends && span.starts < other.ends;
    let counted = state.counted.iter().filter(|one| one.unit == unit.word() && overlaps(one.span));
    // What was sent before the window counted may still be on its way there.
    let on_the_way = state.open.iter().filter(|open| open.granted_at + SKEW < span.starts).count();
    counted.map(|one| one.count).sum::<u64>() + on_the_way as u64
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
