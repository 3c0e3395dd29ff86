//! What could be restored, and what a restore would publish: connects, changes nothing.

use std::collections::BTreeMap;

use super::{
    Mode, RunError,
    open::{Looked, look},
    reach, tasks,
};
use crate::{
    clock,
    config::{Environment, LoadSpec, Project},
    load::{self, Restoration, Shelf},
    sql::TableName,
};

/// What a restore would publish.
pub struct PlannedRestore {
    /// The task.
    pub spec: LoadSpec,
    /// Host and database of the warehouse.
    pub place: String,
    /// The state and how it would be published.
    pub restoration: Restoration,
}

/// Looks whether the state of the load whose id begins with `load` can be published again.
pub async fn plan_restore(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    table: &str,
    load: &str,
) -> Result<PlannedRestore, RunError> {
    let looked = look(project, environment, mode, &clock::new_id()).await?;
    let planned = look_at(project, environment, mode, &looked, (table, load)).await;
    if let Some(control) = looked.control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    planned
}

/// Which of these loads of a table can be published again, and in which mode they were made.
pub async fn restorable(
    project: &Project,
    environment: &Environment,
    table: &TableName,
    loads: &[String],
) -> Result<BTreeMap<String, Mode>, RunError> {
    let stage = reach::stage(project, environment).await?;
    let mut found = BTreeMap::new();
    for mode in [Mode::Production, Mode::Test] {
        let endpoint = reach::warehouse_endpoint(project, environment)?;
        let warehouse = reach::warehouse(endpoint, mode, &clock::new_id()).await;
        let shelf = Shelf { project: &project.name, mode: &mode.to_string(), stage: &*stage };
        let restorable = load::restorable(shelf, table, loads, &*warehouse).await;
        let restorable = restorable.map_err(|error| RunError::Below(Box::new(error)))?;
        found.extend(restorable.into_iter().map(|load| (load, mode)));
    }
    Ok(found)
}

async fn look_at(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    looked: &Looked,
    (table, load): (&str, &str),
) -> Result<PlannedRestore, RunError> {
    let spec = tasks::only(project, (&looked.sources, &looked.schemas), &*looked.warehouse, table).await?;
    let stage = reach::stage(project, environment).await?;
    let shelf = Shelf { project: &project.name, mode: &mode.to_string(), stage: &*stage };
    let restoration = load::plan_restore(shelf, &spec, load, &*looked.warehouse).await;
    let restoration = restoration.map_err(|error| RunError::Below(Box::new(error)))?;
    Ok(PlannedRestore { spec, place: looked.warehouse.place(), restoration })
}
