//! Deadlines seen from outside of a run: by the control database alone, whatever runs or does not.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    follow::Followed,
    forecast::{Forecast, Picture, Standing, after, forecast},
    idle::takes_seconds,
    judge::{Judged, Outlook},
    left::{self, LastEnds},
    words,
};
use crate::{
    clock::{Clock, System},
    config::{Due, Environment, Project},
    control::{Control, EndedTask, Observation, RunningRun},
    dag::{Facts, NodeId, selection},
    run::{
        JOBS, Mode, RunError, reach,
        ready::{End, Limits},
        schemas::Schemas,
        tasks::{self, Tasks},
    },
};

/// So far back good ends are looked for.
const LOOKED_BACK: SignedDuration = SignedDuration::from_hours(8 * 24);

/// How a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadlineState {
    /// It was met.
    Met,
    /// It will be, as far as is known; where no run works for it, there is time enough.
    Expected,
    /// It will be missed, as things stand.
    InDanger,
    /// It was missed.
    Missed,
}

/// A deadline, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The task's full name.
    pub task: String,
    /// By when it must be done.
    pub due: Due,
    /// How it stands.
    pub state: DeadlineState,
    /// When it was done, in time or late.
    pub ready_at: Option<Timestamp>,
    /// When a run under way has done it.
    pub expected_at: Option<Timestamp>,
    /// Where no run works for it: how long it takes with all that it needs.
    pub takes_seconds: Option<f64>,
    /// The task that holds it up.
    pub held_up_by: Option<String>,
    /// By how much.
    pub held_up_seconds: Option<f64>,
    /// The same in words, in the project's time zone.
    pub words: String,
}

/// A deadline of a run that has not begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// The task's full name.
    pub task: String,
    /// By when it must be done.
    pub due: Due,
    /// How long after its beginning the run has done it; `None`: it could not.
    pub seconds_expected: Option<f64>,
    /// Whether that is too late if it began now.
    pub is_late: bool,
    /// The same in words.
    pub words: String,
}

/// The project's deadlines: those of today, and of tasks that have none today the next one, or one that was missed
/// and is not done yet. Connects to the control database alone, and changes nothing.
pub async fn deadlines(project: &Project, environment: &Environment) -> Result<Vec<Shown>, RunError> {
    let endpoint = reach::control_endpoint(project, environment)?;
    let Some(control) = Control::open_existing(&endpoint, &reach::control_schema(Mode::Production)).await?
    else {
        return Ok(Vec::new());
    };
    let now = System.now();
    let found = Outside::read(project, environment, &control, now).await;
    // A session that is not ended here is ended by its server.
    let _ = control.close().await;
    Ok(found?.map(|outside| outside.shown(now)).unwrap_or_default())
}

/// What is to be told of deadlines that no run works for: for whoever comes by regularly.
pub(in crate::run) async fn tell_idle(
    project: &Project,
    environment: &Environment,
    control: &Control,
) -> Result<Vec<Observation>, RunError> {
    let now = System.now();
    let Some(outside) = Outside::read(project, environment, control, now).await? else {
        return Ok(Vec::new());
    };
    // A run tells by itself of what it works for.
    let is_worked_for =
        |task: NodeId| outside.runs.iter().any(|run| run.does && run.selected.contains(&task));
    let idle = outside.followed.iter().filter(|followed| !is_worked_for(followed.task));
    let seen = idle.filter_map(|followed| {
        let judged = outside.judge(followed, followed.due(now, now, &outside.zone)?, &[], now)?;
        let say = followed.watch.clone().step(&judged, now)?;
        Some(words::observation(&judged, say, (&outside.tasks, &outside.zone), now))
    });
    Ok(seen.collect())
}

