//! The tasks of a run: listed from the project and the sources, selected, ordered.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    RunError,
    open::{Schemas, Sources},
};
use crate::{
    config::{LoadSpec, Loader, Missing, Project},
    control::{Control, Expected},
    dag::select,
    error::Failure,
    event::Tier,
    sql::TableName,
    warehouse::{LedgerRow, Warehouse},
};

/// The tasks of a run.
pub(super) struct Tasks {
    specs: Vec<LoadSpec>,
    expected: BTreeMap<String, Expected>,
}

/// What is done in one go: a table, or tables that must match each other.
pub(super) struct Unit(pub(super) Vec<LoadSpec>);

/// Lists what the project loads. Wildcards are matched against what the sources have now; where a
/// source cannot be asked, against what was loaded from it before: its tables fail one by one, and
/// keep no other source's tables waiting.
pub(super) async fn list(
    project: &Project,
    sources: &Sources,
    schemas: &Schemas,
    published: &BTreeMap<TableName, LedgerRow>,
) -> Result<Tasks, RunError> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for loader in &project.loaders {
        let Some(snapshots) = sources.get(&loader.source) else { continue };
        let names = match snapshots.source().tables(&loader.schema).await {
            Ok(tables) => tables.into_iter().map(|table| table.name.name).collect(),
            Err(error) => {
                let before = loaded_before(published, &loader.source, &loader.schema);
                if before.is_empty() && loader.exact_names().next().is_none() {
                    return Err(RunError::Below(error));
                }
                let error = Failure::of(&*error);
                tracing::warn!(source = loader.source, %error, "the tables of a source could not be listed");
                before
            }
        };
        found.insert((loader.source.clone(), loader.schema.clone()), names);
    }
    let mut specs = project.loads(&found, Missing::Load)?;
    for spec in &mut specs {
        spec.target.schema = schemas.name(&spec.target.schema);
    }
    Ok(Tasks { specs, expected: BTreeMap::new() })
}

/// The one task that a name means.
pub(super) async fn only(
    project: &Project,
    reached: (&Sources, &Schemas),
    warehouse: &dyn Warehouse,
    name: &str,
) -> Result<LoadSpec, RunError> {
    let specs = selected(project, reached, warehouse, &[name.to_owned()]).await?;
    match specs.as_slice() {
        [spec] => Ok(spec.clone()),
        several => {
            let tasks = several.iter().map(|spec| spec.target.to_string()).collect();
            Err(RunError::Several { name: name.to_owned(), tasks })
        }
    }
}

/// The tasks that a selection means.
pub(super) async fn selected(
    project: &Project,
    (sources, schemas): (&Sources, &Schemas),
    warehouse: &dyn Warehouse,
    select: &[String],
) -> Result<Vec<LoadSpec>, RunError> {
    let published = warehouse.last_loads().await.map_err(RunError::Below)?;
    let mut tasks = list(project, sources, schemas, &published).await?;
    tasks.select(select, &[])?;
    Ok(tasks.specs)
}

/// The published tables that the project's loaders still name, whether or not their sources have them
/// now: one that points at a wrong or an empty database must not make tables look abandoned.
pub(super) fn named(
    project: &Project,
    schemas: &Schemas,
    published: &BTreeMap<TableName, LedgerRow>,
) -> Result<BTreeSet<TableName>, RunError> {
    let before = |loader: &Loader| {
        let names = loaded_before(published, &loader.source, &loader.schema);
        ((loader.source.clone(), loader.schema.clone()), names)
    };
    let found = project.loaders.iter().map(before).collect();
    let specs = project.loads(&found, Missing::Load)?;
    let target = |spec: LoadSpec| TableName::new(schemas.name(&spec.target.schema), spec.target.name);
    Ok(specs.into_iter().map(target).collect())
}

/// The tables of a source's schema that are published.
fn loaded_before(published: &BTreeMap<TableName, LedgerRow>, source: &str, schema: &str) -> Vec<String> {
    let rows = published.values().filter(|row| row.source == source && row.source_table.schema == schema);
    rows.map(|row| row.source_table.name.clone()).collect()
}

impl Tasks {
    /// Keeps what `select` names, and of that what `exclude` does not.
    pub(super) fn select(&mut self, wanted: &[String], exclude: &[String]) -> Result<(), RunError> {
        let kept: BTreeSet<TableName> =
            select::select(&self.candidates(), wanted, exclude)?.into_iter().collect();
        let tasks = match self.specs.len() {
            1 => "1 task".to_owned(),
            number => format!("{number} tasks"),
        };
        self.specs.retain(|spec| kept.contains(&spec.target));
        if self.specs.is_empty() { Err(RunError::Nothing { tasks }) } else { Ok(()) }
    }

    /// What can be selected.
    pub(super) fn candidates(&self) -> Vec<select::Candidate> {
        let candidate = |spec: &LoadSpec| select::Candidate {
            name: spec.target.clone(),
            kind: "load".to_owned(),
            tier: tier(spec),
            source: Some(spec.source.clone()),
            tags: spec.tags.clone(),
        };
        self.specs.iter().map(candidate).collect()
    }

    /// Keeps what did not come to a good end the last time that it was tried, and what never was.
    /// Other projects' runs in the same control database are of no matter.
    pub(super) async fn keep_unfinished(&mut self, control: &Control) -> Result<(), RunError> {
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        // The latest come first.
        for row in control.history(None, u32::MAX).await? {
            // A comparison says nothing of the load before it.
            if row.kind == "load" {
                last.entry(row.task).or_insert(row.status);
            }
        }
        self.specs.retain(|spec| {
            let status = last.get(&spec.target.to_string()).map(String::as_str);
            !matches!(status, Some("succeeded" | "unchanged"))
        });
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
