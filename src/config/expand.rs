//! From rows and patterns to one load a table.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    LoadSpec, Loader, Mistakes, Project, WarehouseKind,
    mistake::{Collector, Place, did_you_mean},
    row::Row,
};
use crate::{sql::TableName, stage::manifest::Format};

/// What becomes of a row for a table that the source does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is a mistake.
    Refuse,
    /// It is a load, which will fail: the others must not be held up by it.
    Load,
}

impl Project {
    /// The loads of the project, given the tables that each source has in each schema, by source and
    /// schema. A row of its own beats a pattern, a longer pattern a shorter one.
    pub fn loads(
        &self,
        found: &BTreeMap<(String, String), Vec<String>>,
        missing: Missing,
    ) -> Result<Vec<LoadSpec>, Mistakes> {
        let mistakes = Collector::default();
        let mut loads = Vec::new();
        let mut groups = 0;
        for loader in &self.loaders {
            let none = Vec::new();
            let tables = found.get(&(loader.source.clone(), loader.schema.clone())).unwrap_or(&none);
            let start = loads.len();
            match missing {
                Missing::Refuse => refuse_missing(loader, tables, &mistakes),
                Missing::Load => {}
            }
            let all = match missing {
                Missing::Refuse => tables.iter().map(String::as_str).collect(),
                Missing::Load => with_named(loader, tables),
            };
            expand(loader, self.warehouse.place.kind(), &all, &mut loads, &mistakes);
            for group in &loader.consistent {
                mark_group(loader, group, groups, &mut loads[start..], &mistakes);
                groups += 1;
            }
        }
        refuse_doubles(&loads, &mistakes);
        mistakes.into_result(Some(loads))
    }
}

impl Project {
    /// What the loads of these tables, and those that have a row of their own, are published as. What they must match
    /// is not asked.
    pub fn load_targets(&self, found: &BTreeMap<(String, String), Vec<String>>) -> Vec<TableName> {
        let (mut loads, mistakes) = (Vec::new(), Collector::default());
        for loader in &self.loaders {
            let tables = found.get(&(loader.source.clone(), loader.schema.clone()));
            let all = with_named(loader, tables.map_or(&[], Vec::as_slice));
            expand(loader, self.warehouse.place.kind(), &all, &mut loads, &mistakes);
        }
        loads.into_iter().map(|load| load.target).collect()
    }

    /// The loads that have a row of their own, whether or not their sources have the tables.
    pub fn named_loads(&self) -> Vec<LoadSpec> {
        let (mut loads, mistakes) = (Vec::new(), Collector::default());
        let mut groups = 0;
        for loader in &self.loaders {
            let names: Vec<&str> = loader.exact_names().collect();
            let start = loads.len();
            expand(loader, self.warehouse.place.kind(), &names, &mut loads, &mistakes);
            for group in &loader.consistent {
                mark_group(loader, group, groups, &mut loads[start..], &mistakes);
                groups += 1;
            }
        }
        loads
    }
}

/// Tables that were found, and those that a row of its own names.
fn with_named<'a>(loader: &'a Loader, tables: &'a [String]) -> Vec<&'a str> {
    let there: HashSet<&str> = tables.iter().map(String::as_str).collect();
    let named = loader.exact_names().filter(|name| !there.contains(name));
    tables.iter().map(String::as_str).chain(named).collect()
}

fn refuse_missing(loader: &Loader, tables: &[String], mistakes: &Collector) {
    let there: HashSet<&str> = tables.iter().map(String::as_str).collect();
    for row in loader.rows.iter().filter(|row| row.pattern.is_none() && !there.contains(row.name.as_str())) {
        if row.settings.is_some() {
            let message = format!(
                "source `{}` has no table `{}` in schema `{}`",
                loader.source, row.name, loader.schema
            );
            let hint = did_you_mean(&row.name, tables.iter().map(String::as_str))
                .or_else(|| Some(format!("`barncat discover {}` lists its tables", loader.source)));
            mistakes.add(row.place.clone(), message, hint);
        }
    }
}

fn expand(
    loader: &Loader,
    kind: WarehouseKind,
    tables: &[&str],
    loads: &mut Vec<LoadSpec>,
    mistakes: &Collector,
) {
    let rows = Rows::of(loader);
    for table in tables {
        let Some(row) = rows.row_of(table) else { continue };
        let Some(settings) = &row.settings else { continue };
        let mut spec = settings.spec.clone();
        spec.source_table.name = (*table).to_owned();
        spec.target.name = settings.name_as.clone().unwrap_or_else(|| (*table).to_owned());
        if kind == WarehouseKind::Redshift {
            // It knows lower case alone, however a name is quoted.
            spec.target.schema = spec.target.schema.to_lowercase();
            spec.target.name = spec.target.name.to_lowercase();
            spec.deletes = spec.deletes.in_lower_case();
        }
        check_target(&spec.target, kind, &row.place, mistakes);
        loads.push(spec);
    }
}