/// When a run of these tasks, begun now, has done those that have a deadline.
pub(in crate::run) fn foresee(
    tasks: &Tasks,
    published: &[Option<Timestamp>],
    zone: &TimeZone,
    now: Timestamp,
) -> Vec<Foreseen> {
    let (expected_seconds, standings) = (tasks.expected_seconds(), BTreeMap::new());
    let (limits, along) = (limits(), |task: NodeId| tasks.along(task));
    let picture = Picture {
        graph: &tasks.graph,
        selected: tasks.selected(),
        expected_seconds: &expected_seconds,
        published,
        standings: &standings,
        limits: &limits,
        along: &along,
    };
    let forecast = forecast(&picture, now);
    let of_task = |task: &NodeId| {
        let due = tasks.job(*task).deadline()?.next(now, zone)?;
        let at = forecast.of(*task).span().map(|span| span.end);
        let (task, time) = (tasks.job(*task).name(), words::due_time(due.at, now, zone));
        let ready = at.map_or("cannot be done".to_owned(), |at| {
            format!("would be ready at {}, if the run began now", words::clock_time(at, now, zone))
        });
        Some(Foreseen {
            words: format!("{task} is due at {time} and {ready}"),
            task,
            due,
            seconds_expected: at.map(|at| at.duration_since(now).as_secs_f64()),
            is_late: at.is_none_or(|at| at > due.at),
        })
    };
    tasks.selected().iter().filter_map(of_task).collect()
}

fn limits() -> Limits {
    Limits { jobs: JOBS as usize, ..Limits::default() }
}

/// A run under way, as others see it.
struct Seen {
    selected: Vec<NodeId>,
    /// Whether it does its tasks, and does not just look at tables or fill them by hand.
    does: bool,
    standings: BTreeMap<NodeId, Standing>,
    /// How many ended by being blocked.
    blocked: usize,
}

/// What is known of a run, and how it goes on.
type Played<'a> = (Picture<'a>, Forecast);

static NOTHING_BEGUN: BTreeMap<NodeId, Standing> = BTreeMap::new();

/// The deadlines as the control database lets them be seen.
pub(in crate::run) struct Outside {
    tasks: Tasks,
    zone: TimeZone,
    followed: Vec<Followed>,
    /// The good ends of each of those.
    ends: Vec<Vec<Timestamp>>,
    /// The first one of each, by its task.
    first_ends: HashMap<NodeId, Timestamp>,
    last_ends: LastEnds,
    published: Vec<Option<Timestamp>>,
    expected_seconds: Vec<f64>,
    limits: Limits,
    runs: Vec<Seen>,
}

impl Outside {
    /// `None`: no task has a deadline.
    async fn read(
        project: &Project,
        environment: &Environment,
        control: &Control,
        now: Timestamp,
    ) -> Result<Option<Self>, RunError> {
        let schemas = Schemas::of(project, environment, Mode::Production)?;
        let mut tasks = tasks::remembered(project, &schemas, &control.load_names().await?)?;
        if tasks.graph.tasks().all(|task| tasks.job(task).deadline().is_none()) {
            return Ok(None);
        }
        tasks.expect(Some(control)).await;
        let running = control.running().await?;
        Ok(Some(Self::of(tasks, project.zone(), control, &running, now).await?))
    }

