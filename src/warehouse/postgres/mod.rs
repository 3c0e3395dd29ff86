//! A Postgres warehouse.
//!
//! With one connection a load is one transaction: the staging table is created, filled by `COPY …
//! WITH (FREEZE)`, keyed, counted and swapped in, and a crash anywhere leaves nothing behind. The
//! ledger row is the first statement of the publish, so that who publishes twice, or second, finds
//! out before any lock is taken. A swap carries over all that belongs to the table (`belongings`), binds
//! the views to the new one (`views`), and says what it cannot carry (`obstacles`). Nothing here decides
//! whether to publish.

mod adopt;
mod belongings;
mod commit;
mod diagnose;
mod error;
mod fill;
mod in_place;
mod ledger;
mod live;
mod locks;
mod look;
mod needs;
mod obstacles;
mod prepare;
mod publish;
mod publish_view;
mod removal;
mod select;
mod sessions;
mod staging;
mod swap;
mod views;
mod views_anew;
mod wait;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::error::PostgresWarehouseError;
use self::sessions::{InUse, Sessions};
use super::{
    LedgerRow, Lineage, LiveTable, Publication, Published, Select, Staging, StagingColumn, StagingSpec,
    StagingTable, Survey, TextRows, Warehouse, WarehouseError,
};
use crate::{
    compare::{Look, Side},
    pg::{Endpoint, PgError},
    schema::{Abilities, Cursor, RelationKind},
    sql::{Dialect, TableName},
};

/// For how long a COMMIT whose answer is not known is waited for, where nobody says otherwise.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Names that a mode or a run gives.
#[derive(Debug, Clone)]
pub struct Options {
    /// The schema of the ledger: `barncat`, in test mode `barncat_test`.
    pub ledger_schema: String,
    /// The schema of staging tables: `barncat_staging`, in test mode `barncat_test_staging`.
    pub staging_schema: String,
    /// The run's id, for `application_name`.
    pub run: String,
}

/// A Postgres warehouse.
pub struct PostgresWarehouse {
    server: Arc<Server>,
}

/// Where it is and how it is used; shared with the staging handles.
struct Server {
    endpoint: Endpoint,
    options: Options,
    sessions: Sessions,
}

impl PostgresWarehouse {
    /// A warehouse at this endpoint. Connects only when it is used, and keeps some connections open for the
    /// next use until it is dropped.
    pub fn new(endpoint: Endpoint, options: Options) -> Self {
        let sessions = Sessions::new(endpoint.clone(), &options.run);
        Self { server: Arc::new(Server { endpoint, options, sessions }) }
    }
}

impl Server {
    /// A session, told apart in `pg_stat_activity` by run and what it does.
    async fn connect(&self, what: &str) -> Result<InUse, PgError> {
        self.sessions.take(what).await
    }
}

