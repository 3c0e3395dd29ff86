//! The scheduler beside a small reference model, over random graphs, fates, crashes and resumes.
//!
//! The model keeps nothing but what has ended and what runs, and works everything else out anew from
//! the rules at each step, by looking at every task.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{
    config::Place,
    dag::{Graph, Kind, Need, Node, Origin, TaskName},
    event::Tier,
};

/// A task of a random project, and what the world does to it.
#[derive(Debug, Clone)]
struct Drawn {
    kind: Kind,
    is_critical: bool,
    source: Option<u8>,
    /// Which of the tasks before it it needs, by how many places, and how: 0 hard, 1 soft, else soft
    /// with an age of so many hours.
    needs: Vec<(prop::sample::Index, u8)>,
    is_selected: bool,
    published_hours: Option<u8>,
    fate: u8,
    minutes: u16,
}

/// Whether the process dies after so many ends, and whether what ran was published meanwhile.
type Crash = (u8, bool);

fn drawn() -> impl Strategy<Value = Drawn> {
    let kind = prop_oneof![
        6 => Just(Kind::Model),
        2 => Just(Kind::Load),
        1 => Just(Kind::Check),
        1 => Just(Kind::Command),
    ];
    let needs = prop::collection::vec((any::<prop::sample::Index>(), 0_u8..12), 0..4);
    (
        (kind, prop::bool::weighted(0.2), prop::option::of(0_u8..2), needs),
        (prop::bool::weighted(0.85), prop::option::weighted(0.8, 0_u8..12), 0_u8..12, 1_u16..400),
    )
        .prop_map(
            |((kind, is_critical, source, needs), (is_selected, published_hours, fate, minutes))| Drawn {
                kind,
                is_critical,
                source,
                needs,
                is_selected,
                published_hours,
                fate,
                minutes,
            },
        )
}

fn begin() -> Timestamp {
    "2026-11-22T05:00:00Z".parse().unwrap()
}

fn graph(tasks: &[Drawn]) -> Graph {
    let name = |index: usize, kind: Kind| match kind.publishes() {
        true => TaskName::table("s", format!("t{index:03}")),
        false => TaskName::bare(format!("t{index:03}")),
    };
    let place = Place { file: "drawn".to_owned(), line: 1, column: 1 };
    let node = |(index, task): (usize, &Drawn)| {
        let mut node = Node::new(name(index, task.kind), task.kind, place.clone());
        node.tier = task.is_critical.then_some(Tier::Critical);
        node.source = task.source.map(|source| format!("source{source}"));
        let mut seen = BTreeSet::new();
        for (which, how) in task.needs.iter().filter(|_| index > 0) {
            let needed = which.index(index);
            if !seen.insert(needed) {
                continue;
            }
            let TaskName { schema, name } = name(needed, tasks[needed].kind);
            let max_age = (*how > 1).then(|| Duration::from_secs(u64::from(*how) * 3600));
            let need = Need { schema, name, place: place.clone(), origin: Origin::Settings, max_age };
            if *how == 0 || *how > 8 {
                node.needs.push(Need { max_age: None, ..need });
            } else {
                node.soft.push(need);
            }
        }
        node
    };
    Graph::build(tasks.iter().enumerate().map(node).collect(), &|_, _| false).expect("it has no circle")
}

/// What has ended and what runs: all else follows.
struct Model<'a> {
    graph: &'a Graph,
    selected: BTreeSet<NodeId>,
    seconds: &'a [f64],
    limits: &'a Limits,
    published: Vec<Option<Timestamp>>,
    ended: BTreeMap<NodeId, End>,
    blocked: BTreeMap<NodeId, Cause>,
    running: BTreeSet<NodeId>,
}

