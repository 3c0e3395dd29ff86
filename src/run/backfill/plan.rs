//! What a backfill would do: connects, changes nothing.

use super::{
    super::{
        Mode, RunError,
        open::{Looked, look},
        tasks,
    },
    below,
};
use crate::{
    clock,
    config::{Environment, LoadSpec, Project},
    control::{Backfill, BackfillChunk},
    event::Tier,
    load::{self, BackfillPlan, LoadError, Wish},
};

/// What a backfill would do.
pub struct PlannedBackfill {
    /// The task.
    pub spec: LoadSpec,
    /// Host and database of the warehouse.
    pub place: String,
    /// The chunks, and what is done with their rows.
    pub plan: BackfillPlan,
    /// An earlier backfill of the table that is not finished.
    pub unfinished: Option<(Backfill, Vec<BackfillChunk>)>,
}

/// Cuts the chunks that a backfill would do.
pub async fn plan_backfill(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    table: &str,
    wish: &Wish,
) -> Result<PlannedBackfill, RunError> {
    let looked = look(project, environment, mode, &clock::new_id()).await?;
    let planned = look_at(project, &looked, table, wish).await;
    // A snapshot's connection must not outlive what counts it.
    drop(looked.sources);
    if let Some(control) = looked.control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    planned
}

async fn look_at(
    project: &Project,
    looked: &Looked,
    table: &str,
    wish: &Wish,
) -> Result<PlannedBackfill, RunError> {
    let warehouse = &*looked.warehouse;
    let spec = tasks::only(project, (&looked.sources, &looked.schemas), warehouse, table).await?;
    let no_source = || LoadError::NoSource { table: spec.target.clone(), source_name: spec.source.clone() };
    let snapshots = looked.sources.get(&spec.source).ok_or_else(|| below(no_source()))?;
    let snapshot = snapshots.get(Tier::Optional).await.map_err(RunError::Below)?;
    let plan = load::plan_backfill(&project.name, &spec, wish, &*snapshot, warehouse).await;
    let unfinished = match &looked.control {
        Some(control) => control.unfinished_backfill(&spec.target.to_string()).await?,
        None => None,
    };
    Ok(PlannedBackfill { place: warehouse.place(), plan: plan.map_err(below)?, unfinished, spec })
}
