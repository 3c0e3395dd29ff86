//! `sql/checks/*.sql`: one query a file, the settings in its first comment. The rows that it returns are the
//! failures.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Keys, NodeSpec, Statement,
    header::SqlFile,
    mistake::{Collector, Place},
    model::{Named, node, statement, stem},
};
use crate::sql::Dialect;

const FOLDER: &str = "sql/checks";

/// One check.
#[derive(Debug, Clone)]
pub struct CheckSpec {
    /// The file's name: the task's name.
    pub name: String,
    /// What a failure means.
    pub severity: Severity,
    /// The tables that it is about, where that is not what its SQL reads.
    pub on: Vec<Named>,
    /// What graph and schedule must know of it.
    pub node: NodeSpec,
    /// What it is for.
    pub description: Option<String>,
    /// The query.
    pub statement: Statement,
}

/// What a check that finds something means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The task fails.
    #[default]
    Error,
    /// People are told.
    Warn,
}

/// Reads all checks, in the order of their files.
pub(super) fn read_all(dir: &Path, dialect: Dialect, mistakes: &Collector) -> Vec<CheckSpec> {
    let files = super::project::files(dir, FOLDER, ".sql");
    files.iter().filter_map(|name| read(&SqlFile::read(dir, name, mistakes)?, dialect, mistakes)).collect()
}

fn read(file: &SqlFile, dialect: Dialect, mistakes: &Collector) -> Option<CheckSpec> {
    let name = stem(&file.name);
    let place = Place { file: file.name.clone(), line: 0, column: 0 };
    let item = file.settings.document.as_item();
    let keys = Keys::new(&file.settings, item, format!("check `{name}`"), place.clone(), mistakes)?;
    let severities = [("error", Severity::Error), ("warn", Severity::Warn)];
    let severity = keys.choice("severity", &severities).unwrap_or_default();
    let on_place = keys.place_of("on");
    let on = keys.strings("on").iter().map(|name| Named::new(name, on_place.clone())).collect();
    let node = node(&keys, place);
    let description = keys.string("description");
    let statement = statement(file, dialect, &keys, false);
    keys.finish();
    Some(CheckSpec { name, severity, on, node, description, statement: statement? })
}
