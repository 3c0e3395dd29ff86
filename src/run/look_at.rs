//! Looking at a project's tasks: its graph, the SQL that a model becomes, why a task is as it is. Connects,
//! changes nothing.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    Mode, Request, RunError, blocked, facts,
    job::Job,
    open::{Looked, look},
    ready::End,
    tasks::{self, Tasks},
};
use crate::{
    check, clock,
    config::{Environment, Project, Statement},
    control::{HistoryRow, Hold},
    dag::{Critical, Graph, NodeId},
    event::{TaskStatus, Tier},
    sql::Reference,
    warehouse::{LedgerRow, Select},
};

/// A graph with what is known of its tasks.
pub struct Drawn {
    /// All tasks.
    pub graph: Graph,
    /// The selected ones.
    pub selected: Vec<NodeId>,
    /// What each took before, in seconds, by the tasks' numbers.
    pub expected: Vec<Option<f64>>,
    /// How each ended the last time.
    pub results: HashMap<NodeId, TaskStatus>,
    /// Tasks that no run can do as things stand, and why.
    pub unreachable: HashMap<NodeId, String>,
}

/// The graph of a selection.
pub async fn graph(
    project: &Project,
    environment: &Environment,
    request: &Request,
) -> Result<Drawn, RunError> {
    let looked = look(project, environment, request.mode, &clock::new_id()).await?;
    let drawn = async {
        let (mut tasks, published) = list(project, &looked).await?;
        let known = looked.known(&project.name, &published);
        let facts = facts::of(&tasks, (&request.select, &request.exclude), &known).await?;
        tasks.select(&request.select, &request.exclude, &facts)?;
        tasks.expect(looked.control.as_ref()).await;
        let seconds = |task: NodeId| tasks.expected(task).map(|expected| expected.seconds);
        let expected = tasks.graph.tasks().map(seconds).collect();
        let selected = tasks.selected().to_vec();
        let unreachable = unreachable(&tasks, &published, &looked).await?;
        let results = facts.results.unwrap_or_default();
        Ok(Drawn { graph: tasks.graph, selected, expected, results, unreachable })
    };
    let drawn = drawn.await;
    close(looked).await;
    drawn
}

/// The tasks that even a run of everything could not do: loads of tables that are not there, and what cannot run
/// without them or without something that is held and was never published.
async fn unreachable(
    tasks: &Tasks,
    published: &Published,
    looked: &Looked,
) -> Result<HashMap<NodeId, String>, RunError> {
    let holds = match &looked.control {
        Some(control) => control.holds().await?,
        None => Vec::new(),
    };
    let all: Vec<NodeId> = tasks.graph.tasks().collect();
    let is_held = |task: &&NodeId| holds.iter().any(|hold| hold.task == tasks.job(**task).name());
    let held = all.iter().filter(is_held).map(|task| (*task, End::Held));
    let missing = tasks.missing().iter().map(|task| (*task, End::Failed));
    let ends: Vec<(NodeId, End)> = held.chain(missing).collect();
    let blocked = blocked::foreseen(tasks, &all, published, &ends);
    let blocked = blocked.into_iter().map(|(task, failure)| (task, failure.message));
    let gone = tasks.missing().iter().map(|task| (*task, "its source has no such table".to_owned()));
    Ok(blocked.chain(gone).collect())
}

/// The SQL of a model or check, as the warehouse gets it.
pub async fn compile(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    name: &str,
) -> Result<Option<Select>, RunError> {
    let looked = look(project, environment, mode, &clock::new_id()).await?;
    let compiled = async {
        let (tasks, _) = list(project, &looked).await?;
        let task = tasks.only(name)?;
        let name_of = |reference: &Reference| tasks.meanings.of_reference(reference);
        let job = tasks.job(task);
        let since = job.first_since();
        let dialect = looked.warehouse.dialect();
        let of = |statement: &Statement| Select::of(statement, dialect, since, &name_of);
        Ok(match job {
            Job::Check(spec) => Some(check::select_of(spec, &of)),
            Job::Checks(spec) => spec.compiled(dialect),
            _ => job.statement().map(of),
        })
    };
    let compiled = compiled.await;
    close(looked).await;
    compiled
}

