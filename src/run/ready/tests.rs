use std::collections::BTreeMap;

use super::*;
use crate::dag::{Graph, drawn::graph};

/// A run in which what is published, in hours before the start, and what ends how are said by name.
struct Trial<'g> {
    graph: &'g Graph,
    scheduler: Scheduler<'g>,
    now: Timestamp,
}

fn begin() -> Timestamp {
    "2026-11-22T05:00:00Z".parse().unwrap()
}

fn hours(hours: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_hours(hours)
}

fn published(graph: &Graph, ages: &[(&str, i64)]) -> Vec<Option<Timestamp>> {
    let ages: BTreeMap<&str, i64> = ages.iter().copied().collect();
    let age = |task| ages.get(graph.name(task).name.as_str());
    graph.tasks().map(|task| age(task).map(|age| begin() - hours(*age))).collect()
}

fn id(graph: &Graph, name: &str) -> NodeId {
    graph.tasks().find(|task| graph.name(*task).name == name).expect("it is drawn")
}

impl<'g> Trial<'g> {
    fn new(graph: &'g Graph, selected: &str, ages: &[(&str, i64)], jobs: usize) -> Self {
        let seconds = vec![1.0; graph.len()];
        let published = published(graph, ages);
        let before = Before { expected_seconds: &seconds, published: &published, ended: &[] };
        let limits = Limits { jobs, ..Limits::default() };
        let names: Vec<String> = selected.split_whitespace().map(str::to_owned).collect();
        let selected = graph.select(&crate::dag::Facts::default(), &names, &[]).unwrap();
        Self { graph, scheduler: Scheduler::new(graph, &selected, before, &limits), now: begin() }
    }

