//! The deadlines while a run goes on: looked at when a task ends and every half minute, beside the run, so that
//! nothing waits for it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tracing::Instrument;

use super::{
    follow::Followed,
    forecast::{Forecast, Picture, Standing, forecast},
    idle::takes_seconds,
    judge::{Judged, Outlook},
    look::selected,
    words,
};
use crate::{
    clock::{Clock, System},
    control::{Control, Observation},
    dag::NodeId,
    event::DeadlineOutcome,
    run::{
        ready::{End, Limits},
        tasks::Tasks,
    },
};

/// How often deadlines are looked at when nothing ends.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// When many tasks end at once they are not looked at for each.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the last look may take, which asks the control database.
const LIMIT: Duration = Duration::from_secs(3);

/// When each task's attempt under way began, or when the next one will.
#[derive(Debug, Clone, Default)]
pub(in crate::run) struct Attempts(Arc<Mutex<HashMap<String, Timestamp>>>);

impl Attempts {
    /// A task's next attempt begins after so long.
    pub(in crate::run) fn begin(&self, task: &str, wait: Duration) {
        let at = System.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned(), at);
    }

    fn of(&self, task: &str) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(task).copied()
    }
}

/// Something that a run did.
enum Step {
    Began(NodeId),
    Ended(NodeId, End),
}

/// The deadlines of a project's tasks during one of its runs.
pub(in crate::run) struct Deadlines {
    steps: mpsc::UnboundedSender<Step>,
    dues: HashMap<NodeId, Timestamp>,
    outcomes: JoinHandle<Vec<DeadlineOutcome>>,
}

/// What is known of a run.
pub(in crate::run) struct Known<'a> {
    pub(in crate::run) tasks: &'a Arc<Tasks>,
    pub(in crate::run) zone: TimeZone,
    /// The moments that tables showed before.
    pub(in crate::run) published: Vec<Option<Timestamp>>,
    /// Of a run that is resumed: what has ended.
    pub(in crate::run) ended: &'a [(NodeId, End)],
    pub(in crate::run) limits: Limits,
    pub(in crate::run) attempts: Attempts,
    pub(in crate::run) control: &'a Control,
    pub(in crate::run) run: &'a str,
}

impl Deadlines {
    /// Begins to look. `None`: no task has a deadline.
    pub(in crate::run) async fn watch(
        known: Known<'_>,
        observations: mpsc::UnboundedSender<Observation>,
    ) -> Option<Self> {
        let live = Live::of(known).await?;
        let dues = live.dues();
        let (steps, received) = mpsc::unbounded_channel();
        let outcomes = tokio::spawn(live.follow(received, observations).in_current_span());
        Some(Self { steps, dues, outcomes })
    }

    /// When a task's deadline, that was not met when the run began, is or was due.
    pub(in crate::run) fn due_at(&self, task: NodeId) -> Option<Timestamp> {
        self.dues.get(&task).copied()
    }

    /// A task of the run begins.
    pub(in crate::run) fn begin(&self, task: NodeId) {
        // The other side ends after this one alone.
        let _ = self.steps.send(Step::Began(task));
    }

    /// One that had begun has ended.
    pub(in crate::run) fn end(&self, task: NodeId, end: End) {
        let _ = self.steps.send(Step::Ended(task, end));
    }

    /// The run is over: how the deadlines stand that it had to do with.
    pub(in crate::run) async fn finish(self) -> Vec<DeadlineOutcome> {
        drop(self.steps);
        let stop = self.outcomes.abort_handle();
        let ended = timeout(LIMIT, self.outcomes).await;
        stop.abort();
        match ended {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("how the deadlines stand was not known in time");
                Vec::new()
            }
        }
    }
}

struct Live {
    tasks: Arc<Tasks>,
    zone: TimeZone,
    began_at: Timestamp,
    followed: Vec<Followed>,
    /// When each was last done before the run.
    done_before: Vec<Option<Timestamp>>,
    standings: BTreeMap<NodeId, Standing>,
    attempts: Attempts,
    expected_seconds: Vec<f64>,
    published: Vec<Option<Timestamp>>,
    limits: Limits,
    control: Control,
    run: String,
}

