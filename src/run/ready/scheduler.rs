//! The scheduler: what each task waits for, and the queues of those that wait for nothing.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

use jiff::Timestamp;

use super::{Before, Blocked, Cause, End, Limits, Next, Start, input::Refusal, slots::Slots};
use crate::{
    dag::{Graph, NodeId, hanging_seconds},
    event::Tier,
};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not of this run.
    Outside,
    /// For something it needs.
    Waiting,
    /// For a slot.
    Ready,
    Running,
    /// Succeeded or unchanged.
    Well,
    Failed,
    Held,
    Skipped,
    Cancelled,
    Blocked,
}

/// The order of the queue: who is greatest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    rank: Rank,
    hanging_ms: u64,
    /// Numbers go by names.
    task: Reverse<NodeId>,
}

/// The greatest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Optional,
    /// A critical task waits for it.
    Urgent,
    Critical,
}

/// Says which tasks of a run may start. Each task and each edge costs the same however many there are.
#[derive(Debug)]
pub struct Scheduler<'g> {
    pub(super) graph: &'g Graph,
    states: Vec<State>,
    /// How many tasks of this run each one still waits for.
    waits_for: Vec<u32>,
    turns: Vec<Turn>,
    published: Vec<Option<Timestamp>>,
    causes: HashMap<NodeId, Cause>,
    slots: Slots,
    /// A queue for each source that has a limit, and one for all else. What is no longer ready is
    /// dropped when its turn comes.
    queues: Vec<BinaryHeap<Turn>>,
    /// When something that a task takes as it was published will be too old.
    expiries: BinaryHeap<(Reverse<Timestamp>, NodeId)>,
    /// Tasks of which nothing has been looked at.
    unseen: Vec<NodeId>,
    /// Tasks that have ended and whose dependents do not know it yet.
    untold: VecDeque<NodeId>,
    /// Tasks that run along with another one, in its slot.
    along: Vec<NodeId>,
    unfinished: usize,
}

impl<'g> Scheduler<'g> {
    /// A run of the `selected` tasks.
    pub fn new(graph: &'g Graph, selected: &[NodeId], before: Before<'_>, limits: &Limits) -> Self {
        let marks = graph.mark(selected);
        let state = |is_selected: &bool| if *is_selected { State::Waiting } else { State::Outside };
        let of_run = |task: NodeId| graph.needs(task).iter().filter(|edge| marks[edge.task.index()]).count();
        let count = |task| u32::try_from(of_run(task)).expect("a task needs fewer tasks than there are");
        let slots = Slots::new(graph, limits);
        let mut scheduler = Self {
            graph,
            states: marks.iter().map(state).collect(),
            waits_for: graph.tasks().map(count).collect(),
            turns: turns(graph, &marks, before.expected_seconds),
            published: before.published.to_vec(),
            causes: HashMap::new(),
            queues: vec![BinaryHeap::new(); slots.lanes()],
            slots,
            expiries: BinaryHeap::new(),
            unseen: Vec::new(),
            untold: VecDeque::new(),
            along: Vec::new(),
            unfinished: 0,
        };
        for (task, end) in before.ended {
            if scheduler.state(*task) == State::Waiting {
                scheduler.end(*task, *end);
            }
        }
        let of_run = |task: &NodeId| scheduler.state(*task) == State::Waiting;
        scheduler.unseen = graph.tasks().filter(of_run).collect();
        scheduler.unfinished = scheduler.unseen.len();
        for task in scheduler.unseen.clone() {
            if scheduler.is_urgent(task) {
                scheduler.slots.expect_urgent(task);
            }
        }
        scheduler
    }

    /// What starts now, and what cannot run any more. `now` never goes back.
    pub fn next(&mut self, now: Timestamp) -> Next {
        let mut next = Next::default();
        while let Some((Reverse(until), task)) = self.expiries.peek().copied()
            && until < now
        {
            self.expiries.pop();
            self.look_at(task, now, &mut next.blocked);
        }
        for task in std::mem::take(&mut self.unseen) {
            self.look_at(task, now, &mut next.blocked);
        }
        while let Some(task) = self.untold.pop_front() {
            self.tell(task, now, &mut next.blocked);
        }
        while let Some(task) = self.pick() {
            self.slots.take(task);
            next.starts.push(self.start(task, now));
        }
        next
    }

    /// Starts a ready task along with one that has just started, in its slot: tables that must match
    /// each other are loaded in one go. `None`: it is not ready.
    pub fn start_along(&mut self, task: NodeId, now: Timestamp) -> Option<Start> {
        (self.state(task) == State::Ready).then(|| {
            self.along.push(task);
            self.start(task, now)
        })
    }

    /// A task runs already, whatever its turn: for who looks at a run from outside. `false`: it is not of this run,
    /// or has ended.
    pub fn runs_already(&mut self, task: NodeId) -> bool {
        if !matches!(self.state(task), State::Waiting | State::Ready) {
            return false;
        }
        self.states[task.index()] = State::Running;
        if self.is_urgent(task) {
            self.slots.forget_urgent(task);
        }
        self.slots.take(task);
        true
    }

    /// A task that ran has ended. Of one that does not run nothing is changed.
    pub fn ended(&mut self, task: NodeId, end: End) {
        if self.state(task) != State::Running {
            return;
        }
        match self.along.iter().position(|other| *other == task) {
            Some(place) => drop(self.along.swap_remove(place)),
            None => self.slots.give_back(task),
        }
        self.unfinished -= 1;
        self.end(task, end);
    }

