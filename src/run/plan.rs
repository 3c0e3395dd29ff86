//! What a run would do, and why: connects, changes nothing.

use std::collections::BTreeSet;

use super::{
    Mode, Request, RunError, blocked, clean,
    deadlines::{Foreseen, foresee},
    facts,
    look_at::critical_in_words,
    open::{Looked, Sources, look},
    ready::End,
    tasks,
};
use crate::{
    clock::{self, Clock, System},
    config::{Environment, LoadSpec, Project},
    control::{Expected, Hold},
    dag::{Edge, Kind},
    error::Failure,
    event::Tier,
    load::{Forecast, LoadError, forecast},
    sql::TableName,
    warehouse::Warehouse,
};

/// What a run would do.
pub struct Plan {
    /// `production` or `test`.
    pub mode: String,
    /// Host and database of the warehouse.
    pub place: String,
    /// The schemas that a run would write to.
    pub schemas: Vec<String>,
    /// Whether other sessions' snapshots can be seen there.
    pub sees_snapshots: bool,
    /// Task by task, in the order in which they would start.
    pub tasks: Vec<PlannedTask>,
    /// Models, checks and commands, in their turn.
    pub others: Vec<PlannedOther>,
    /// Its deadlines, if it began now.
    pub deadlines: Vec<Foreseen>,
    /// Tables that are published but no longer in the project.
    pub orphans: Vec<TableName>,
    /// Tables that are published and in the project, and that their source has no longer.
    pub gone: Vec<TableName>,
}

/// A task that is no load.
pub struct PlannedOther {
    /// Its full name.
    pub task: String,
    /// What it is.
    pub kind: Kind,
    /// Its tier.
    pub tier: Tier,
    /// Why it is critical, in words.
    pub critical: Option<String>,
    /// What it cannot run without.
    pub needs: Vec<String>,
    /// What it waits for, and goes on without.
    pub soft: Vec<String>,
    /// What it took before.
    pub expected: Option<Expected>,
    /// The hold that keeps it from being made.
    pub hold: Option<Hold>,
    /// Why it would not be made: what it needs cannot be there.
    pub error: Option<Failure>,
}

/// What would become of one task.
pub struct PlannedTask {
    /// The load, as the project has it.
    pub spec: LoadSpec,
    /// Its tier.
    pub tier: Tier,
    /// Why it is critical, in words.
    pub critical: Option<String>,
    /// What would happen, or why it could not.
    pub forecast: Result<Forecast, Failure>,
    /// What it took before.
    pub expected: Option<Expected>,
    /// The hold that keeps it from being loaded.
    pub hold: Option<Hold>,
}

/// Plans what a run of the same request would do.
pub async fn plan(project: &Project, environment: &Environment, request: &Request) -> Result<Plan, RunError> {
    let looked = look(project, environment, request.mode, &clock::new_id()).await?;
    let planned = look_at(project, request, &looked).await;
    if let Some(control) = looked.control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    planned
}

async fn look_at(project: &Project, request: &Request, looked: &Looked) -> Result<Plan, RunError> {
    let warehouse = &*looked.warehouse;
    let published = facts::published(warehouse, looked.control.as_ref()).await?;
    let mut tasks = tasks::list(project, &looked.sources, &looked.schemas, &published).await?;
    if let Some(rows) = request.sample {
        tasks.sample(rows, &looked.sources).await?;
    }
    let named = tasks::named(project, &looked.schemas, &published);
    let made: BTreeSet<TableName> = tasks.targets();
    let others = published.values().filter(|row| !made.contains(&row.table)).cloned();
    let others = clean::standing(project, warehouse, others).await?;
    let (gone, orphans) =
        others.into_iter().map(|orphan| orphan.last.table).partition(|table| named.contains(table));
    let known = looked.known(&project.name, &published);
    let facts = facts::of(&tasks, (&request.select, &request.exclude), &known).await?;
    tasks.select(&request.select, &request.exclude, &facts)?;
    tasks.expect(looked.control.as_ref()).await;
    let holds = match &looked.control {
        Some(control) => control.holds().await?,
        None => Vec::new(),
    };
    let (mut planned, mut others) = (Vec::new(), Vec::new());
    let (mut ends, mut ids) = (Vec::new(), Vec::new());
    for task in tasks.in_turn() {
        let job = tasks.job(task);
        let name = job.name();
        let hold = holds.iter().find(|hold| hold.task == name).cloned();
        let tier = tasks.graph.tier(task);
        let by = tasks.graph.critical(task).map(|critical| critical_in_words(&tasks.graph, critical));
        let expected = tasks.expected(task).copied();
        ends.extend(hold.as_ref().map(|_| (task, End::Held)));
        let Some(spec) = job.load() else {
            let edges = tasks.graph.needs(task).iter();
            let (needs, soft): (Vec<&Edge>, Vec<&Edge>) = edges.partition(|edge| edge.way.is_hard());
            let named = |edges: Vec<&Edge>| edges.iter().map(|edge| tasks.job(edge.task).name()).collect();
            ids.push(task);
            others.push(PlannedOther {
                task: name,
                kind: job.kind(),
                tier,
                critical: by,
                needs: named(needs),
                soft: named(soft),
                expected,
                hold,
                error: None,
            });
            continue;
        };
        let forecast = one(&project.name, &looked.sources, warehouse, spec, request.full).await;
        if forecast.is_err() && hold.is_none() {
            ends.push((task, End::Failed));
        }
        planned.push(PlannedTask { expected, hold, forecast, spec: spec.clone(), tier, critical: by });
    }
    let mut blocked = blocked::foreseen(&tasks, tasks.selected(), &published, &ends);
    for (other, task) in others.iter_mut().zip(ids) {
        other.error = blocked.remove(&task);
    }
    let deadlines = match request.mode {
        Mode::Production => foresee(&tasks, &tasks.as_of(&published), &project.zone(), System.now()),
        Mode::Test => Vec::new(),
    };
    Ok(Plan {
        deadlines,
        mode: request.mode.to_string(),
        place: warehouse.place(),
        schemas: tasks.schemas(),
        sees_snapshots: warehouse.abilities().await.map_err(RunError::Below)?.sees_snapshots(),
        tasks: planned,
        others,
        orphans,
        gone,
    })
}

async fn one(
    project: &str,
    sources: &Sources,
    warehouse: &dyn Warehouse,
    spec: &LoadSpec,
    full: bool,
) -> Result<Forecast, Failure> {
    let Some(snapshots) = sources.get(&spec.source) else {
        let (table, source_name) = (spec.target.clone(), spec.source.clone());
        return Err(Failure::of(&LoadError::NoSource { table, source_name }));
    };
    let snapshot = snapshots.get(Tier::Optional).await.map_err(|error| Failure::of(&*error))?;
    forecast(project, spec, full, &*snapshot, warehouse).await.map_err(|error| Failure::of(&error))
}