impl Model<'_> {
    fn is_well(&self, task: NodeId) -> bool {
        matches!(self.ended.get(&task), Some(End::Succeeded(_) | End::Unchanged(_)))
    }

    fn is_done(&self, task: NodeId) -> bool {
        self.ended.contains_key(&task) || self.blocked.contains_key(&task)
    }

    fn has_not_started(&self) -> impl Iterator<Item = NodeId> {
        self.selected.iter().copied().filter(|task| !self.is_done(*task) && !self.running.contains(task))
    }

    /// All reasons for which a task cannot run, as far as is known, each with its first cause.
    fn refusals(&self, task: NodeId, now: Timestamp) -> Vec<(NodeId, Cause)> {
        let mut refusals = Vec::new();
        for edge in self.graph.needs(task) {
            let needed = edge.task;
            let is_of_run = self.selected.contains(&needed);
            if is_of_run && (!self.is_done(needed) || self.is_well(needed)) {
                continue;
            }
            let bad = match (self.ended.get(&needed), self.blocked.get(&needed)) {
                (_, Some(cause)) => Some(*cause),
                (Some(End::Failed), _) => Some(Cause { task: needed, why: Why::Failed }),
                (Some(End::Cancelled), _) => Some(Cause { task: needed, why: Why::Cancelled }),
                _ => None,
            };
            let unfit = match (self.published[needed.index()], edge.way.max_age()) {
                (None, None) if !self.graph.node(needed).kind.publishes() => None,
                (None, _) => Some(Why::NeverPublished),
                (Some(as_of), Some(max_age)) => {
                    let age = Duration::try_from(now.duration_since(as_of)).unwrap_or_default();
                    (age > max_age).then_some(Why::TooOld { age, max_age })
                }
                (Some(_), None) => None,
            };
            match (bad, unfit) {
                (Some(cause), _) if edge.way.is_hard() => refusals.push((needed, cause)),
                (Some(cause), Some(_)) => refusals.push((needed, cause)),
                (None, Some(why)) => refusals.push((needed, Cause { task: needed, why })),
                _ => {}
            }
        }
        refusals
    }

    fn is_ready(&self, task: NodeId) -> bool {
        self.graph
            .needs(task)
            .iter()
            .all(|edge| !self.selected.contains(&edge.task) || self.is_done(edge.task))
    }

    fn stale(&self, task: NodeId) -> Vec<NodeId> {
        let needs = self.graph.needs(task).iter().map(|edge| edge.task);
        let serves = |task: &NodeId| !self.is_well(*task) && self.published[task.index()].is_some();
        needs.filter(serves).collect()
    }

    fn rank(&self, task: NodeId) -> u8 {
        if self.graph.tier(task) == Tier::Critical {
            return 2;
        }
        let mut after = self.graph.needed_by(task).iter().filter(|edge| self.selected.contains(&edge.task));
        u8::from(after.any(|edge| self.rank(edge.task) > 0))
    }

    fn hanging(&self, task: NodeId) -> f64 {
        let after = self.graph.needed_by(task).iter().filter(|edge| self.selected.contains(&edge.task));
        self.seconds[task.index()] + after.map(|edge| self.hanging(edge.task)).fold(0.0, f64::max)
    }

    /// Whether one more may run of these, of which so many may at once.
    fn has_room(&self, limit: usize, reserve: usize, is_one: impl Fn(NodeId) -> bool, rank: u8) -> bool {
        let running = self.running.iter().filter(|task| is_one(**task)).count();
        let urgent = self.has_not_started().filter(|task| is_one(*task) && self.rank(*task) > 0).count();
        let kept = if rank > 0 || limit < 2 { 0 } else { reserve.min(urgent) };
        running + kept < limit.max(1)
    }

    fn may_start(&self, task: NodeId) -> bool {
        let rank = self.rank(task);
        let jobs = self.limits.jobs;
        let source = |task: NodeId| self.graph.node(task).source.clone();
        let of_source = source(task).and_then(|source| self.limits.sources.get(&source));
        self.has_room(jobs, (jobs / 4).max(1), |_| true, rank)
            && of_source
                .is_none_or(|limit| self.has_room(*limit, 1, |other| source(other) == source(task), rank))
    }

    /// The task that is to start next.
    fn first(&self) -> Option<NodeId> {
        let ready = self.has_not_started().filter(|task| self.is_ready(*task) && self.may_start(*task));
        ready.max_by(|a, b| {
            let by_time = self.hanging(*a).total_cmp(&self.hanging(*b));
            self.rank(*a).cmp(&self.rank(*b)).then(by_time).then(b.cmp(a))
        })
    }

    /// Compares a step of the scheduler's with the rules.
    fn expect(&mut self, next: &Next, now: Timestamp) -> Result<(), TestCaseError> {
        for blocked in &next.blocked {
            prop_assert!(
                self.has_not_started().any(|task| task == blocked.task),
                "{blocked:?} was not waiting"
            );
            let legal = self.refusals(blocked.task, now);
            let told = (blocked.through, blocked.cause);
            prop_assert!(legal.contains(&told), "{blocked:?} is told to be blocked by none of {legal:?}");
            prop_assert_eq!(blocked.published, self.published[blocked.task.index()]);
            self.blocked.insert(blocked.task, blocked.cause);
        }
        for task in self.has_not_started() {
            prop_assert_eq!(self.refusals(task, now), vec![], "{:?} is not blocked", task);
        }
        for start in &next.starts {
            prop_assert_eq!(self.first(), Some(start.task), "another one is next");
            for edge in self.graph.needs(start.task).iter().filter(|edge| edge.way.is_hard()) {
                let ended = self.ended.get(&edge.task);
                let is_kept = matches!(ended, Some(End::Held | End::Skipped));
                let is_good = self.is_well(edge.task) || is_kept || !self.selected.contains(&edge.task);
                prop_assert!(is_good, "{start:?} starts before what it needs");
            }
            let stale: Vec<NodeId> = start.stale.iter().map(|stale| stale.task).collect();
            prop_assert_eq!(stale, self.stale(start.task));
            prop_assert!(self.running.insert(start.task), "{start:?} runs twice at once");
        }
        prop_assert_eq!(self.first(), None, "a slot is left");
        Ok(())
    }
}

