//! What names can mean: the project's tasks, and those of the past.

use std::collections::BTreeSet;

use super::{Mode, RunError, open::look, tasks};
use crate::{
    clock,
    config::{Environment, Project},
    dag::select::{self, Candidate},
    event::Tier,
    sql::TableName,
};

/// Refuses a name that neither a task of the project nor one of the past bears.
pub async fn expect_task(
    project: &Project,
    environment: &Environment,
    past: &BTreeSet<String>,
    name: &str,
) -> Result<(), RunError> {
    let mut candidates = candidates(project, environment, Mode::Production).await?;
    let known: BTreeSet<String> = candidates.iter().map(|task| task.name.to_string()).collect();
    candidates.extend(past.difference(&known).filter_map(|task| by_name(task)));
    select::select(&candidates, &[name.to_owned()], &[])?;
    Ok(())
}

/// The project's tasks.
pub(super) async fn candidates(
    project: &Project,
    environment: &Environment,
    mode: Mode,
) -> Result<Vec<Candidate>, RunError> {
    let looked = look(project, environment, mode, &clock::new_id()).await?;
    let listed = async {
        let published = looked.warehouse.last_loads().await.map_err(RunError::Below)?;
        tasks::list(project, &looked.sources, &looked.schemas, &published).await
    };
    let listed = listed.await;
    if let Some(control) = looked.control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    Ok(listed?.candidates())
}

/// A task of which nothing but its full name is known.
pub(super) fn by_name(task: &str) -> Option<Candidate> {
    let (schema, table) = task.split_once('.')?;
    Some(Candidate {
        name: TableName::new(schema, table),
        kind: "load".to_owned(),
        tier: Tier::default(),
        source: None,
        tags: Vec::new(),
    })
}
