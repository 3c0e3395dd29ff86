//! The handle of one load: its staging table, from empty to published.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{sync::mpsc, time::timeout};

use super::{
    PostgresWarehouseError, Server, belongings, fill, in_place, prepare, publish, select, sessions::InUse,
};
use crate::{
    fail_point,
    pg::{Connection, PgError},
    sql::{Dialect, TableName, quote_ident},
    stage::SharedStage,
    warehouse::{
        Delta, Fill, Filling, Publication, Published, Select, Selects, Staging, StagingSpec, TextRows,
        WarehouseError,
    },
};

/// Indexes of some million rows are sorted in memory with it, for the rest of the session; a server
/// that is set up to give more gives more.
const INDEX_MEMORY: &str = "SELECT set_config('maintenance_work_mem', '256MB', false)
    WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < pg_size_bytes('256MB')";

/// A staging table and the connection that works on it.
///
/// One connection fills in the transaction that publishes: dropped, that is rolled back by the
/// server, and the staging table was never there. Several connections need it committed: dropped,
/// it stays until the next run sweeps it. So does a load of new rows that is applied to it, and what a
/// SELECT filled, which is committed with its key.
pub(super) struct PostgresStaging {
    pub(super) server: Arc<Server>,
    pub(super) spec: StagingSpec,
    /// The staging table's name.
    pub(super) table: TableName,
    pub(super) connection: InUse,
    /// Whether the staging table is committed already, and the publish a transaction of its own.
    pub(super) is_committed: bool,
    /// Whether the server is at work; it still is when whoever waited for it has given up.
    is_asking: bool,
}

/// How long a server is waited for that is asked to cancel a statement.
const CANCEL_WAIT: Duration = Duration::from_secs(3);

impl PostgresStaging {
    pub(super) async fn open(server: Arc<Server>, spec: StagingSpec) -> Result<Self, PostgresWarehouseError> {
        let connection = server.connect(&spec.table.to_string()).await?;
        prepare::ensure_schema(&connection, &spec.table.schema).await?;
        let table = TableName::new(&server.options.staging_schema, name_of(&spec.load, &spec.table.name));
        // From here on whoever drops this wants the server to stop.
        connection.set_busy(true);
        fail_point!("staging.create.before");
        let is_committed = matches!(spec.filling, Filling::Parts { jobs: 2.., .. });
        if !is_committed {
            // FREEZE asks for a table that is made in the transaction that fills it.
            connection.run("begin a load", "BEGIN").await?;
        }
        create(&connection, &table, &spec).await?;
        fail_point!("staging.create.after");
        let staging = Self { server, spec, table, connection, is_committed, is_asking: false };
        belongings::shape(&staging).await?;
        Ok(staging)
    }

    async fn filled(
        &mut self,
        parts: mpsc::Receiver<Fill>,
        stage: &SharedStage,
    ) -> Result<u64, PostgresWarehouseError> {
        let rows = fill::fill(self, parts, stage).await?;
        self.finish_fill().await?;
        Ok(rows)
    }

    async fn filled_from(&mut self, select: &Select) -> Result<u64, PostgresWarehouseError> {
        let rows = select::fill(self, select).await?;
        self.finish_fill().await?;
        fail_point!("staging.commit.before");
        self.connection.run(&format!("fill {}", self.spec.table), "COMMIT").await?;
        self.is_committed = true;
        fail_point!("staging.commit.after");
        Ok(rows)
    }

    /// What happens when the last part is in: the key, and the figures for the planner.
    async fn finish_fill(&self) -> Result<(), PostgresWarehouseError> {
        fail_point!("staging.key.before");
        self.connection.run("give the building of indexes memory", INDEX_MEMORY).await?;
        if !self.spec.key.is_empty() {
            let sql = format!(
                "ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY ({})",
                self.table.quoted(),
                quote_ident(&key_name(&self.spec.load)),
                columns(&self.spec.key)
            );
            let built = self.connection.run(&format!("build the key of {}", self.spec.table), &sql).await;
            built.map_err(|error| PostgresWarehouseError::of_key(&self.spec.table, &self.spec.key, error))?;
        }
        self.connection
            .run(&format!("analyze {}", self.spec.table), &format!("ANALYZE {}", self.table.quoted()))
            .await?;
        fail_point!("staging.key.after");
        Ok(())
    }
}

#[async_trait]
impl Staging for PostgresStaging {
    async fn fill(&mut self, parts: mpsc::Receiver<Fill>, stage: SharedStage) -> Result<u64, WarehouseError> {
        self.is_asking = true;
        let filled = self.filled(parts, &stage).await;
        self.is_asking = false;
        Ok(filled?)
    }

