//! A Redshift warehouse.
//!
//! The SQL is the same however it gets there (`transport`): by the Data API, where a batch of statements
//! is one transaction and nothing is kept between two of them. A staging table lies beside the table it
//! is for and is committed; one COPY fills it from a manifest of Redshift's own; a batch of locks, ledger
//! row and renames publishes it. Redshift holds nobody to a key and its locks cannot be waited for with a
//! limit, so that the ledger is checked by the publish itself, under the lock of a table that is there for
//! nothing else, and a batch that waits too long is cancelled. What an error or a lost answer leaves open
//! is resolved by looking at the ledger, never by doing it again.

mod attached;
mod belongings;
mod data_api;
mod diagnose;
mod dialect;
mod error;
mod in_place;
mod layout;
mod ledger;
mod live;
mod load_errors;
mod look;
mod parts;
mod policy;
mod prepare;
mod publish;
mod publish_view;
mod refused_row;
mod select;
mod staging;
mod transport;
mod views;
mod views_anew;
mod wire;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::{
    data_api::DataApiTarget,
    error::RedshiftError,
    policy::{PolicyLogin, PolicyWay, copy_policy, copy_trust, runner_policy},
};
use self::{
    dialect::literal,
    transport::{Batch, Transport},
};
use super::{
    LedgerRow, Lineage, LiveTable, Publication, Published, Select, Staging, StagingColumn, StagingSpec,
    StagingTable, Survey, TextRows, Warehouse, WarehouseError,
};
use crate::{
    aws::{self, Access},
    compare::{Look, Side},
    fail_point,
    pg::Endpoint,
    schema::{Abilities, Cursor, Layout, RelationKind},
    sql::{Dialect, TableName, quote_ident},
};

/// Names that a mode or a project gives.
#[derive(Debug, Clone)]
pub struct Options {
    /// The schema of the ledger: `barncat`, in test mode `barncat_test`.
    pub ledger_schema: String,
    /// The role by which COPY reads the stage: an ARN, or `default`.
    pub copy_role: String,
    /// The stage's region, where it is not the cluster's.
    pub stage_region: Option<String>,
}

/// A Redshift warehouse.
pub struct RedshiftWarehouse {
    cluster: Arc<Cluster>,
}

/// How it is reached and used; shared with the staging handles.
struct Cluster {
    transport: Box<dyn Transport>,
    options: Options,
    /// Whether the ledger was seen.
    prepared: AtomicBool,
    /// Views of the system that this user may not read, or that this cluster does not have.
    unreadable: Mutex<BTreeSet<&'static str>>,
}

impl RedshiftWarehouse {
    /// A warehouse that is reached by the Data API.
    pub async fn by_data_api(target: DataApiTarget, access: &Access, options: Options) -> Self {
        let client = aws::redshift_data_client(access).await;
        Self::over(Box::new(data_api::DataApi { client, target }), options)
    }

    /// A warehouse that is reached by wire.
    pub fn by_wire(endpoint: Endpoint, options: Options) -> Self {
        let wire = wire::Wire::new(endpoint, &quote_ident(&options.ledger_schema));
        Self::over(Box::new(wire), options)
    }

    fn over(transport: Box<dyn Transport>, options: Options) -> Self {
        let (prepared, unreadable) = (AtomicBool::new(false), Mutex::default());
        Self { cluster: Arc::new(Cluster { transport, options, prepared, unreadable }) }
    }
}

#[async_trait]
impl Warehouse for RedshiftWarehouse {
    fn place(&self) -> String {
        self.cluster.transport.place()
    }

    fn dialect(&self) -> Dialect {
        Dialect::Redshift
    }

    async fn prepare(&self) -> Result<(), WarehouseError> {
        Ok(self.cluster.prepare().await?)
    }

    async fn abilities(&self) -> Result<Abilities, WarehouseError> {
        Ok(Abilities::Redshift)
    }

    async fn last_loads(&self) -> Result<BTreeMap<TableName, LedgerRow>, WarehouseError> {
        let rows = self.cluster.last_loads(None).await?;
        Ok(rows.into_iter().map(|row| (row.table.clone(), row)).collect())
    }

    async fn last_load(&self, table: &TableName) -> Result<Option<LedgerRow>, WarehouseError> {
        Ok(self.cluster.last_loads(Some(table)).await?.into_iter().next())
    }

    async fn published_among(&self, loads: &[String]) -> Result<BTreeSet<String>, WarehouseError> {
        Ok(self.cluster.published_among(loads).await?)
    }