    /// Of tasks whose expected times are known, and the runs under way.
    pub(in crate::run) async fn of(
        tasks: Tasks,
        zone: TimeZone,
        control: &Control,
        running: &[RunningRun],
        now: Timestamp,
    ) -> Result<Self, RunError> {
        let deadline = |task: NodeId| Some((task, tasks.job(task).deadline()?.clone()));
        let with_deadline: Vec<_> = tasks.graph.tasks().filter_map(deadline).collect();
        let names = tasks.all_names();
        let (mut last, mut first, mut last_ends) = (HashMap::new(), HashMap::new(), LastEnds::new());
        let own: Vec<String> = with_deadline.iter().map(|(task, _)| names[task.index()].clone()).collect();
        // Without a deadline there is nothing to foresee.
        if !with_deadline.is_empty() {
            let some: Vec<NodeId> = with_deadline.iter().map(|(task, _)| *task).collect();
            last = control.last_good_ends(&names).await?;
            first = control.first_good_ends(&own).await?;
            last_ends = left::last_ends(control, &tasks, &some).await?;
        }
        let first_of = |(task, _): &(NodeId, _)| Some((*task, *first.get(&names[task.index()])?));
        let mut ends =
            control.good_ends(&own, now.saturating_sub(LOOKED_BACK).unwrap_or(Timestamp::MIN)).await?;
        let by_name: HashMap<&str, NodeId> =
            tasks.graph.tasks().map(|task| (names[task.index()].as_str(), task)).collect();
        let mut runs = Vec::new();
        for run in running.iter().filter(|run| !run.is_crashed) {
            runs.push(seen(&tasks, &by_name, run, &control.ends_of(&run.run).await?));
        }
        let follow = |(task, deadline): (NodeId, _)| {
            Followed::new(task, deadline, last.get(&names[task.index()]).copied())
        };
        Ok(Self {
            zone,
            first_ends: with_deadline.iter().filter_map(first_of).collect(),
            last_ends,
            followed: with_deadline.into_iter().map(follow).collect(),
            ends: own.iter().map(|name| ends.remove(name).unwrap_or_default()).collect(),
            published: names.iter().map(|name| last.get(name).copied()).collect(),
            expected_seconds: tasks.expected_seconds(),
            limits: limits(),
            runs,
            tasks,
        })
    }

    /// How many tasks each run under way has selected, and how many of them have ended; crashed ones are left out.
    pub(in crate::run) fn progress(&self) -> Vec<(usize, usize)> {
        let ended = |run: &Seen| run.standings.values().filter(|standing| standing.ended.is_some()).count();
        self.runs.iter().map(|run| (run.selected.len(), ended(run) + run.blocked)).collect()
    }

    /// The tasks that it was made of.
    pub(in crate::run) fn into_tasks(self) -> Tasks {
        self.tasks
    }

    pub(in crate::run) fn shown(&self, now: Timestamp) -> Vec<Shown> {
        let played: Vec<Played<'_>> = self.runs.iter().map(|run| self.played(run, now)).collect();
        let mut shown: Vec<Shown> = Vec::new();
        for (followed, ends) in self.followed.iter().zip(&self.ends) {
            let done = self.done_today(followed, ends, now);
            let due = followed.due(now, now, &self.zone);
            let ahead = due.and_then(|due| self.judge(followed, due, &played, now));
            // Today's was met, but tomorrow's is in danger already: one soon after midnight.
            let judged = match ahead {
                Some(ahead) if done.is_none() || ahead.is_in_danger(now) => Some(ahead),
                _ => done,
            };
            shown.extend(judged.map(|judged| self.show(&judged, now)));
        }
        shown.sort_by(|a, b| (a.due.at, &a.task).cmp(&(b.due.at, &b.task)));
        shown
    }

    /// Today's deadline that is over and was met, or done late. What a task was first made after, it has not missed.
    fn done_today(&self, followed: &Followed, ends: &[Timestamp], now: Timestamp) -> Option<Judged> {
        let due = followed.deadline.last(now, &self.zone)?;
        let day = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        let in_time = ends.iter().rfind(|end| (due.since..=due.at).contains(*end));
        let is_new = self.first_ends.get(&followed.task).is_some_and(|first| *first > due.at);
        let late = || ends.iter().find(|end| **end > due.at && !is_new);
        let at = *in_time.or_else(late)?;
        (day(due.at) == day(now)).then_some(Judged { task: followed.task, due, outlook: Outlook::Met { at } })
    }