impl Live {
    async fn of(known: Known<'_>) -> Option<Self> {
        let Known { tasks, zone, published, ended, limits, attempts, control, run } = known;
        let deadline = |task: NodeId| Some((task, tasks.job(task).deadline()?.clone()));
        let followed: Vec<_> = tasks.graph.tasks().filter_map(deadline).collect();
        if followed.is_empty() {
            return None;
        }
        let follow = |(task, deadline)| Followed::new(task, deadline, None);
        let began_at = System.now();
        let done =
            |end: End| Standing { started_at: began_at, attempt_at: began_at, ended: Some((began_at, end)) };
        let mut live = Self {
            tasks: tasks.clone(),
            zone,
            began_at,
            followed: followed.into_iter().map(follow).collect(),
            done_before: Vec::new(),
            standings: ended.iter().map(|(task, end)| (*task, done(*end))).collect(),
            attempts,
            expected_seconds: tasks.expected_seconds(),
            published,
            limits,
            control: control.clone(),
            run: run.to_owned(),
        };
        live.ask_when_done().await;
        live.done_before = live.followed.iter().map(|followed| followed.done_at).collect();
        Some(live)
    }

    fn dues(&self) -> HashMap<NodeId, Timestamp> {
        let due = |followed: &Followed| {
            let due = followed.due(self.began_at, self.began_at, &self.zone)?;
            followed.met_at(due).is_none().then_some((followed.task, due.at))
        };
        self.followed.iter().filter_map(due).collect()
    }

    /// Looks until the run is over.
    async fn follow(
        mut self,
        mut steps: mpsc::UnboundedReceiver<Step>,
        observations: mpsc::UnboundedSender<Observation>,
    ) -> Vec<DeadlineOutcome> {
        loop {
            let looked = Instant::now();
            for seen in self.look(System.now()).await {
                // Who writes them down ends after this one alone.
                let _ = observations.send(seen);
            }
            let mut next =
                looked + self.next_due_in(System.now()).map_or(LOOK_EVERY, |due| due.min(LOOK_EVERY));
            loop {
                tokio::select! {
                    step = steps.recv() => match step {
                        Some(Step::Began(task)) => self.begin(task, System.now()),
                        Some(Step::Ended(task, end)) => {
                            self.end(task, end, System.now());
                            next = next.min(looked + PAUSE);
                        }
                        None => {
                            let now = System.now();
                            for seen in self.look(now).await {
                                let _ = observations.send(seen);
                            }
                            return self.outcomes(now);
                        }
                    },
                    () = sleep_until(next) => break,
                }
            }
        }
    }

    /// A miss is told when it happens.
    fn next_due_in(&self, now: Timestamp) -> Option<Duration> {
        let dues = self.followed.iter().filter_map(|followed| followed.deadline.next(now, &self.zone));
        let left = Duration::try_from(dues.map(|due| due.at).min()?.duration_since(now)).ok()?;
        Some(left + Duration::from_millis(10))
    }

    fn begin(&mut self, task: NodeId, now: Timestamp) {
        self.standings.insert(task, Standing { started_at: now, attempt_at: now, ended: None });
    }

    fn end(&mut self, task: NodeId, end: End, now: Timestamp) {
        let Some(standing) = self.standings.get_mut(&task) else { return };
        standing.ended = Some((now, end));
        if matches!(end, End::Succeeded(_) | End::Unchanged(_)) {
            let own = self.followed.iter_mut().filter(|followed| followed.task == task);
            own.for_each(|followed| followed.done_at = Some(now));
        }
    }

    /// How each deadline stands; what people are told of it.
    async fn look(&mut self, now: Timestamp) -> Vec<Observation> {
        let forecast = self.forecast(now);
        let is_left = |followed: &Followed| {
            let due = followed.due(self.began_at, now, &self.zone);
            due.is_some_and(|due| {
                followed.met_at(due).is_none() && self.by_run(followed, &forecast, now).is_none()
            })
        };
        let others_left = self.followed.iter().any(is_left);
        if others_left {
            self.ask_when_done().await;
        }
        // What another run does is that one's to tell.
        let others = if others_left { self.others().await } else { Some(Vec::new()) };
        let mut seen = Vec::new();
        for place in 0..self.followed.len() {
            let followed = &self.followed[place];
            let Some(judged) = self.judge(followed, &forecast, now) else { continue };
            let task = followed.task;
            let is_others = others.as_ref().is_none_or(|runs| runs.iter().any(|run| run.contains(&task)));
            if is_others && matches!(judged.outlook, Outlook::Idle { .. }) {
                continue;
            }
            let said = self.followed[place].watch.step(&judged, now);
            seen.extend(said.map(|say| words::observation(&judged, say, (&self.tasks, &self.zone), now)));
        }
        seen
    }

