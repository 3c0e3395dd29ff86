//! `sql/checks/*.sql`: one query a file, the settings in its first comment. The rows that it returns are the
//! failures; with `reconcile`, those that only one of two queries returns.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    CheckOptions, Keys, NodeSpec, Statement,
    header::SqlFile,
    mistake::{Collector, Place},
    model::{Named, node, statement, stem},
};
use crate::{
    error::Fault,
    sql::{self, Dialect},
};

const FOLDER: &str = "sql/checks";

/// One check.
#[derive(Debug, Clone)]
pub struct CheckSpec {
    /// The file's name: the task's name.
    pub name: String,
    /// What a failure means.
    pub options: CheckOptions,
    /// How often it is asked at most; `None`: by each run.
    pub every: Option<Duration>,
    /// The tables that it is about, where that is not what its SQL reads.
    pub on: Vec<Named>,
    /// What graph and schedule must know of it.
    pub node: NodeSpec,
    /// What it is for.
    pub description: Option<String>,
    /// The query.
    pub statement: Statement,
    /// Another one, which must return the same rows.
    pub reconcile: Option<Statement>,
}

impl CheckSpec {
    /// The one table that it is about: schema, where it is written, and name.
    pub fn table(&self) -> Option<(Option<&str>, &str)> {
        if let [on] = self.on.as_slice() {
            return Some((on.schema.as_deref(), &on.name));
        }
        let mut tables = self.statement.query.iter().flat_map(sql::Query::tables);
        let first = tables.next()?;
        let is_same = |other: &sql::Reference| (&other.schema, &other.name) == (&first.schema, &first.name);
        tables.all(is_same).then_some((first.schema.as_deref(), &first.name))
    }
}

/// What a check that finds something means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    let options = CheckOptions::read(&keys, &CheckOptions::default(), false);
    let every = keys.duration("every");
    let on_place = keys.place_of("on");
    let on: Vec<Named> = keys.strings("on").iter().map(|name| Named::new(name, on_place.clone())).collect();
    let node = node(&keys, place);
    let description = keys.string("description");
    let reconcile = reconcile(&keys, dialect);
    let statement = statement(file, dialect, &keys, false);
    if options.before_publish {
        refuse_before_publish(&keys, &on, statement.as_ref());
    }
    if reconcile.is_none() {
        refuse_one_row(file, statement.as_ref(), mistakes);
    }
    keys.finish();
    Some(CheckSpec { name, options, every, on, node, description, statement: statement?, reconcile })
}

/// The other query, in the settings.
fn reconcile(keys: &Keys<'_>, dialect: Dialect) -> Option<Statement> {
    let text = keys.string("reconcile")?;
    let place = keys.place_of("reconcile");
    match sql::read(&text, dialect) {
        Ok(query) => {
            let sql = text.trim_end().trim_end_matches(';').to_owned();
            Some(Statement { sql, file: place.file, line: place.line, query: Some(query) })
        }
        Err(error) => {
            keys.mistakes.add(place, format!("`reconcile`: {}", error.problem), Fault::hint(&error));
            None
        }
    }
}

/// It must be known which table's rows it looks at before they are published, and where it names it.
fn refuse_before_publish(keys: &Keys<'_>, on: &[Named], statement: Option<&Statement>) {
    if on.len() > 1 || (on.is_empty() && statement.is_some_and(|statement| statement.tables() != 1)) {
        let hint = "on = [\"orders\"] names the table before whose publish it is asked".to_owned();
        keys.wrong_with_hint("before_publish", "is about one table, and several are read or named", hint);
    } else if statement.is_some_and(|statement| statement.query.is_none()) {
        keys.wrong(
            "before_publish",
            "cannot be: its SQL cannot be read, so nobody knows where it names the table",
        );
    }
}

/// `select count(*) from orders where …`, as people write tests elsewhere, would fail whatever the table holds.
fn refuse_one_row(file: &SqlFile, statement: Option<&Statement>, mistakes: &Collector) {
    let Some(statement) = statement else { return };
    if let Some(query) = statement.query.as_ref().filter(|query| query.is_always_one_row) {
        let line = statement.line + query.first_line() - 1;
        let place = Place { file: file.name.clone(), line, column: 1 };
        let hint = "select the rows that are wrong, or add `having count(*) > 0`".to_owned();
        mistakes.add(
            place,
            "it always answers one row, and each row that a check answers is a failure",
            Some(hint),
        );
    }
}