#[async_trait]
impl Warehouse for PostgresWarehouse {
    fn place(&self) -> String {
        self.server.endpoint.place()
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn prepare(&self) -> Result<(), WarehouseError> {
        Ok(prepare::prepare(&self.server).await?)
    }

    async fn abilities(&self) -> Result<Abilities, WarehouseError> {
        Ok(prepare::abilities(&self.server).await?)
    }

    async fn last_loads(&self) -> Result<BTreeMap<TableName, LedgerRow>, WarehouseError> {
        let connection = self.server.connect("ledger").await.map_err(PostgresWarehouseError::from)?;
        let rows = ledger::last_loads(&connection, &self.server.options.ledger_schema).await;
        let rows = connection.rest_after(rows).await?;
        Ok(rows.into_iter().map(|row| (row.table.clone(), row)).collect())
    }

    async fn last_load(&self, table: &TableName) -> Result<Option<LedgerRow>, WarehouseError> {
        let connection = self.server.connect("ledger").await.map_err(PostgresWarehouseError::from)?;
        let row = ledger::last_load(&connection, &self.server.options.ledger_schema, table).await;
        Ok(connection.rest_after(row).await?)
    }

    async fn published_among(&self, loads: &[String]) -> Result<BTreeSet<String>, WarehouseError> {
        let connection = self.server.connect("ledger").await.map_err(PostgresWarehouseError::from)?;
        let loads = ledger::published_among(&connection, &self.server.options.ledger_schema, loads).await;
        Ok(connection.rest_after(loads).await?)
    }

    async fn is_published(&self, load: &str) -> Result<bool, WarehouseError> {
        Ok(commit::is_published(&self.server, load, ANSWER_WAIT)
            .await
            .map_err(PostgresWarehouseError::from)?)
    }

    async fn watermark_before(
        &self,
        table: &TableName,
        base: &str,
        as_of: Timestamp,
    ) -> Result<Option<String>, WarehouseError> {
        let connection = self.server.connect("ledger").await.map_err(PostgresWarehouseError::from)?;
        let ledger = &self.server.options.ledger_schema;
        let found = ledger::watermark_before(&connection, ledger, table, base, as_of).await;
        Ok(connection.rest_after(found).await.map_err(PostgresWarehouseError::from)?)
    }

    async fn loads(&self, table: &TableName) -> Result<Vec<LedgerRow>, WarehouseError> {
        let connection = self.server.connect("ledger").await.map_err(PostgresWarehouseError::from)?;
        let loads = ledger::loads(&connection, &self.server.options.ledger_schema, table).await;
        Ok(connection.rest_after(loads).await?)
    }

    async fn lineage(&self, table: &TableName, loads: &[String]) -> Result<Vec<Lineage>, WarehouseError> {
        let connection = self.server.connect("ledger").await.map_err(PostgresWarehouseError::from)?;
        let lineage = ledger::lineage(&connection, &self.server.options.ledger_schema, table, loads).await;
        Ok(connection.rest_after(lineage).await.map_err(PostgresWarehouseError::from)?)
    }

    async fn live(&self, table: &TableName) -> Result<Option<LiveTable>, WarehouseError> {
        let connection = self.server.connect("catalog").await.map_err(PostgresWarehouseError::from)?;
        let live = live::live(&connection, table).await;
        Ok(connection.rest_after(live).await?)
    }

    async fn name_taken(&self, table: &TableName) -> Result<Option<String>, WarehouseError> {
        let connection = self.server.connect("catalog").await.map_err(PostgresWarehouseError::from)?;
        let taken = needs::name_taken(&connection, table).await;
        Ok(connection.rest_after(taken).await.map_err(PostgresWarehouseError::from)?)
    }

    async fn look(&self, look: Look) -> Result<Box<dyn Side>, WarehouseError> {
        Ok(Box::new(look::WarehouseSide::begin(&self.server, look).await?))
    }

    async fn survey(&self, table: &TableName, key: &[String]) -> Result<Option<Survey>, WarehouseError> {
        let connection = self.server.connect("catalog").await.map_err(PostgresWarehouseError::from)?;
        let survey = adopt::survey(&connection, table, key).await;
        Ok(connection.rest_after(survey).await.map_err(PostgresWarehouseError::from)?)
    }

    async fn reach(
        &self,
        table: &TableName,
        mark: Option<&str>,
        cursor: Option<(&Cursor, &str)>,
    ) -> Result<(u64, Option<String>), WarehouseError> {
        let connection = self.server.connect("reach").await.map_err(PostgresWarehouseError::from)?;
        let reach = adopt::reach(&connection, table, mark, cursor, ANSWER_WAIT).await;
        Ok(connection.rest_after(reach).await.map_err(PostgresWarehouseError::from)?)
    }

    async fn adopt(&self, row: &LedgerRow, columns: &[StagingColumn]) -> Result<(), WarehouseError> {
        Ok(adopt::adopt(&self.server, row, columns, ANSWER_WAIT).await?)
    }

    async fn describe(&self, select: &Select) -> Result<Vec<StagingColumn>, WarehouseError> {
        Ok(select::describe(&self.server, select).await?)
    }

    async fn answers(&self, selects: &[Select]) -> Result<Vec<TextRows>, WarehouseError> {
        Ok(select::answers(&self.server, selects).await?)
    }

    async fn publish_view(
        &self,
        select: &Select,
        publication: Publication,
    ) -> Result<Published, WarehouseError> {
        Ok(publish_view::publish(&self.server, select, &publication).await?)
    }

    async fn open_staging(&self, spec: StagingSpec) -> Result<Box<dyn Staging>, WarehouseError> {
        Ok(Box::new(staging::PostgresStaging::open(self.server.clone(), spec).await?))
    }

    async fn remove(&self, table: &TableName, kind: RelationKind) -> Result<(), WarehouseError> {
        Ok(removal::remove(&self.server, table, kind).await?)
    }

    async fn staging_tables(&self) -> Result<Vec<StagingTable>, WarehouseError> {
        let connection = self.server.connect("sweep").await.map_err(PostgresWarehouseError::from)?;
        let tables = prepare::staging_tables(&self.server, &connection).await;
        Ok(connection.rest_after(tables).await.map_err(PostgresWarehouseError::from)?)
    }

    async fn sweep(
        &self,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<Vec<String>, WarehouseError> {
        Ok(prepare::sweep(&self.server, is_dead).await?)
    }
}
