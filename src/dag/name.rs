//! Names of tasks.

use std::fmt;

use crate::sql::TableName;

/// A task's full name: `schema.table` of a load or a model, `schema.table.checks` of a table's built-in checks, a
/// bare name of any other check and of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskName {
    /// The schema of a table, or of its checks; `None` of all else.
    pub schema: Option<String>,
    /// The name without it.
    pub name: String,
}

impl TaskName {
    /// The name of a load or a model.
    pub fn table(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), name: name.into() }
    }

    /// The name of a table's built-in checks.
    pub fn checks_of(table: &TableName) -> Self {
        Self::table(&table.schema, format!("{}.checks", table.name))
    }

    /// The name of a check in a file, or of a command.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// Its halves, to compare with.
    pub(super) fn halves(&self) -> (Option<&str>, &str) {
        (self.schema.as_deref(), &self.name)
    }
}

impl From<TableName> for TaskName {
    fn from(table: TableName) -> Self {
        Self::table(table.schema, table.name)
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
