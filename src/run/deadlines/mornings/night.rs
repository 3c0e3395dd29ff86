//! One night: what goes wrong in it, and a simple executor that shares no code with the scheduler and the estimator.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{Span, Standing, forecast::after},
    project::{Drawn, Random, SIGMA},
};
use crate::{dag::NodeId, event::Tier, run::ready::End};

const ATTEMPTS: usize = 3;

/// What goes wrong with a task.
#[derive(Debug, Clone, PartialEq)]
struct Fortune {
    /// What its good attempt takes.
    seconds: f64,
    /// How many times longer than it would.
    slow: f64,
    /// Attempts that fail: how long each takes, and the pause after it.
    failures: Vec<(f64, f64)>,
    /// The last of them too.
    is_lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    Task(NodeId),
    LateStart,
}

#[derive(Debug, Clone)]
pub(super) struct Night {
    fortunes: Vec<Fortune>,
    pub(super) late_seconds: f64,
}

/// What a task did.
pub(super) struct Entry {
    pub(super) task: NodeId,
    start: Timestamp,
    /// When each attempt begins, and when that is known.
    attempts: Vec<(Timestamp, Timestamp)>,
    pub(super) ended: Option<(Timestamp, End)>,
}

impl Entry {
    /// What is known of it at a moment.
    pub(super) fn standing(&self, now: Timestamp) -> Option<Standing> {
        let (attempt_at, _) = self.attempts.iter().rfind(|(_, known)| *known <= now)?;
        let ended = self.ended.filter(|(at, _)| *at <= now);
        (self.start <= now).then_some(Standing { started_at: self.start, attempt_at: *attempt_at, ended })
    }
}

impl Night {
    /// Nothing goes wrong, and all takes what it takes in the middle.
    pub(super) fn ordinary(project: &Drawn) -> Self {
        let fortune =
            |seconds: &f64| Fortune { seconds: *seconds, slow: 1.0, failures: Vec::new(), is_lost: false };
        Self { fortunes: project.true_seconds.iter().map(fortune).collect(), late_seconds: 0.0 }
    }

    pub(super) fn new(project: &Drawn, random: &mut Random) -> Self {
        let mut night = Self::ordinary(project);
        // Half of the nights nothing is out of the ordinary.
        let is_bad = random.happens(0.5);
        for fortune in &mut night.fortunes {
            fortune.seconds *= random.factor(SIGMA);
            if !is_bad {
                continue;
            }
            if random.happens(0.08) {
                fortune.slow = random.between(2.0, 10.0);
            }
            if random.happens(0.06) {
                let times = 1 + random.below(ATTEMPTS);
                let one = |random: &mut Random| (random.between(1.0, 300.0), random.between(1.0, 60.0));
                fortune.failures = (0..times).map(|_| one(random)).collect();
                fortune.is_lost = times == ATTEMPTS;
            }
        }
        if is_bad && random.happens(0.1) {
            night.late_seconds = random.between(600.0, 7200.0);
        }
        night
    }

    /// Does all tasks, critical ones first and then by name, so many at once.
    pub(super) fn log(&self, project: &Drawn, begin: Timestamp) -> Vec<Entry> {
        let graph = &project.graph;
        let mut open: Vec<NodeId> = graph.tasks().collect();
        open.sort_by_key(|task| (graph.tier(*task) != Tier::Critical, *task));
        let mut log: Vec<Entry> = Vec::new();
        let mut now = begin;
        loop {
            let is_done = |task: NodeId, well: bool| {
                log.iter().any(|entry: &Entry| {
                    entry.task == task
                        && entry.ended.is_some_and(|(at, end)| at <= now && (end != End::Failed) == well)
                })
            };
            let is_free =
                log.iter().filter(|entry| entry.ended.is_some_and(|(at, _)| at > now)).count() < project.jobs;
            let ready =
                open.iter().position(|task| graph.needs(*task).iter().all(|edge| is_done(edge.task, true)));
            match ready.filter(|_| is_free) {
                Some(place) => {
                    let task = open.remove(place);
                    log.push(self.entry(task, now));
                }
                None => {
                    let next = log
                        .iter()
                        .filter_map(|entry| entry.ended)
                        .map(|(at, _)| at)
                        .filter(|at| *at > now)
                        .min();
                    match next {
                        Some(at) => now = at,
                        None => return log,
                    }
                }
            }
        }
    }

    fn entry(&self, task: NodeId, start: Timestamp) -> Entry {
        let fortune = &self.fortunes[task.index()];
        let mut attempts = vec![(start, start)];
        let mut now = start;
        for (number, (takes, pause)) in fortune.failures.iter().enumerate() {
            now = after(now, *takes);
            if fortune.is_lost && number + 1 == fortune.failures.len() {
                return Entry { task, start, attempts, ended: Some((now, End::Failed)) };
            }
            let next = after(now, *pause);
            attempts.push((next, now));
            now = next;
        }
        let end = after(now, fortune.seconds * fortune.slow);
        Entry { task, start, attempts, ended: Some((end, End::Succeeded(Some(end)))) }
    }