    async fn is_published(&self, load: &str) -> Result<bool, WarehouseError> {
        self.cluster.transport.settle(load).await?;
        Ok(self.cluster.load(load).await?.is_some())
    }

    async fn watermark_before(
        &self,
        table: &TableName,
        base: &str,
        as_of: Timestamp,
    ) -> Result<Option<String>, WarehouseError> {
        let loads = self.cluster.loads(table).await?;
        Ok(ledger::watermark_before(&loads, base, as_of))
    }

    async fn loads(&self, table: &TableName) -> Result<Vec<LedgerRow>, WarehouseError> {
        Ok(self.cluster.loads(table).await?)
    }

    async fn lineage(&self, table: &TableName, loads: &[String]) -> Result<Vec<Lineage>, WarehouseError> {
        let all = self.cluster.loads(table).await?;
        let wanted = |row: &&LedgerRow| loads.contains(&row.load) || row.state.restored.is_some();
        Ok(all.iter().filter(wanted).map(LedgerRow::lineage).collect())
    }

    async fn live(&self, table: &TableName) -> Result<Option<LiveTable>, WarehouseError> {
        Ok(self.cluster.live(table).await?)
    }

    async fn layout(&self, table: &TableName) -> Result<Layout, WarehouseError> {
        Ok(self.cluster.layout(table).await?.layout)
    }

    async fn survey(&self, table: &TableName, _key: &[String]) -> Result<Option<Survey>, WarehouseError> {
        Ok(self.cluster.survey(table).await?)
    }

    async fn reach(
        &self,
        table: &TableName,
        mark: Option<&str>,
        cursor: Option<(&Cursor, &str)>,
    ) -> Result<(u64, Option<String>), WarehouseError> {
        Ok(self.cluster.reach(table, mark, cursor).await?)
    }

    async fn adopt(&self, row: &LedgerRow, columns: &[StagingColumn]) -> Result<(), WarehouseError> {
        Ok(publish::adopt(&self.cluster, row, columns).await?)
    }

    async fn look(&self, look: Look) -> Result<Box<dyn Side>, WarehouseError> {
        Ok(Box::new(look::RedshiftSide::begin(self.cluster.clone(), look).await?))
    }

    async fn describe(&self, select: &Select) -> Result<Vec<StagingColumn>, WarehouseError> {
        Ok(self.cluster.columns_of(select).await?)
    }

    async fn answers(&self, selects: &[Select]) -> Result<Vec<TextRows>, WarehouseError> {
        Ok(self.cluster.answers(selects, "check").await?)
    }

    async fn publish_view(
        &self,
        select: &Select,
        publication: Publication,
    ) -> Result<Published, WarehouseError> {
        Ok(publish_view::publish(&self.cluster, select, &publication).await?)
    }

    async fn open_staging(&self, spec: StagingSpec) -> Result<Box<dyn Staging>, WarehouseError> {
        Ok(Box::new(staging::RedshiftStaging::open(self.cluster.clone(), spec).await?))
    }

    async fn remove(&self, table: &TableName, kind: RelationKind) -> Result<(), WarehouseError> {
        fail_point!("warehouse.remove.before");
        match kind {
            RelationKind::View => self.cluster.drop_view(table, "remove").await?,
            _ => self.cluster.drop_table(table, "remove").await?,
        }
        fail_point!("warehouse.remove.after");
        Ok(())
    }

    async fn staging_tables(&self) -> Result<Vec<StagingTable>, WarehouseError> {
        let found = self.cluster.beside().await?;
        Ok(found.into_iter().map(|(table, load)| StagingTable { name: table.to_string(), load }).collect())
    }

    async fn sweep(
        &self,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<Vec<String>, WarehouseError> {
        Ok(self.cluster.sweep(is_dead).await?)
    }
}

impl Cluster {
    async fn published_among(&self, loads: &[String]) -> Result<BTreeSet<String>, RedshiftError> {
        let mut published = BTreeSet::new();
        if loads.is_empty() || !self.is_prepared().await? {
            return Ok(published);
        }
        // A thousand names are far below the bytes that a statement may have.
        for some in loads.chunks(1000) {
            let listed: Vec<String> = some.iter().map(|load| literal(load)).collect();
            let sql =
                format!("SELECT load FROM {}.loads WHERE load IN ({})", self.ledger(), listed.join(", "));
            let [answer] = self.ask(Batch::new("read the ledger", "ledger").then(sql)).await?;
            published.extend(answer.rows.into_iter().filter_map(|row| row.into_iter().next().flatten()));
        }
        Ok(published)
    }
}
