//! What a run would do, and why: connects, changes nothing.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Mode, RunError, open, tasks};
use crate::{
    clock,
    config::{Environment, LoadSpec, Project},
    control::Expected,
    error::Failure,
    load::{Forecast, forecast},
    sql::TableName,
};

/// What a run would do.
pub struct Plan {
    /// `production` or `test`.
    pub mode: String,
    /// Host and database of the warehouse.
    pub place: String,
    /// Whether other sessions' snapshots can be seen there.
    pub sees_snapshots: bool,
    /// Task by task, in the order in which they would start.
    pub tasks: Vec<PlannedTask>,
    /// Tables that are published but no longer in the project.
    pub orphans: Vec<TableName>,
}

/// What would become of one task.
pub struct PlannedTask {
    /// The load, as the project has it.
    pub spec: LoadSpec,
    /// What would happen, or why it could not.
    pub forecast: Result<Forecast, Failure>,
    /// What it took before.
    pub expected: Option<Expected>,
}

/// Plans what a run of the same request would do.
pub async fn plan(
    project: &Project,
    environment: &Environment,
    request: &super::Request,
    cancel: CancellationToken,
) -> Result<Plan, RunError> {
    let (events, _) = mpsc::channel(1);
    let mode: Mode = request.mode;
    let opened = open(project, environment, mode, &clock::new_id(), events, cancel).await?;
    let workshop = &opened.workshop;
    let mut tasks = tasks::list(project, &opened, mode).await?;
    let all: Vec<TableName> = tasks.specs().iter().map(|spec| spec.target.clone()).collect();
    tasks.select(&request.select, &request.exclude)?;
    tasks.order(&workshop.control).await;
    let published = workshop.warehouse.last_loads().await.map_err(RunError::Below)?;
    let orphans = published.into_keys().filter(|table| !all.contains(table)).collect();
    let expected = workshop.control.all_expected().await.unwrap_or_default();
    let mut planned = Vec::new();
    for spec in tasks.specs() {
        planned.push(PlannedTask {
            expected: expected.get(&spec.target.to_string()).cloned(),
            forecast: one(workshop, spec).await,
            spec: spec.clone(),
        });
    }
    Ok(Plan {
        mode: mode.to_string(),
        place: workshop.warehouse.place(),
        sees_snapshots: workshop.warehouse.abilities().await.map_err(RunError::Below)?.sees_snapshots,
        tasks: planned,
        orphans,
    })
}

async fn one(workshop: &crate::load::Workshop, spec: &LoadSpec) -> Result<Forecast, Failure> {
    let Some(snapshots) = workshop.sources.get(&spec.source) else {
        return Err(Failure::of(&crate::load::LoadError::NoSource {
            table: spec.target.clone(),
            source_name: spec.source.clone(),
        }));
    };
    let snapshot = snapshots.get().await.map_err(|error| Failure::of(&*error))?;
    forecast(spec, &*snapshot, &*workshop.warehouse).await.map_err(|error| Failure::of(&error))
}