/// That a table can be published by that name.
fn check_target(target: &TableName, kind: WarehouseKind, place: &Place, mistakes: &Collector) {
    let schema = &target.schema;
    // barncat's own schemas, and the server's.
    let ours = ["barncat", "barncat_staging", "barncat_control"];
    let is_ours = ours.iter().any(|ours| schema == ours || *schema == format!("{ours}_test"));
    if is_ours || schema.starts_with("pg_") || schema == "information_schema" {
        let message = format!("no table can be published to the schema `{schema}`: it is not yours");
        mistakes.add(place.clone(), message, Some("name another schema".to_owned()));
    }
    let most = kind.dialect().name_bytes_max();
    for name in [&target.name, schema] {
        if name.is_empty() || name.len() > most {
            let message =
                format!("`{name}` has {} bytes; a name in the warehouse has 1 to {most}", name.len());
            mistakes.add(place.clone(), message, None);
        }
    }
}

/// Mistakes that can be told without a server: two tasks of one name, names that are too long.
pub(super) fn check(project: &Project, mistakes: &Collector) {
    let mut loads = Vec::new();
    for loader in &project.loaders {
        let names: Vec<&str> = loader.exact_names().collect();
        expand(loader, project.warehouse.place.kind(), &names, &mut loads, mistakes);
        if project.warehouse.place.kind() == WarehouseKind::Redshift {
            refuse_binary(loader, mistakes);
        }
    }
    for model in &project.models {
        check_target(&model.target, project.warehouse.place.kind(), &model.node.place, mistakes);
    }
    refuse_doubles(&loads, mistakes);
}

/// Redshift reads CSV alone.
fn refuse_binary(loader: &Loader, mistakes: &Collector) {
    for row in &loader.rows {
        let format = row.settings.as_ref().and_then(|settings| settings.spec.format);
        if format == Some(Format::Binary) {
            let message =
                format!("`format` of table `{}` is `binary`, which Redshift does not read", row.name);
            mistakes.add(row.place.clone(), message, Some("leave `format` out".to_owned()));
        }
    }
}

/// A file's rows, ready to be asked for each of many tables.
pub(super) struct Rows<'a> {
    exact: HashMap<&'a str, &'a Row>,
    patterns: Vec<&'a Row>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(loader: &'a Loader) -> Self {
        let (exact, patterns): (Vec<&Row>, Vec<&Row>) =
            loader.rows.iter().partition(|row| row.pattern.is_none());
        Self { exact: exact.into_iter().map(|row| (row.name.as_str(), row)).collect(), patterns }
    }

    /// The row that a table goes by.
    pub(super) fn row_of(&self, table: &str) -> Option<&'a Row> {
        self.exact.get(table).copied().or_else(|| {
            let matches = |row: &&&Row| row.pattern.as_ref().is_some_and(|pattern| pattern.is_match(table));
            self.patterns.iter().filter(matches).max_by_key(|row| row.name.len()).copied()
        })
    }
}

fn mark_group(loader: &Loader, group: &[String], id: usize, loads: &mut [LoadSpec], mistakes: &Collector) {
    for name in group {
        let Some(load) = loads.iter_mut().find(|load| load.source_table.name == *name) else {
            let known = loads.iter().map(|load| load.source_table.name.as_str());
            let message = format!("`consistent` names `{name}`, which is not loaded");
            mistakes.add(loader.consistent_place.clone(), message, did_you_mean(name, known));
            continue;
        };
        if load.consistent_group.is_some_and(|other| other != id) {
            let message = format!("`{name}` is in two groups of `consistent`");
            mistakes.add(loader.consistent_place.clone(), message, Some("join the groups".to_owned()));
        }
        load.consistent_group = Some(id);
    }
}

fn refuse_doubles(loads: &[LoadSpec], mistakes: &Collector) {
    let mut seen: BTreeMap<String, &LoadSpec> = BTreeMap::new();
    for load in loads {
        let name = load.target.to_string();
        if let Some(first) = seen.get(&name) {
            let message = format!("two tasks have the name `{name}`; the other is at {}", first.place);
            let hint = "`as` gives one of them another name, `into` another schema".to_owned();
            mistakes.add(load.place.clone(), message, Some(hint));
        }
        seen.entry(name).or_insert(load);
    }
}