/// Why a task is as it is.
pub struct Why {
    /// Its full name.
    pub task: String,
    /// `load`, `model`, `check`, `command`.
    pub kind: String,
    /// Its tier.
    pub tier: Tier,
    /// Why it is critical, in words.
    pub critical: Option<String>,
    /// Its last published load.
    pub last: Option<LedgerRow>,
    /// How it ended the last time that it was tried.
    pub ended: Option<HistoryRow>,
    /// The hold that keeps it as it is.
    pub hold: Option<Hold>,
    /// What it needs, with the moment that each one's rows show.
    pub needs: Vec<Needed>,
    /// Walked back from it: what went wrong first, and how it ended.
    pub cause: Option<HistoryRow>,
}

/// A task that another one needs.
pub struct Needed {
    /// Its full name.
    pub task: String,
    /// Whether nothing goes without it.
    pub is_hard: bool,
    /// The moment that its rows show.
    pub as_of: Option<Timestamp>,
    /// How it ended the last time.
    pub status: Option<TaskStatus>,
}

/// Walks back from a task to what went wrong first.
pub async fn why(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    name: &str,
) -> Result<Why, RunError> {
    let looked = look(project, environment, mode, &clock::new_id()).await?;
    let found = async {
        let (tasks, published) = list(project, &looked).await?;
        let task = tasks.only(name)?;
        let results = results(&tasks, &looked).await?;
        let job = tasks.job(task);
        let full = job.name();
        let (ended, cause, holds) = match &looked.control {
            Some(control) => {
                let ended = control.last_end(&full).await?;
                let blocked_by = ended.as_ref().and_then(|row| row.outcome.as_ref()?.blocked_by.first());
                let cause = match blocked_by {
                    Some(task) => control.last_end(task).await?,
                    None => None,
                };
                (ended, cause, control.holds().await?)
            }
            None => (None, None, Vec::new()),
        };
        let graph = &tasks.graph;
        let show = |task: NodeId| {
            let target = tasks.job(task).target()?;
            Some(published.get(target)?.as_of)
        };
        let needed = |edge: &crate::dag::Edge| Needed {
            task: tasks.job(edge.task).name(),
            is_hard: edge.way.is_hard(),
            as_of: show(edge.task),
            status: results.get(&edge.task).copied(),
        };
        Ok(Why {
            kind: job.kind().to_string(),
            tier: graph.tier(task),
            critical: graph.critical(task).map(|critical| critical_in_words(graph, critical)),
            last: job.target().and_then(|target| published.get(target)).cloned(),
            ended,
            hold: holds.into_iter().find(|hold| hold.task == full),
            needs: graph.needs(task).iter().map(needed).collect(),
            cause,
            task: full,
        })
    };
    let found = found.await;
    close(looked).await;
    found
}

/// `needed by rider_payments, by way of orders_by_rider`.
pub(super) fn critical_in_words(graph: &Graph, critical: Critical) -> String {
    match critical {
        Critical::ByHand => "by hand".to_owned(),
        Critical::ByDeadline => "it has a deadline".to_owned(),
        Critical::AsTable(table) => format!("it looks at {}", graph.name(table)),
        Critical::NeededBy(way) => {
            let names: Vec<String> = way.iter().map(|task| graph.name(*task).to_string()).collect();
            match names.split_last() {
                Some((last, [])) => format!("needed by {last}"),
                Some((last, between)) => format!("needed by {last}, by way of {}", between.join(", ")),
                None => String::new(),
            }
        }
    }
}

type Published = std::collections::BTreeMap<crate::sql::TableName, LedgerRow>;

async fn list(project: &Project, looked: &Looked) -> Result<(Tasks, Published), RunError> {
    let published = facts::published(&*looked.warehouse, looked.control.as_ref()).await?;
    let tasks = tasks::list(project, &looked.sources, &looked.schemas, &published).await?;
    Ok((tasks, published))
}

async fn results(tasks: &Tasks, looked: &Looked) -> Result<HashMap<NodeId, TaskStatus>, RunError> {
    match &looked.control {
        Some(control) => tasks.last_results(control).await,
        None => Ok(HashMap::new()),
    }
}

async fn close(looked: Looked) {
    if let Some(control) = looked.control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
}
