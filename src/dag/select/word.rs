//! One word of a selection.

use std::collections::VecDeque;

use super::{super::NodeId, pool::Pool};

/// `2+tag:hot+`, taken apart.
pub(super) struct Word<'a> {
    /// As it was written.
    pub(super) text: &'a str,
    /// The name, the pattern, the value.
    pub(super) value: &'a str,
    /// `tag` of `tag:hot`.
    pub(super) method: Option<&'a str>,
    /// How many steps towards what it needs.
    needs: usize,
    /// How many steps towards what needs it.
    needed_by: usize,
}

/// What stands between commas, but for those within braces.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth <= 0
    })
}

impl<'a> Word<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let (needs, rest) = before(text);
        let (rest, needed_by) = behind(rest);
        let (method, value) = match rest.split_once(':') {
            Some((method, value)) => (Some(method), value),
            None => (None, rest),
        };
        Self { text, value, method, needs, needed_by }
    }

    /// Whether it selects by what changes from run to run.
    pub(super) fn is_fact(&self) -> bool {
        matches!(self.method, Some("state" | "result"))
    }

    /// Adds what the tasks need and what needs them, as far as the word says.
    pub(super) fn spread(&self, pool: &Pool<'_>, meant: Vec<bool>) -> Vec<bool> {
        let Some(graph) = pool.graph() else { return meant };
        let up = reached(&meant, self.needs, |task| graph.needs(task).iter().map(|edge| edge.task));
        let down = reached(&meant, self.needed_by, |task| graph.needed_by(task).iter().map(|edge| edge.task));
        up.into_iter().zip(down).map(|(up, down)| up || down).collect()
    }
}

/// `+name`, `2+name`.
fn before(text: &str) -> (usize, &str) {
    match text.split_once('+') {
        Some((steps, rest)) if !rest.is_empty() => steps_of(steps).map_or((0, text), |steps| (steps, rest)),
        _ => (0, text),
    }
}

/// `name+`, `name+2`.
fn behind(text: &str) -> (&str, usize) {
    match text.rsplit_once('+') {
        Some((rest, steps)) if !rest.is_empty() => steps_of(steps).map_or((text, 0), |steps| (rest, steps)),
        _ => (text, 0),
    }
}

/// No number: as far as it goes.
fn steps_of(text: &str) -> Option<usize> {
    if text.is_empty() { Some(usize::MAX) } else { text.parse().ok() }
}

/// What is reached in so many steps, with where it began.
fn reached<I: Iterator<Item = NodeId>>(from: &[bool], steps: usize, next: impl Fn(NodeId) -> I) -> Vec<bool> {
    let mut reached = from.to_vec();
    let starts = from.iter().enumerate().filter(|(_, is_start)| **is_start);
    let mut queue: VecDeque<(NodeId, usize)> = starts.map(|(place, _)| (NodeId::new(place), steps)).collect();
    while let Some((task, steps)) = queue.pop_front() {
        if steps == 0 {
            continue;
        }
        for other in next(task) {
            if !std::mem::replace(&mut reached[other.index()], true) {
                queue.push_back((other, steps - 1));
            }
        }
    }
    reached
}