    async fn fill_from(&mut self, select: &Select) -> Result<u64, WarehouseError> {
        self.is_asking = true;
        let filled = self.filled_from(select).await;
        self.is_asking = false;
        Ok(filled?)
    }

    async fn apply(&mut self, delta: &Delta, stage: SharedStage) -> Result<(), WarehouseError> {
        self.is_asking = true;
        let applied = in_place::apply(self, delta, &stage).await;
        self.is_asking = false;
        Ok(applied?)
    }

    async fn greatest(&mut self, column: &str) -> Result<Option<String>, WarehouseError> {
        let sql = format!("SELECT max({})::text FROM {}", quote_ident(column), self.table.quoted());
        let row = self
            .connection
            .query_one(&sql, &[])
            .await
            .map_err(|error| {
                self.connection.error(format!("look at {column} of {}", self.spec.table), &error)
            })
            .map_err(PostgresWarehouseError::from)?;
        Ok(row.get(0))
    }

    async fn count(&mut self) -> Result<u64, WarehouseError> {
        let unmarked = match &self.spec.mark {
            Some(mark) => format!(" WHERE {} IS NULL", quote_ident(mark)),
            None => String::new(),
        };
        let sql = format!("SELECT count(*) FROM {}{unmarked}", self.table.quoted());
        let row = self
            .connection
            .query_one(&sql, &[])
            .await
            .map_err(|error| self.connection.error(format!("count {}", self.spec.table), &error))
            .map_err(PostgresWarehouseError::from)?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    async fn answers(&mut self, selects: Selects<'_>) -> Result<Vec<TextRows>, WarehouseError> {
        Ok(select::answers_of_staging(self, &selects(&self.table)).await?)
    }

    async fn keep(self: Box<Self>) -> Result<String, WarehouseError> {
        if !self.is_committed {
            let kept = self.connection.run("keep a staging table", "COMMIT").await;
            kept.map_err(PostgresWarehouseError::from)?;
        }
        self.connection.set_busy(false);
        Ok(self.table.quoted())
    }

    async fn publish(self: Box<Self>, publication: Publication) -> Result<Published, WarehouseError> {
        Ok(publish::publish(*self, &publication).await?)
    }

    async fn discard(self: Box<Self>) {
        if self.is_asking {
            // What comes next would wait for the end of the statement.
            let _ = timeout(CANCEL_WAIT, self.connection.cancel_handle().fire()).await;
        }
        let drop = format!("DROP TABLE IF EXISTS {}", self.table.quoted());
        let sql = if self.is_committed { drop } else { "ROLLBACK".to_owned() };
        // If even this fails the connection is gone: the server rolls back, the next run sweeps.
        let given_up = self.connection.run("give a load up", &sql).await;
        if given_up.is_ok() {
            self.connection.set_busy(false);
        }
        // What was asked to cancel is better not used again.
        if !self.is_asking {
            let _ = self.connection.rest_after(given_up).await;
        }
    }
}

/// Makes an empty table with the columns of a load, and the mark.
pub(super) async fn create(
    connection: &Connection,
    table: &TableName,
    spec: &StagingSpec,
) -> Result<(), PgError> {
    let columns: Vec<String> = spec
        .all_columns(Dialect::Postgres)
        .iter()
        .map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{null}", quote_ident(&column.name), column.sql_type)
        })
        .collect();
    let sql = format!("CREATE TABLE {} ({})", table.quoted(), columns.join(", "));
    connection.run(&format!("create the staging table of {}", spec.table), &sql).await
}

/// Names in SQL's list form.
pub(super) fn columns<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quote_ident(name)).collect::<Vec<_>>().join(", ")
}

/// The staging table of a load: its id, which holds no `_`, then as much of the table's name as fits
/// in the bytes of a name.
pub(super) fn name_of(load: &str, table: &str) -> String {
    let mut name = format!("{load}_{table}");
    while name.len() > Dialect::Postgres.name_bytes_max() {
        name.pop();
    }
    name
}

/// The load that a relation of the staging schema belongs to.
pub(super) fn load_of(name: &str) -> Option<&str> {
    name.split_once('_').map(|(load, _)| load)
}

/// The primary key's constraint until it gets the name that people see.
pub(super) fn key_name(load: &str) -> String {
    name_of(load, "pkey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staging_tables_name_carries_its_load_whatever_the_table_is_called() {
        let load = "01JD3Z6Q7V5X8Y9ABCDEFGHJKM";
        let long = "ä".repeat(31);
        for table in ["orders", "a_b_c", "", &long] {
            let name = name_of(load, table);
            assert!(name.len() <= 63, "{name}");
            assert_eq!(load_of(&name), Some(load));
        }
        assert_eq!(load_of("orders"), None);
    }
}