    /// Nothing more starts. Answers with what had not started: it is cancelled.
    pub fn stop(&mut self) -> Vec<NodeId> {
        let has_not_started = |task: &NodeId| matches!(self.state(*task), State::Waiting | State::Ready);
        let stopped: Vec<NodeId> = self.graph.tasks().filter(has_not_started).collect();
        for task in &stopped {
            self.leave(*task, State::Cancelled);
        }
        self.untold.clear();
        stopped
    }

    /// Whether every task has ended.
    pub fn is_over(&self) -> bool {
        self.unfinished == 0
    }

    /// The expected time from a task's start to the end of the last one that waits for it.
    pub fn hanging_seconds(&self, task: NodeId) -> f64 {
        std::time::Duration::from_millis(self.turns[task.index()].hanging_ms).as_secs_f64()
    }

    pub(super) fn state(&self, task: NodeId) -> State {
        self.states[task.index()]
    }

    pub(super) fn published(&self, task: NodeId) -> Option<Timestamp> {
        self.published[task.index()]
    }

    pub(super) fn cause(&self, blocked: NodeId) -> Cause {
        self.causes[&blocked]
    }

    fn is_urgent(&self, task: NodeId) -> bool {
        self.turns[task.index()].rank > Rank::Optional
    }

    /// The one that goes first of those that may start.
    fn pick(&mut self) -> Option<NodeId> {
        let mut first: Option<(Turn, usize)> = None;
        for (lane, queue) in self.queues.iter_mut().enumerate() {
            while queue.peek().is_some_and(|turn| self.states[turn.task.0.index()] != State::Ready) {
                queue.pop();
            }
            if let Some(turn) = queue.peek()
                && first.is_none_or(|(first, _)| *turn > first)
                && self.slots.admits(lane, turn.rank > Rank::Optional)
            {
                first = Some((*turn, lane));
            }
        }
        let (turn, lane) = first?;
        self.queues[lane].pop();
        Some(turn.task.0)
    }

    fn start(&mut self, task: NodeId, now: Timestamp) -> Start {
        self.states[task.index()] = State::Running;
        if self.is_urgent(task) {
            self.slots.forget_urgent(task);
        }
        // Nothing refuses any more: a task is looked at when the last thing it waits for has ended,
        // and again when something is too old.
        let stale = self.inputs(task, now).map(|inputs| inputs.stale).unwrap_or_default();
        Start { task, stale }
    }

    fn end(&mut self, task: NodeId, end: End) {
        self.states[task.index()] = match end {
            End::Succeeded(as_of) | End::Unchanged(as_of) => {
                let published = &mut self.published[task.index()];
                *published = as_of.or(*published);
                State::Well
            }
            End::Failed => State::Failed,
            End::Held => State::Held,
            End::Skipped => State::Skipped,
            End::Cancelled => State::Cancelled,
        };
        self.untold.push_back(task);
    }

    /// A task ends that never started.
    fn leave(&mut self, task: NodeId, state: State) {
        self.states[task.index()] = state;
        self.unfinished -= 1;
        if self.is_urgent(task) {
            self.slots.forget_urgent(task);
        }
        self.untold.push_back(task);
    }

    /// Tells a task's end to all that wait for it.
    fn tell(&mut self, task: NodeId, now: Timestamp, blocked: &mut Vec<Blocked>) {
        for edge in self.graph.needed_by(task) {
            if self.state(edge.task) == State::Waiting {
                self.waits_for[edge.task.index()] -= 1;
                if self.state(task) != State::Well || self.waits_for[edge.task.index()] == 0 {
                    self.look_at(edge.task, now, blocked);
                }
            }
        }
    }

    /// Blocks a task that cannot have what it needs; makes it ready if it waits for nothing.
    fn look_at(&mut self, task: NodeId, now: Timestamp, blocked: &mut Vec<Blocked>) {
        if !matches!(self.state(task), State::Waiting | State::Ready) {
            return;
        }
        match self.inputs(task, now) {
            Err(refusal) => blocked.push(self.block(task, &refusal)),
            Ok(inputs) => {
                if let Some(until) = inputs.good_until {
                    self.expiries.push((Reverse(until), task));
                }
                if self.state(task) == State::Waiting && self.waits_for[task.index()] == 0 {
                    self.states[task.index()] = State::Ready;
                    self.queues[self.slots.lane(task)].push(self.turns[task.index()]);
                }
            }
        }
    }

    fn block(&mut self, task: NodeId, refusal: &Refusal) -> Blocked {
        self.causes.insert(task, refusal.cause);
        self.leave(task, State::Blocked);
        let Refusal { through, cause, too_old } = *refusal;
        Blocked { task, through, cause, too_old, published: self.published(task) }
    }
}

/// Each task's turn, by its tier, by who waits for it, and by the time that hangs on it.
fn turns(graph: &Graph, marks: &[bool], expected_seconds: &[f64]) -> Vec<Turn> {
    let hanging = hanging_seconds(graph, expected_seconds, marks);
    let turn = |task: NodeId| Turn {
        rank: Rank::Optional,
        // A cast of a float stays within bounds; milliseconds are fine enough to tell who goes first.
        hanging_ms: (hanging[task.index()] * 1e3) as u64,
        task: Reverse(task),
    };
    let mut turns: Vec<Turn> = graph.tasks().map(turn).collect();
    for task in graph.in_order().iter().rev().filter(|task| marks[task.index()]) {
        let mut after = graph.needed_by(*task).iter().filter(|edge| marks[edge.task.index()]);
        turns[task.index()].rank = match graph.tier(*task) {
            Tier::Critical => Rank::Critical,
            Tier::Optional if after.any(|edge| turns[edge.task.index()].rank > Rank::Optional) => {
                Rank::Urgent
            }
            Tier::Optional => Rank::Optional,
        };
    }
    turns
}
