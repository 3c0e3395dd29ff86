//! The tasks of a run: listed from the project and the sources, selected, ordered.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    RunError,
    open::{Schemas, Sources},
};
use crate::{
    config::{LoadSpec, Project},
    control::{Control, Expected},
    dag::select,
    event::Tier,
    sql::TableName,
};

/// The tasks of a run.
pub(super) struct Tasks {
    specs: Vec<LoadSpec>,
    expected: BTreeMap<String, Expected>,
}

/// What is done in one go: a table, or tables that must match each other.
pub(super) struct Unit(pub(super) Vec<LoadSpec>);

/// Lists what the project loads. Wildcards are matched against what the sources have now.
pub(super) async fn list(project: &Project, sources: &Sources, schemas: &Schemas) -> Result<Tasks, RunError> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for loader in &project.loaders {
        let Some(snapshots) = sources.get(&loader.source) else { continue };
        let tables = snapshots.source().tables(&loader.schema).await.map_err(RunError::Below)?;
        let names = tables.into_iter().map(|table| table.name.name).collect();
        found.insert((loader.source.clone(), loader.schema.clone()), names);
    }
    let mut specs = project.loads(&found)?;
    for spec in &mut specs {
        spec.target.schema = schemas.name(&spec.target.schema);
    }
    Ok(Tasks { specs, expected: BTreeMap::new() })
}

impl Tasks {
    /// Keeps what `select` names, and of that what `exclude` does not.
    pub(super) fn select(&mut self, wanted: &[String], exclude: &[String]) -> Result<(), RunError> {
        let tasks: Vec<select::Candidate> = self
            .specs
            .iter()
            .map(|spec| select::Candidate {
                name: spec.target.clone(),
                kind: "load".to_owned(),
                tier: spec.tier.unwrap_or_default(),
                source: Some(spec.source.clone()),
                tags: spec.tags.clone(),
            })
            .collect();
        let kept: BTreeSet<TableName> = select::select(&tasks, wanted, exclude)?.into_iter().collect();
        self.specs.retain(|spec| kept.contains(&spec.target));
        Ok(())
    }

    /// Keeps what the last run did not bring to a good end.
    pub(super) async fn keep_unfinished(&mut self, control: &Control) -> Result<(), RunError> {
        let Some(last) = control.past_runs(1).await?.pop() else { return Ok(()) };
        let rows = control.history(None, u32::MAX).await?;
        let good: BTreeSet<String> = rows
            .into_iter()
            .filter(|row| row.run == last.run && matches!(row.status.as_str(), "succeeded" | "unchanged"))
            .map(|row| row.task)
            .collect();
        self.specs.retain(|spec| !good.contains(&spec.target.to_string()));
        Ok(())
    }

    /// Critical ones first, then by the longest expected time, so that the longest does not start
    /// last.
    pub(super) async fn order(&mut self, control: Option<&Control>) {
        // Without a history the order is that of the tiers alone.
        self.expected = match control {
            Some(control) => control.all_expected().await.unwrap_or_default(),
            None => BTreeMap::new(),
        };
        let expected = |spec: &LoadSpec| {
            self.expected.get(&spec.target.to_string()).map_or(0.0, |expected| expected.seconds)
        };
        let mut specs = std::mem::take(&mut self.specs);
        specs.sort_by(|a, b| {
            let tiers = tier(a).cmp(&tier(b));
            tiers.then(expected(b).total_cmp(&expected(a))).then(a.target.cmp(&b.target))
        });
        self.specs = specs;
    }

    /// All tasks, in their order.
    pub(super) fn specs(&self) -> &[LoadSpec] {
        &self.specs
    }

    /// What a task took before.
    pub(super) fn expected(&self, spec: &LoadSpec) -> Option<&Expected> {
        self.expected.get(&spec.target.to_string())
    }

    /// The tasks' full names.
    pub(super) fn names(&self) -> Vec<String> {
        self.specs.iter().map(|spec| spec.target.to_string()).collect()
    }

    /// The schemas that are written to.
    pub(super) fn schemas(&self) -> Vec<String> {
        let schemas: BTreeSet<&String> = self.specs.iter().map(|spec| &spec.target.schema).collect();
        schemas.into_iter().cloned().collect()
    }

    /// The tasks as units, in the order of their first members.
    pub(super) fn into_units(self) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        let mut groups: BTreeMap<usize, usize> = BTreeMap::new();
        for spec in self.specs {
            let group = spec.consistent_group;
            match group.and_then(|group| groups.get(&group).copied()) {
                Some(place) => units[place].0.push(spec),
                None => {
                    if let Some(group) = group {
                        groups.insert(group, units.len());
                    }
                    units.push(Unit(vec![spec]));
                }
            }
        }
        units
    }
}

/// A load's tier.
pub(super) fn tier(spec: &LoadSpec) -> Tier {
    spec.tier.unwrap_or_default()
}
