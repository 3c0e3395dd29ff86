//! What taking tables over would mean: connects, changes nothing.

use super::{
    Mode, RunError,
    open::{Looked, look},
    tasks,
};
use crate::{
    clock,
    config::{Environment, LoadSpec, Project},
    error::Failure,
    event::Tier,
    load::{Adoption, LoadError, plan_adopt as look_at_table},
};

/// What was found.
pub struct PlannedAdoption {
    /// Host and database of the warehouse.
    pub place: String,
    /// Table by table, or why one could not be looked at.
    pub tables: Vec<(LoadSpec, Result<Adoption, Failure>)>,
}

/// Looks at tables that are to be taken over, and at their rows if `with_rows`.
pub async fn plan_adopt(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    select: &[String],
    with_rows: bool,
) -> Result<PlannedAdoption, RunError> {
    let looked = look(project, environment, mode, &clock::new_id()).await?;
    let planned = look_at(project, &looked, select, with_rows).await;
    if let Some(control) = looked.control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    planned
}

async fn look_at(
    project: &Project,
    looked: &Looked,
    select: &[String],
    with_rows: bool,
) -> Result<PlannedAdoption, RunError> {
    let mut tables = Vec::new();
    for spec in
        tasks::selected(project, (&looked.sources, &looked.schemas), &*looked.warehouse, select).await?
    {
        let found = one(looked, &spec, with_rows).await.map_err(|error| Failure::of(&error));
        tables.push((spec, found));
    }
    Ok(PlannedAdoption { place: looked.warehouse.place(), tables })
}

async fn one(looked: &Looked, spec: &LoadSpec, with_rows: bool) -> Result<Adoption, LoadError> {
    let no_source = || LoadError::NoSource { table: spec.target.clone(), source_name: spec.source.clone() };
    let snapshots = looked.sources.get(&spec.source).ok_or_else(no_source)?;
    let snapshot = snapshots.get(Tier::Optional).await.map_err(LoadError::Source)?;
    look_at_table(spec, with_rows, &*snapshot, &*looked.warehouse).await
}