    fn judge(&self, followed: &Followed, due: Due, played: &[Played<'_>], now: Timestamp) -> Option<Judged> {
        let task = followed.task;
        if let Some(at) = followed.met_at(due) {
            return Some(Judged { task, due, outlook: Outlook::Met { at } });
        }
        let by_run = |(picture, forecast): &Played<'_>| Judged::of_run(picture, forecast, task, due);
        if let Some(judged) = played.iter().find_map(by_run) {
            return Some(judged);
        }
        let lost = left::lost(&self.last_ends, &self.tasks.graph, task, due);
        let outlook = lost.or_else(|| {
            let along = |task: NodeId| self.tasks.along(task);
            let takes_seconds = takes_seconds(&Picture { along: &along, ..self.idle() }, task, now)?;
            Some(Outlook::Idle { takes_seconds })
        })?;
        Some(Judged { task, due, outlook })
    }

    /// As if nothing ran.
    fn idle(&self) -> Picture<'_> {
        Picture {
            graph: &self.tasks.graph,
            selected: &[],
            expected_seconds: &self.expected_seconds,
            published: &self.published,
            standings: &NOTHING_BEGUN,
            limits: &self.limits,
            along: &|_| Vec::new(),
        }
    }

    /// A run, played through to its end.
    fn played<'a>(&'a self, run: &'a Seen, now: Timestamp) -> Played<'a> {
        let picture = Picture { selected: &run.selected, standings: &run.standings, ..self.idle() };
        let along = |task: NodeId| self.tasks.along(task);
        (picture, forecast(&Picture { along: &along, ..picture }, now))
    }

    fn show(&self, judged: &Judged, now: Timestamp) -> Shown {
        let name = |task: NodeId| self.tasks.job(task).name();
        let (mut ready_at, mut expected_at, mut idle_seconds) = (None, None, None);
        match judged.outlook {
            Outlook::Met { at } => ready_at = Some(at),
            Outlook::Expected { at, .. } => expected_at = Some(at),
            Outlook::Idle { takes_seconds } => idle_seconds = Some(takes_seconds),
            Outlook::Lost { .. } => {}
        }
        let is_late = ready_at.is_some_and(|at| at > judged.due.at);
        let held_up = words::held_up_by(judged);
        Shown {
            task: name(judged.task),
            due: judged.due,
            state: match () {
                () if is_late || judged.is_missed(now) => DeadlineState::Missed,
                () if judged.is_met() => DeadlineState::Met,
                () if judged.is_in_danger(now) => DeadlineState::InDanger,
                () => DeadlineState::Expected,
            },
            ready_at,
            expected_at,
            takes_seconds: idle_seconds,
            held_up_by: held_up.map(|(task, _)| name(task)),
            held_up_seconds: held_up.and_then(|(_, seconds)| seconds),
            words: words::line(judged, &name, &self.zone, now),
        }
    }
}

/// The tasks that a run has selected. A selection that asks for facts is taken for all of them.
pub(super) fn selected(tasks: &Tasks, run: &RunningRun) -> Vec<NodeId> {
    let (select, exclude) = selection::read(&run.selection);
    let selected = tasks.graph.select(&Facts::default(), &select, &exclude);
    selected.unwrap_or_else(|_| tasks.graph.tasks().collect())
}

/// What the control database knows of a run.
fn seen(tasks: &Tasks, by_name: &HashMap<&str, NodeId>, run: &RunningRun, ended: &[EndedTask]) -> Seen {
    let (mut standings, mut blocked) = (BTreeMap::new(), 0);
    for row in ended {
        let Some(task) = by_name.get(row.task.as_str()) else { continue };
        let at = after(row.started_at, row.seconds.unwrap_or_default());
        let end = match row.status.as_str() {
            "succeeded" | "unchanged" => End::Succeeded(Some(at)),
            "held" => End::Held,
            "skipped" => End::Skipped,
            "cancelled" => End::Cancelled,
            // The scheduler finds out by itself.
            "blocked" => {
                blocked += 1;
                continue;
            }
            _ => End::Failed,
        };
        standings.insert(
            *task,
            Standing { started_at: row.started_at, attempt_at: row.started_at, ended: Some((at, end)) },
        );
    }
    for running in &run.tasks {
        let Some(task) = by_name.get(running.task.as_str()) else { continue };
        let started_at = running.started_at;
        standings.insert(*task, Standing { started_at, attempt_at: started_at, ended: None });
    }
    Seen { selected: selected(tasks, run), does: run.does_tasks(), standings, blocked }
}