    /// From when to when each task took that ended well.
    pub(super) fn ends(&self, project: &Drawn, begin: Timestamp) -> Vec<Option<Span>> {
        let mut ends = vec![None; project.graph.len()];
        for entry in self.log(project, begin) {
            if let Some((end, End::Succeeded(_))) = entry.ended {
                ends[entry.task.index()] = Some(Span { start: entry.start, end });
            }
        }
        ends
    }

    /// Whether by median durations the longest way of what is left ends past the deadline. A failure that is known
    /// makes it endless.
    pub(super) fn is_visible(
        &self,
        project: &Drawn,
        standings: &BTreeMap<NodeId, Standing>,
        now: Timestamp,
        due: Timestamp,
    ) -> bool {
        let mut left = vec![0.0_f64; project.graph.len()];
        for task in project.graph.in_order() {
            let needs = project.graph.needs(*task).iter().map(|edge| left[edge.task.index()]);
            let before = needs.fold(0.0, f64::max);
            let median = project.medians[task.index()];
            left[task.index()] = match standings.get(task) {
                None => before + median,
                Some(Standing { ended: Some((_, End::Failed)), .. }) => f64::INFINITY,
                Some(Standing { ended: Some(_), .. }) => 0.0,
                Some(Standing { attempt_at, .. }) => {
                    let so_far = now.duration_since(*attempt_at).as_secs_f64();
                    (median - so_far).max(0.0)
                }
            };
        }
        let left = left[project.target.index()];
        left.is_infinite() || left > due.duration_since(now).as_secs_f64()
    }

    /// The night as if nothing went wrong but what had shown by a moment.
    pub(super) fn known_at(&self, project: &Drawn, begin: Timestamp, at: Timestamp) -> Self {
        let mut known = self.clone();
        let log = self.log(project, begin);
        for (task, fortune) in project.graph.tasks().zip(&mut known.fortunes) {
            let entry = log.iter().find(|entry| entry.task == task && entry.start <= at);
            let shown =
                entry.map_or(0, |entry| entry.attempts.iter().filter(|(_, known)| *known <= at).count() - 1);
            let is_over = entry.and_then(|entry| entry.ended).is_some_and(|(end, _)| end <= at);
            let standing = entry.and_then(|entry| entry.standing(at));
            let so_far =
                standing.map_or(0.0, |standing| at.duration_since(standing.attempt_at).as_secs_f64());
            if !is_over {
                fortune.is_lost = false;
                fortune.failures.truncate(shown);
                if so_far <= project.medians[task.index()] {
                    fortune.slow = 1.0;
                }
            }
        }
        known
    }

    /// What made the deadline's task late most: the fault without which it would have ended first, with those that
    /// are as bad but for a twentieth. `None`: nothing went wrong.
    pub(super) fn worst_fault(&self, project: &Drawn, begin: Timestamp) -> Option<Vec<Fault>> {
        let on_time = begin - SignedDuration::from_secs_f64(self.late_seconds);
        let seconds = |night: &Self, begin: Timestamp| {
            let end = night.ends(project, begin)[project.target.index()].map(|span| span.end);
            end.map_or(f64::INFINITY, |end| end.duration_since(on_time).as_secs_f64())
        };
        let mut without: Vec<(f64, Fault)> = Vec::new();
        for task in project.graph.tasks() {
            let fortune = &self.fortunes[task.index()];
            if fortune.slow == 1.0 && fortune.failures.is_empty() {
                continue;
            }
            let mut better = self.clone();
            better.fortunes[task.index()] =
                Fortune { slow: 1.0, failures: Vec::new(), is_lost: false, ..fortune.clone() };
            without.push((seconds(&better, begin), Fault::Task(task)));
        }
        if self.late_seconds > 0.0 {
            without.push((seconds(self, on_time), Fault::LateStart));
        }
        let as_it_was = seconds(self, begin);
        let best = without.iter().map(|(seconds, _)| *seconds).fold(f64::INFINITY, f64::min);
        // Two that must both be mended have the same right to be named.
        let is_worst = |(seconds, _): &&(f64, Fault)| match best.is_infinite() {
            true => true,
            false => *seconds <= best + (as_it_was.min(1e9) - best) / 20.0,
        };
        let worst: Vec<Fault> = without.iter().filter(is_worst).map(|(_, fault)| *fault).collect();
        (best < as_it_was || best.is_infinite()).then_some(worst).filter(|worst| !worst.is_empty())
    }
}