    /// What starts and what is blocked, with the reasons.
    fn next(&mut self) -> String {
        let Next { starts, blocked } = self.scheduler.next(self.now);
        let starts = starts.into_iter().map(|start| self.start_in_words(start));
        starts
            .chain(blocked.iter().map(|blocked| self.blocked_in_words(blocked)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn ended(&mut self, name: &str, end: End) -> String {
        self.scheduler.ended(id(self.graph, name), end);
        self.next()
    }

    fn well(&mut self, name: &str) -> String {
        self.ended(name, End::Succeeded(Some(self.now)))
    }

    fn name(&self, task: NodeId) -> &str {
        &self.graph.name(task).name
    }

    fn start_in_words(&self, start: Start) -> String {
        let mut words = self.name(start.task).to_owned();
        for stale in start.stale {
            let hours = stale.age.as_secs() / 3600;
            let soft = if stale.is_soft { "~" } else { "" };
            words.push_str(&format!(" [{soft}{} {hours}h {:?}]", self.name(stale.task), stale.because));
        }
        words
    }

    fn blocked_in_words(&self, blocked: &Blocked) -> String {
        let (task, through) = (self.name(blocked.task), self.name(blocked.through));
        let hours = |age: Duration| age.as_secs() / 3600;
        let cause = match blocked.cause.why {
            Why::TooOld { age, max_age } => format!("TooOld {}h > {}h", hours(age), hours(max_age)),
            why => format!("{why:?}"),
        };
        let too_old = blocked.too_old.map(|age| format!(" {}h old", hours(age))).unwrap_or_default();
        let published = blocked.published.map(|as_of| (begin().duration_since(as_of)).as_hours());
        let published = published.map(|hours| format!(" has {hours}h")).unwrap_or_default();
        format!("✗{task} by {} {cause} through {through}{too_old}{published}", self.name(blocked.cause.task))
    }
}

#[test]
fn one_failed_load_blocks_what_cannot_go_without_it_and_nothing_else() {
    let graph = graph(&[
        "load raw.a",
        "load raw.b",
        "load raw.c",
        "model m.from_a: a",
        "model m.from_ab: a, b",
        "model m.from_bc: b, ~c 24h",
    ]);
    let cases: [(&str, &[&str]); 3] =
        [("a", &["from_a", "from_ab"]), ("b", &["from_ab", "from_bc"]), ("c", &[])];
    for (failed, expected) in cases {
        let mut trial = Trial::new(&graph, "*", &[("a", 9), ("b", 9), ("c", 9)], 3);
        let (mut running, mut blocked, mut well) = (Vec::new(), Vec::new(), Vec::new());
        while !trial.scheduler.is_over() {
            let next = trial.scheduler.next(trial.now);
            blocked.extend(next.blocked.iter().map(|blocked| trial.name(blocked.task).to_owned()));
            assert!(next.blocked.iter().all(|blocked| trial.name(blocked.cause.task) == failed));
            running.extend(next.starts.iter().map(|start| start.task));
            let Some(task) = running.pop() else { break };
            let fails = trial.name(task) == failed;
            let end = if fails { End::Failed } else { End::Succeeded(Some(trial.now)) };
            if !fails {
                well.push(trial.name(task).to_owned());
            }
            trial.scheduler.ended(task, end);
        }
        blocked.sort();
        assert!(trial.scheduler.is_over());
        assert_eq!(blocked, expected, "{failed} failed");
        assert_eq!(well.len() + blocked.len() + 1, graph.len(), "{failed} failed");
    }
}

#[test]
fn a_blocked_task_names_what_went_wrong_first() {
    let graph = graph(&[
        "load raw.a",
        "load raw.b",
        "model m.c: a",
        "model m.d: c",
        "model m.e: ~d 2h",
        "model m.f: e, b",
    ]);
    let mut trial = Trial::new(&graph, "*", &[("d", 3), ("f", 5)], 2);
    assert_eq!(trial.next(), "a, b");
    assert_eq!(
        trial.ended("a", End::Failed),
        "✗c by a Failed through a, ✗d by a Failed through c has 3h, ✗e by a Failed through d 3h old, \
         ✗f by a Failed through e has 5h"
    );
    assert!(!trial.scheduler.is_over());
    assert_eq!(trial.ended("b", End::Failed), "");
    assert!(trial.scheduler.is_over());
}

#[test]
fn what_is_not_of_the_run_is_taken_as_published() {
    let graph =
        graph(&["load raw.a", "load raw.fx", "check fine", "model m.m: a, ~fx 24h, !fine", "model m.n: m"]);
    let cases = [
        ("m", vec![("a", 50), ("fx", 3)], "m [a 50h NotSelected] [~fx 3h NotSelected]"),
        ("m", vec![("a", 50), ("fx", 24)], "m [a 50h NotSelected] [~fx 24h NotSelected]"),
        ("m", vec![("a", 50), ("fx", 25)], "✗m by fx TooOld 25h > 24h through fx 25h old"),
        ("m", vec![("a", 50)], "✗m by fx NeverPublished through fx"),
        ("m", vec![("fx", 1), ("m", 7)], "✗m by a NeverPublished through a has 7h"),
        // A source's clock may be ahead.
        ("m", vec![("a", -2), ("fx", 1)], "m [a 0h NotSelected] [~fx 1h NotSelected]"),
        ("n", vec![("m", 400)], "n [m 400h NotSelected]"),
        ("m n", vec![("a", 1)], "✗m by fx NeverPublished through fx, ✗n by fx NeverPublished through m"),
        // Known from the start: nothing else is waited for.
        ("a m", vec![("fx", 25)], "a, ✗m by fx TooOld 25h > 24h through fx 25h old"),
    ];
    for (selected, ages, expected) in cases {
        assert_eq!(Trial::new(&graph, selected, &ages, 4).next(), expected, "{selected} {ages:?}");
    }
}

#[test]
fn what_was_not_brought_up_to_date_serves_softly_while_it_is_young() {
    let graph = graph(&["load raw.fx", "model m.day: ~fx 24h", "model m.any: ~fx", "model m.hard: fx"]);
    let failed = "any [~fx 20h Failed], day [~fx 20h Failed], ✗hard by fx Failed through fx";
    let held = "any [~fx 20h Held], day [~fx 20h Held], hard [fx 20h Held]";
    let never = "✗any by fx NeverPublished through fx, ✗day by fx NeverPublished through fx, \
                 ✗hard by fx NeverPublished through fx";
    let cases = [
        (Some(20), End::Failed, failed.to_owned()),
        (Some(20), End::Cancelled, failed.replace("Failed", "Cancelled")),
        (Some(20), End::Held, held.to_owned()),
        (Some(20), End::Skipped, held.replace("Held", "Skipped")),
        (
            Some(30),
            End::Failed,
            "any [~fx 30h Failed], ✗day by fx Failed through fx 30h old, ✗hard by fx Failed through fx"
                .to_owned(),
        ),
        (
            Some(30),
            End::Held,
            "any [~fx 30h Held], hard [fx 30h Held], ✗day by fx TooOld 30h > 24h through fx 30h old"
                .to_owned(),
        ),
        (None, End::Held, never.to_owned()),
        (None, End::Failed, never.replace("NeverPublished", "Failed")),
        (None, End::Unchanged(None), "any, day, hard".to_owned()),
        (None, End::Succeeded(None), "any, day, hard".to_owned()),
    ];
    for (age, end, expected) in cases {
        let ages: Vec<(&str, i64)> = age.into_iter().map(|age| ("fx", age)).collect();
        let mut trial = Trial::new(&graph, "*", &ages, 4);
        assert_eq!(trial.next(), "fx");
        assert_eq!(trial.ended("fx", end), expected, "{age:?} {end:?}");
    }
}

#[test]
fn an_input_that_grows_too_old_while_others_are_waited_for_blocks() {
    let graph =
        graph(&["load raw.fx", "load raw.slow", "model m.m: ~fx 24h, slow", "model m.queued: ~fx 24h"]);
    let mut trial = Trial::new(&graph, "*", &[("fx", 20)], 1);
    assert_eq!(trial.next(), "fx");
    assert_eq!(trial.ended("fx", End::Failed), "slow");
    trial.now += hours(4);
    assert_eq!(trial.next(), "", "24 hours are still young enough");
    trial.now += hours(1);
    let expected = "✗queued by fx Failed through fx 25h old, ✗m by fx Failed through fx 25h old";
    assert_eq!(trial.next(), expected);
    assert_eq!(trial.well("slow"), "");
    assert!(trial.scheduler.is_over());
}

#[test]
fn critical_tasks_go_first_then_what_they_wait_for() {
    let graph = graph(&[
        "load raw.a_long",
        "load raw.b_soft",
        "load raw.z_needed",
        "model m.after: a_long",
        "model m.top critical: z_needed, ~b_soft",
        "load raw.c_short",
    ]);
    let mut trial = Trial::new(&graph, "*", &[], 1);
    let mut order = vec![trial.next()];
    while !trial.scheduler.is_over() {
        let last = order.last().unwrap().clone();
        assert!(!last.is_empty(), "it stands still after {order:?}");
        order.push(trial.well(&last));
    }
    assert_eq!(order.join(" ").trim(), "z_needed b_soft top a_long after c_short");
    assert_eq!(trial.scheduler.hanging_seconds(id(&graph, "a_long")), 2.0);
}

#[test]
fn slots_are_kept_while_something_urgent_has_not_started() {
    let optional: Vec<String> = (0..9).map(|n| format!("load raw.o{n}")).collect();
    let lines: Vec<&str> = optional.iter().map(String::as_str).collect();
    let urgent = ["load raw.first", "model m.x critical: first", "model m.y critical: x"];
    let graph = graph(&[&lines[..], &urgent].concat());
    let mut trial = Trial::new(&graph, "*", &[], 8);
    assert_eq!(trial.next(), "first, o0, o1, o2, o3, o4", "2 of 8 are kept");
    assert_eq!(trial.well("first"), "x, o5", "only one critical task is left to be started");
    assert_eq!(trial.well("x"), "y, o6", "none is left, all 8 are taken");
    assert_eq!(trial.well("o0"), "o7");
    // Where nothing is critical nothing is kept; of a single slot nothing can be.
    assert_eq!(Trial::new(&graph, "o?", &[], 4).next(), "o0, o1, o2, o3");
    assert_eq!(Trial::new(&graph, "o0 x", &[("first", 1)], 1).next(), "x [first 1h NotSelected]");
}

#[test]
fn a_source_has_slots_of_its_own() {
    let graph = graph(&[
        "load raw.a source=shop",
        "load raw.b source=shop",
        "load raw.c source=shop",
        "load raw.d source=bank",
        "load raw.e",
        "load raw.late source=shop: !e",
        "model m.top critical: late",
    ]);
    let (seconds, published) = (vec![1.0; graph.len()], vec![None; graph.len()]);
    let before = Before { expected_seconds: &seconds, published: &published, ended: &[] };
    let limits = Limits { jobs: 8, sources: HashMap::from([("shop".to_owned(), 3)]) };
    let selected: Vec<NodeId> = graph.tasks().collect();
    let mut trial =
        Trial { graph: &graph, scheduler: Scheduler::new(&graph, &selected, before, &limits), now: begin() };
    assert_eq!(trial.next(), "e, a, b, d", "one of three is kept for the critical load");
    assert_eq!(trial.well("e"), "late");
    assert_eq!(trial.well("a"), "c");
}

#[test]
fn two_hundred_slow_optional_tasks_keep_no_critical_one_waiting() {
    let mut lines: Vec<String> = (0..200).map(|n| format!("load raw.slow{n:03}")).collect();
    lines.extend(["load raw.gate", "model m.report critical: ~gate"].map(str::to_owned));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let graph = graph(&lines);
    let mut trial = Trial::new(&graph, "*", &[("gate", 1)], 4);
    // Each slow one takes an hour, the gate ten minutes: every slot is wanted all the time.
    let minutes = |trial: &Trial<'_>, task: NodeId| if trial.name(task) == "gate" { 10 } else { 60 };
    let mut running: BTreeMap<(Timestamp, NodeId), ()> = BTreeMap::new();
    let mut started_at = BTreeMap::new();
    let mut ended_at = BTreeMap::new();
    while !trial.scheduler.is_over() {
        for start in trial.scheduler.next(trial.now).starts {
            let end = trial.now + jiff::SignedDuration::from_mins(minutes(&trial, start.task));
            running.insert((end, start.task), ());
            started_at.insert(trial.name(start.task).to_owned(), trial.now);
        }
        assert!(running.len() <= 4);
        let ((end, task), ()) = running.pop_first().expect("something runs until all is over");
        trial.now = end;
        ended_at.insert(trial.name(task).to_owned(), end);
        trial.scheduler.ended(task, End::Succeeded(Some(end)));
    }
    assert_eq!(started_at["gate"], begin());
    assert_eq!(started_at["report"], ended_at["gate"], "it starts in the moment in which it is ready");
    assert_eq!(ended_at.len(), 202);
}

#[test]
fn a_resumed_run_does_what_is_left() {
    let graph = graph(&["load raw.a", "load raw.b", "model m.c: a", "model m.d: b", "model m.e: ~b 24h"]);
    let seconds = vec![1.0; graph.len()];
    let published = published(&graph, &[("b", 3)]);
    let ended = [
        (id(&graph, "a"), End::Succeeded(Some(begin()))),
        (id(&graph, "b"), End::Failed),
        (id(&graph, "c"), End::Unchanged(None)),
    ];
    let before = Before { expected_seconds: &seconds, published: &published, ended: &ended };
    let selected: Vec<NodeId> = graph.tasks().collect();
    let limits = Limits { jobs: 4, ..Limits::default() };
    let scheduler = Scheduler::new(&graph, &selected, before, &limits);
    let mut trial = Trial { graph: &graph, scheduler, now: begin() };
    assert_eq!(trial.next(), "e [~b 3h Failed], ✗d by b Failed through b");
    assert_eq!(trial.well("e"), "");
    assert!(trial.scheduler.is_over());
}

#[test]
fn tables_that_must_match_take_one_slot() {
    let graph = graph(&["load raw.a", "load raw.b", "load raw.c", "model m.d: b"]);
    let mut trial = Trial::new(&graph, "*", &[], 1);
    assert_eq!(trial.next(), "b");
    let (a, d) = (id(&graph, "a"), id(&graph, "d"));
    assert_eq!(trial.scheduler.start_along(a, trial.now), Some(Start { task: a, stale: Vec::new() }));
    assert_eq!(trial.scheduler.start_along(a, trial.now), None, "it runs");
    assert_eq!(trial.scheduler.start_along(d, trial.now), None, "it waits");
    assert_eq!(trial.well("a"), "", "the slot is the other one's");
    assert_eq!(trial.well("b"), "d");
    assert_eq!(trial.well("d"), "c");
}

#[test]
fn a_stopped_run_starts_nothing_more() {
    let graph = graph(&["load raw.a", "load raw.b", "model m.c: a", "model m.d: b"]);
    let mut trial = Trial::new(&graph, "*", &[], 1);
    assert_eq!(trial.next(), "a");
    let stopped: Vec<&str> = ["c", "d", "b"].to_vec();
    let names =
        |tasks: Vec<NodeId>| tasks.into_iter().map(|task| graph.name(task).name.clone()).collect::<Vec<_>>();
    assert_eq!(names(trial.scheduler.stop()), stopped);
    assert!(!trial.scheduler.is_over());
    assert_eq!(trial.ended("a", End::Cancelled), "");
    // What has ended ends once.
    assert_eq!(trial.ended("a", End::Failed), "");
    assert!(trial.scheduler.is_over());
}
