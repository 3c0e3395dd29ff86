//! What a selection can ask beyond the project's text: how tasks ended, and which of them are not as they were
//! when they were last published.
//!
//! Of those what is in the project's text and in the source's schema counts, not whether there are newer rows. What
//! nobody knows counts as changed: so it is done rather than left out.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{RunError, job::Job, open::Sources, tasks::Tasks};
use crate::{
    control::Control,
    dag::{self, Facts, NodeId},
    event::Tier,
    load, model,
    source::Snapshot,
    sql::{Dialect, Reference, TableName},
    warehouse::{LedgerRow, Warehouse},
};

/// What tasks are held against.
pub(super) struct Known<'a> {
    pub(super) project: &'a str,
    pub(super) dialect: Dialect,
    /// The last published load of each table.
    pub(super) published: &'a BTreeMap<TableName, LedgerRow>,
    pub(super) sources: &'a Sources,
    /// `None`: there is no history, so no check and no command ever ended well.
    pub(super) control: Option<&'a Control>,
}

/// What is known of the tasks for a selection and what it excludes.
pub(super) async fn of(
    tasks: &Tasks,
    (select, exclude): (&[String], &[String]),
    known: &Known<'_>,
) -> Result<Facts, RunError> {
    let results = match known.control {
        Some(control) => Some(tasks.last_results(control).await?),
        None => None,
    };
    let changed = match dag::asks_for_changes(select.iter().chain(exclude)) {
        true => Some(changed(tasks, known).await?),
        false => None,
    };
    Ok(Facts { changed, results })
}

/// The tasks that changed. Asks each source for the schemas of its tables, in one snapshot.
async fn changed(tasks: &Tasks, known: &Known<'_>) -> Result<HashSet<NodeId>, RunError> {
    let definitions = match known.control {
        Some(control) => control.last_definitions().await?,
        None => HashMap::new(),
    };
    let mut changed = HashSet::new();
    for task in tasks.graph.tasks() {
        let job = tasks.job(task);
        let last = job.target().and_then(|target| known.published.get(target));
        let last = last.filter(|last| last.project == known.project);
        let is_changed = match (job, last) {
            (Job::Load(_) | Job::Model { .. }, None) => true,
            // What the source has is asked below.
            (Job::Load(spec), Some(last)) => load::is_rewritten(spec, last),
            (Job::Model { spec, .. }, Some(last)) => {
                let name_of = |reference: &Reference| tasks.meanings.of_reference(reference);
                last.state.definition != model::definition(spec, known.dialect, &name_of)
            }
            (Job::Check(_) | Job::Checks(_) | Job::Command(_), _) => {
                definitions.get(&job.name()) != tasks.definition(task, known.dialect).as_ref()
            }
        };
        if is_changed {
            changed.insert(task);
        }
    }
    for source in known.sources.keys() {
        by_source(tasks, known, source, &mut changed).await;
    }
    Ok(changed)
}

/// Adds the loads of one source whose tables have another schema now.
async fn by_source(tasks: &Tasks, known: &Known<'_>, source: &str, changed: &mut HashSet<NodeId>) {
    let is_asked = |task: &NodeId| {
        !changed.contains(task) && tasks.job(*task).load().is_some_and(|spec| spec.source == source)
    };
    let asked: Vec<NodeId> = tasks.graph.tasks().filter(is_asked).collect();
    let Some(snapshots) = known.sources.get(source).filter(|_| !asked.is_empty()) else { return };
    match snapshots.get(Tier::Optional).await {
        Ok(snapshot) => {
            for task in asked {
                if has_another_schema(tasks.job(task), known, &*snapshot).await {
                    changed.insert(task);
                }
            }
            // Not held while tasks run that read no source; who loads opens one of their moment.
            snapshots.give_up(None).await;
        }
        Err(error) => {
            tracing::warn!(source, %error, "its tables count as changed: their schemas could not be read");
            changed.extend(asked);
        }
    }
}

async fn has_another_schema(job: &Job, known: &Known<'_>, snapshot: &dyn Snapshot) -> bool {
    let Some(spec) = job.load() else { return false };
    let Some(last) = known.published.get(&spec.target) else { return true };
    // Whatever is wrong with it, its load says best.
    load::has_another_schema(spec, last, snapshot).await.unwrap_or(true)
}

/// The last published load of each table. One that was found unchanged is as right as it was then, though the ledger
/// has no row of that.
pub(super) async fn published(
    warehouse: &dyn Warehouse,
    control: Option<&Control>,
) -> Result<BTreeMap<TableName, LedgerRow>, RunError> {
    let mut published = warehouse.last_loads().await.map_err(RunError::Below)?;
    let Some(control) = control else { return Ok(published) };
    let tasks: Vec<String> = published.keys().map(ToString::to_string).collect();
    let unchanged = control.last_unchanged(&tasks).await?;
    for row in published.values_mut() {
        if let Some((load, as_of)) = unchanged.get(&row.table.to_string())
            && *load == row.load
        {
            row.as_of = row.as_of.max(*as_of);
        }
    }
    Ok(published)
}
