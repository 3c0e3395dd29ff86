//! SELECTs of models and checks: described, asked, filled from. Their tables are written with their schemas.

use super::{
    Cluster, RedshiftError,
    dialect::{self, literal},
    live::{column, columns_sql},
    staging::RedshiftStaging,
    transport::Batch,
};
use crate::{
    clock, fail_point,
    pg::keep_what_stands_in,
    warehouse::{Select, StagingColumn, TextRows},
};

/// A batch of the Data API has 40 statements, and 100 KB of text, at most.
const SELECTS_AT_ONCE: usize = 10;

impl Cluster {
    /// The columns of a table made of it: those of an empty one of the session's own, which is dropped by
    /// the batch that makes it.
    pub(super) async fn columns_of(&self, select: &Select) -> Result<Vec<StagingColumn>, RedshiftError> {
        let name = format!("barncat_described_{}", clock::new_id().to_ascii_lowercase());
        let make = format!(
            "CREATE TEMPORARY TABLE {name} AS SELECT * FROM ({}\n) AS described WHERE 1 = 0",
            select.sql
        );
        let batch = Batch::new(format!("describe {}", select.file), "describe")
            .then(make)
            .then(columns_sql(&format!("c.relname = {}", literal(&name))))
            .then(format!("DROP TABLE {name}"));
        let [_, columns, _] = self.ask(batch).await.map_err(|error| of(select, error))?;
        Ok(columns.rows.into_iter().filter_map(column).collect())
    }

    /// What they answer, several in one batch.
    pub(super) async fn answers(
        &self,
        selects: &[Select],
        name: &str,
    ) -> Result<Vec<TextRows>, RedshiftError> {
        let mut answers = Vec::with_capacity(selects.len());
        for some in selects.chunks(SELECTS_AT_ONCE) {
            let Some(first) = some.first() else { continue };
            let mut batch = Batch::new(format!("run {}", first.file), name);
            batch.statements.extend(some.iter().map(|select| select.sql.clone()));
            let answered = self.transport.run(batch).await.map_err(|error| {
                // Which of them failed is not always told: what all of them say is no row's value.
                let sql = some.iter().map(|select| select.sql.as_str()).collect::<Vec<_>>().join("\n");
                of(&Select { sql, ..first.clone() }, error)
            })?;
            answers.extend(answered.into_iter().map(|answer| answer.rows));
        }
        Ok(answers)
    }
}

/// Fills a staging table. If the answer is lost, the next attempt fills a table of its own.
pub(super) async fn fill(staging: &RedshiftStaging, select: &Select) -> Result<u64, RedshiftError> {
    let (spec, table) = (&staging.spec, dialect::table(&staging.table));
    let names = dialect::names(spec.columns.iter().map(|column| &column.name));
    fail_point!("staging.select.before");
    let batch =
        Batch::new(format!("fill {} from {}", spec.table, select.file), format!("{} fill", spec.load))
            .then(format!("INSERT INTO {table} ({names}) {}", select.sql))
            .then(format!("SELECT count(*)::varchar FROM {table}"));
    let [_, rows] = staging.cluster.ask(batch).await.map_err(|error| of(select, error))?;
    fail_point!("staging.select.after");
    Ok(rows.number().unwrap_or(0))
}

/// The error with the file: Redshift does not always say where in a statement it is.
pub(super) fn of(select: &Select, error: RedshiftError) -> RedshiftError {
    match error {
        RedshiftError::Statement { message, code, .. } => {
            let message = keep_what_stands_in(&select.sql, &message);
            RedshiftError::Select { file: select.file.clone(), message, code }
        }
        error => error,
    }
}
