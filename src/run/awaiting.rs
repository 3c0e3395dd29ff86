//! Tables whose older rows await a backfill: asked of the ledger, changes nothing.

use super::{Mode, RunError, reach};
use crate::{
    clock,
    config::{Environment, Project},
    sql::TableName,
};

/// A table that got columns in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// The table.
    pub table: TableName,
    /// The columns whose values older rows do not have yet.
    pub columns: Vec<String>,
    /// The same for people.
    pub words: String,
}

/// The project's tables of both modes that await a backfill.
pub async fn awaiting(project: &Project, environment: &Environment) -> Result<Vec<Awaiting>, RunError> {
    let mut found = Vec::new();
    for mode in [Mode::Production, Mode::Test] {
        let endpoint = reach::warehouse_endpoint(project, environment)?;
        let warehouse = reach::warehouse(endpoint, mode, &clock::new_id()).await;
        let last = warehouse.last_loads().await.map_err(RunError::Below)?;
        for row in last.into_values().filter(|row| row.project == project.name) {
            if let Some(words) = row.state.awaited(&row.table) {
                found.push(Awaiting { table: row.table, columns: row.state.awaiting, words });
            }
        }
    }
    Ok(found)
}