/// Runs a project to its end, through crashes.
fn run(
    tasks: &[Drawn],
    jobs: usize,
    source_jobs: Option<u8>,
    crashes: &[Crash],
) -> Result<(), TestCaseError> {
    let graph = graph(tasks);
    // Tasks are numbered by their names, those without a schema first.
    let number = |task: NodeId| graph.name(task).name[1..].parse::<usize>().expect("names are numbers");
    let drawn = |task: NodeId| &tasks[number(task)];
    let minutes: Vec<f64> = graph.tasks().map(|task| f64::from(drawn(task).minutes)).collect();
    let age =
        |task| drawn(task).published_hours.map(|hours| begin() - SignedDuration::from_hours(hours.into()));
    let selected: Vec<NodeId> = graph.tasks().filter(|task| drawn(*task).is_selected).collect();
    let sources = source_jobs.map(|jobs| ("source0".to_owned(), usize::from(jobs)));
    let limits = Limits { jobs, sources: sources.into_iter().collect() };
    let mut now = begin();
    let mut model = Model {
        graph: &graph,
        selected: selected.iter().copied().collect(),
        seconds: &minutes,
        limits: &limits,
        published: graph.tasks().map(age).collect(),
        ended: BTreeMap::new(),
        blocked: BTreeMap::new(),
        running: BTreeSet::new(),
    };
    let (mut log, mut successes, mut done_before_crash) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let lives = crashes.iter().map(|crash| Some(*crash)).chain([None]);
    for life in lives {
        let published = model.published.clone();
        let before = Before { expected_seconds: &minutes, published: &published, ended: &log };
        let mut scheduler = Scheduler::new(&graph, &selected, before, &limits);
        let blocked_before = std::mem::take(&mut model.blocked);
        model.running.clear();
        let mut ends: BTreeSet<(Timestamp, NodeId)> = BTreeSet::new();
        let mut steps = 0;
        loop {
            let next = scheduler.next(now);
            model.expect(&next, now)?;
            if steps == 0 {
                let still = |task: &NodeId| model.blocked.contains_key(task);
                prop_assert!(blocked_before.keys().all(still), "a crash has freed what was blocked");
            }
            let end_of = |task: NodeId| now + SignedDuration::from_mins(drawn(task).minutes.into());
            ends.extend(next.starts.iter().map(|start| (end_of(start.task), start.task)));
            prop_assert_eq!(scheduler.is_over(), ends.is_empty(), "it is over when nothing runs");
            let dies = life.is_some_and(|(ends, _)| usize::from(ends) == steps);
            if dies || ends.is_empty() {
                break;
            }
            let (end, task) = ends.pop_first().expect("something runs");
            now = end;
            let end = match drawn(task).fate {
                0..=5 if done_before_crash.contains(&task) => End::Unchanged(Some(now)),
                0..=5 => End::Succeeded(Some(now)),
                6 => End::Unchanged(drawn(task).kind.publishes().then_some(now)),
                7 | 8 => End::Failed,
                9 => End::Held,
                10 => End::Skipped,
                _ => End::Cancelled,
            };
            if let End::Succeeded(_) = end {
                prop_assert!(successes.insert(task), "{task:?} is published twice");
            }
            if let End::Succeeded(as_of) | End::Unchanged(as_of) = end {
                model.published[task.index()] = as_of.or(model.published[task.index()]);
            }
            scheduler.ended(task, end);
            model.running.remove(&task);
            model.ended.insert(task, end);
            log.push((task, end));
            steps += 1;
            prop_assert!(steps <= tasks.len(), "it does not end");
        }
        if let Some((_, true)) = life {
            // What ran when the process died had been published already.
            done_before_crash.extend(model.running.iter().copied());
        }
    }
    prop_assert!(selected.iter().all(|task| model.is_done(*task)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 20_000 }))]

    #[test]
    fn a_run_goes_by_the_rules_whatever_fails_and_crashes(
        tasks in prop::collection::vec(drawn(), 1..14),
        jobs in 1_usize..10,
        source_jobs in prop::option::of(1_u8..4),
        crashes in prop::collection::vec((0_u8..8, any::<bool>()), 0..3),
    ) {
        run(&tasks, jobs, source_jobs, &crashes)?;
    }
}
