//! All tasks of a project at one glance, for who looks again and again: by the control database and the project's text
//! alone. No statement goes to the warehouse or a source, so that a serverless one can sleep.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Mode, RunError, ShownDeadline,
    deadlines::Outside,
    look_at::critical_in_words,
    schemas::Schemas,
    tasks::{self, Tasks},
};
use crate::{
    clock::{Clock, System},
    config::{Environment, Project},
    control::{
        Control, Expected, Hold, KeptIncident, LastCheck, Latest, Mute, RunningRun, RunningTask, SeenRun,
        SlotsInUse,
    },
    dag::{Graph, Kind, NodeId},
    event::{TaskStatus, Tier},
};

/// So many incidents and runs are shown beside the tasks.
const SHOWN: (u32, u32) = (200, 40);

/// A project's tasks, and what goes on with them.
pub struct Overview {
    /// When all this was read.
    pub read_at: Timestamp,
    /// The tasks, as far as the project's text and the names of those that ever ran tell them.
    pub graph: Graph,
    /// How each stands, by the tasks' numbers.
    pub tasks: Vec<TaskSeen>,
    /// How deadlines stand.
    pub deadlines: Vec<ShownDeadline>,
    /// The runs under way, the earliest first.
    pub running: Vec<Going>,
    /// The open incidents, the latest first.
    pub incidents: Vec<KeptIncident>,
    /// What nobody wants to hear of.
    pub mutes: Vec<Mute>,
    /// What each check found the last time.
    pub checks: Vec<LastCheck>,
    /// The last runs, the latest first.
    pub runs: Vec<SeenRun>,
    /// Connections in use.
    pub slots: Vec<SlotsInUse>,
    numbers: HashMap<String, NodeId>,
}

/// A task, and how it stands.
#[derive(Debug, Clone)]
pub struct TaskSeen {
    /// Its full name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its tier.
    pub tier: Tier,
    /// Why it is critical, in words.
    pub critical: Option<String>,
    /// The source that it reads.
    pub source: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Who is asked about it.
    pub owner: Option<String>,
    /// `full`, `append`, `merge`, `table`, `view`, …
    pub strategy: Option<String>,
    /// By when it must be done, as it is written.
    pub deadline: Option<String>,
    /// What it usually takes.
    pub expected: Option<Expected>,
    /// How it ended, and what it shows.
    pub latest: Latest,
    /// The hold that keeps it as it is.
    pub hold: Option<Hold>,
    /// The run that does it just now, and since when.
    pub running: Option<(String, RunningTask)>,
}

/// A run under way.
#[derive(Debug, Clone)]
pub struct Going {
    /// The run, with its tasks under way.
    pub run: RunningRun,
    /// How many tasks it has to do; of a crashed one nobody knows.
    pub selected: Option<usize>,
    /// How many of them have ended.
    pub ended: usize,
}

/// Reads all of it.
pub async fn overview(
    project: &Project,
    environment: &Environment,
    control: &Control,
) -> Result<Overview, RunError> {
    let schemas = Schemas::of(project, environment, Mode::Production)?;
    let mut tasks = tasks::remembered(project, &schemas, &control.load_names().await?)?;
    tasks.expect(Some(control)).await;
    let running = control.running().await?;
    let now = System.now();
    let outside = Outside::of(tasks, project.zone(), control, &running, now).await?;
    let deadlines = outside.shown(now);
    let mut progress = outside.progress().into_iter();
    let going = |run: RunningRun| {
        let (selected, ended) = (!run.is_crashed).then(|| progress.next()).flatten().unzip();
        Going { run, selected, ended: ended.unwrap_or_default() }
    };
    let running: Vec<Going> = running.into_iter().map(going).collect();
    let tasks = outside.into_tasks();
    let (seen, numbers) = seen(&tasks, control, &running).await?;
    let names: Vec<String> = seen.iter().map(|task| task.name.clone()).collect();
    Ok(Overview {
        read_at: now,
        deadlines,
        running,
        incidents: control.incidents(&project.name, false, SHOWN.0).await?,
        mutes: control.mutes(&project.name).await?,
        checks: control.last_checks(&names).await?,
        runs: control.runs_before(None, SHOWN.1).await?,
        slots: control.slots_in_use().await?,
        tasks: seen,
        graph: tasks.graph,
        numbers,
    })
}

async fn seen(
    tasks: &Tasks,
    control: &Control,
    running: &[Going],
) -> Result<(Vec<TaskSeen>, HashMap<String, NodeId>), RunError> {
    let graph = &tasks.graph;
    let names = tasks.all_names();
    let latest = control.latest(&names).await?;
    let mut holds: HashMap<String, Hold> =
        control.holds().await?.into_iter().map(|hold| (hold.task.clone(), hold)).collect();
    let under_way = running.iter().filter(|going| !going.run.is_crashed).flat_map(|going| {
        let run = &going.run.run;
        going.run.tasks.iter().map(move |task| (task.task.as_str(), (run.clone(), task.clone())))
    });
    let mut under_way: HashMap<&str, (String, RunningTask)> = under_way.collect();
    let of = |(task, latest): (NodeId, Latest)| {
        let (job, node) = (tasks.job(task), graph.node(task));
        let name = &names[task.index()];
        TaskSeen {
            name: name.clone(),
            kind: job.kind(),
            tier: graph.tier(task),
            critical: graph.critical(task).map(|critical| critical_in_words(graph, critical)),
            source: job.source().map(str::to_owned),
            tags: node.tags.clone(),
            owner: job.owner().map(str::to_owned),
            strategy: job.strategy(),
            deadline: job.deadline().map(ToString::to_string),
            expected: tasks.expected(task).copied(),
            latest,
            hold: holds.remove(name),
            running: under_way.remove(name.as_str()),
        }
    };
    let seen = graph.tasks().zip(latest).map(of).collect();
    let numbers = graph.tasks().map(|task| (names[task.index()].clone(), task)).collect();
    Ok((seen, numbers))
}

impl Overview {
    /// Of tasks that are known otherwise.
    #[cfg(test)]
    pub(crate) fn of(
        graph: Graph,
        tasks: Vec<TaskSeen>,
        checks: Vec<LastCheck>,
        runs: Vec<SeenRun>,
        read_at: Timestamp,
    ) -> Self {
        let numbers = graph.tasks().map(|task| (graph.name(task).to_string(), task)).collect();
        let (deadlines, running, incidents, mutes, slots) = Default::default();
        Self { read_at, graph, tasks, deadlines, running, incidents, mutes, checks, runs, slots, numbers }
    }

    /// The task of a full name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.numbers.get(name).copied()
    }

    /// How a task stands.
    pub fn task(&self, task: NodeId) -> &TaskSeen {
        &self.tasks[task.index()]
    }

    /// What each task usually takes in seconds, by the tasks' numbers.
    pub fn expected_seconds(&self) -> Vec<Option<f64>> {
        self.tasks.iter().map(|task| task.expected.map(|expected| expected.seconds)).collect()
    }

    /// How each task ended the last time.
    pub fn results(&self) -> HashMap<NodeId, TaskStatus> {
        let status = |task: NodeId| {
            let ended = self.task(task).latest.ended.as_ref()?;
            Some((task, tasks::status_of(&ended.status)?))
        };
        self.graph.tasks().filter_map(status).collect()
    }
}