    /// How the deadlines of the run's own tasks stand at its end, where it had to do with them.
    fn outcomes(&self, now: Timestamp) -> Vec<DeadlineOutcome> {
        let forecast = self.forecast(now);
        let outcome = |(followed, done_at): (&Followed, &Option<Timestamp>)| {
            let own = Followed { done_at: *done_at, ..followed.clone() };
            let ready_at = self.standings.get(&followed.task).and_then(|standing| standing.ended);
            let ready_at = ready_at.filter(|(_, end)| matches!(end, End::Succeeded(_) | End::Unchanged(_)));
            let at = ready_at.map_or(now, |(at, _)| at);
            let due = own.due(self.began_at, at, &self.zone).filter(|due| at >= due.since)?;
            let outlook = match ready_at {
                Some((at, _)) => Outlook::Met { at },
                None => self.by_run(followed, &forecast, now)?.outlook,
            };
            let judged = Judged { task: followed.task, due, outlook };
            Some(words::outcome(&judged, &|task| self.tasks.job(task).name(), &self.zone, now))
        };
        self.followed.iter().zip(&self.done_before).filter_map(outcome).collect()
    }

    fn judge(&self, followed: &Followed, forecast: &Forecast, now: Timestamp) -> Option<Judged> {
        let due = followed.due(self.began_at, now, &self.zone)?;
        let task = followed.task;
        if let Some(at) = followed.met_at(due) {
            return Some(Judged { task, due, outlook: Outlook::Met { at } });
        }
        self.by_run(followed, forecast, now).or_else(|| {
            let takes_seconds = takes_seconds(&self.picture(), task, now)?;
            Some(Judged { task, due, outlook: Outlook::Idle { takes_seconds } })
        })
    }

    fn by_run(&self, followed: &Followed, forecast: &Forecast, now: Timestamp) -> Option<Judged> {
        let due = followed.due(self.began_at, now, &self.zone)?;
        Judged::of_run(&self.picture(), forecast, followed.task, due)
    }

    fn picture(&self) -> Picture<'_> {
        Picture {
            graph: &self.tasks.graph,
            selected: self.tasks.selected(),
            expected_seconds: &self.expected_seconds,
            published: &self.published,
            standings: &self.standings,
            limits: &self.limits,
            along: &|_| Vec::new(),
        }
    }

    fn forecast(&self, now: Timestamp) -> Forecast {
        let mut standings = self.standings.clone();
        for (task, standing) in &mut standings {
            standing.attempt_at =
                self.attempts.of(&self.tasks.job(*task).name()).unwrap_or(standing.started_at);
        }
        let along = |task: NodeId| self.tasks.along(task);
        forecast(&Picture { standings: &standings, along: &along, ..self.picture() }, now)
    }

    /// Other runs may do them too.
    async fn ask_when_done(&mut self) {
        let names: Vec<String> =
            self.followed.iter().map(|followed| self.tasks.job(followed.task).name()).collect();
        match self.control.last_good_ends(&names).await {
            Ok(ends) => {
                for (followed, name) in self.followed.iter_mut().zip(&names) {
                    followed.done_at = followed.done_at.max(ends.get(name).copied());
                }
            }
            Err(error) => tracing::warn!(%error, "when tasks with a deadline were last done is not known"),
        }
    }

    /// What other living runs work for; `None`: nobody knows, and then nobody can be told anything either.
    async fn others(&self) -> Option<Vec<Vec<NodeId>>> {
        let runs = self.control.running().await.ok()?;
        let others = runs.iter().filter(|run| !run.is_crashed && run.run != self.run && run.does_tasks());
        Some(others.map(|run| selected(&self.tasks, run)).collect())
    }
}
