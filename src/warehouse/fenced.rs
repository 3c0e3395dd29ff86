//! A warehouse of which only some schemas may be written to, whatever the role may do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Abilities, LedgerRow, Lineage, LiveTable, Publication, Published, Select, Staging, StagingColumn,
    StagingSpec, StagingTable, Survey, TextRows, Warehouse, WarehouseError,
};
use crate::{
    compare::{Look, Side},
    error::{Class, Fault},
    schema::{Cursor, Layout, RelationKind},
    sql::{Dialect, TableName},
};

/// Whether a schema may be written to.
pub type MayWrite = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The fence: all that makes, fills, replaces or drops a table goes through it, and is refused outside of the
/// schemas that may be written to. The ledger and the staging schema are the warehouse's own, by its mode.
pub struct Fenced {
    inner: Arc<dyn Warehouse>,
    may_write: MayWrite,
}

/// A table outside of the fence.
#[derive(Debug, thiserror::Error)]
#[error("{table} lies outside of the test schemas, and a test run writes nothing there")]
pub struct Outside {
    /// The table.
    pub table: TableName,
}

impl Fault for Outside {
    fn class(&self) -> Class {
        Class::Bug
    }
}

impl Fenced {
    /// Puts a fence around a warehouse.
    pub fn new(inner: Arc<dyn Warehouse>, may_write: MayWrite) -> Self {
        Self { inner, may_write }
    }

    fn within(&self, table: &TableName) -> Result<(), WarehouseError> {
        match (self.may_write)(&table.schema) {
            true => Ok(()),
            false => Err(Box::new(Outside { table: table.clone() })),
        }
    }
}

#[async_trait]
impl Warehouse for Fenced {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn prepare(&self) -> Result<(), WarehouseError> {
        self.inner.prepare().await
    }

    async fn abilities(&self) -> Result<Abilities, WarehouseError> {
        self.inner.abilities().await
    }

    async fn last_loads(&self) -> Result<BTreeMap<TableName, LedgerRow>, WarehouseError> {
        self.inner.last_loads().await
    }

    async fn last_load(&self, table: &TableName) -> Result<Option<LedgerRow>, WarehouseError> {
        self.inner.last_load(table).await
    }

    async fn published_among(&self, loads: &[String]) -> Result<BTreeSet<String>, WarehouseError> {
        self.inner.published_among(loads).await
    }

    async fn is_published(&self, load: &str) -> Result<bool, WarehouseError> {
        self.inner.is_published(load).await
    }

    async fn watermark_before(
        &self,
        table: &TableName,
        base: &str,
        as_of: Timestamp,
    ) -> Result<Option<String>, WarehouseError> {
        self.inner.watermark_before(table, base, as_of).await
    }

    async fn loads(&self, table: &TableName) -> Result<Vec<LedgerRow>, WarehouseError> {
        self.inner.loads(table).await
    }

    async fn lineage(&self, table: &TableName, loads: &[String]) -> Result<Vec<Lineage>, WarehouseError> {
        self.inner.lineage(table, loads).await
    }

    async fn live(&self, table: &TableName) -> Result<Option<LiveTable>, WarehouseError> {
        self.inner.live(table).await
    }

    async fn layout(&self, table: &TableName) -> Result<Layout, WarehouseError> {
        self.inner.layout(table).await
    }

    async fn name_taken(&self, table: &TableName) -> Result<Option<String>, WarehouseError> {
        self.inner.name_taken(table).await
    }

    async fn survey(&self, table: &TableName, key: &[String]) -> Result<Option<Survey>, WarehouseError> {
        self.inner.survey(table, key).await
    }

    async fn reach(
        &self,
        table: &TableName,
        mark: Option<&str>,
        cursor: Option<(&Cursor, &str)>,
    ) -> Result<(u64, Option<String>), WarehouseError> {
        self.inner.reach(table, mark, cursor).await
    }

    async fn adopt(&self, row: &LedgerRow, columns: &[StagingColumn]) -> Result<(), WarehouseError> {
        self.within(&row.table)?;
        self.inner.adopt(row, columns).await
    }

    async fn look(&self, look: Look) -> Result<Box<dyn Side>, WarehouseError> {
        self.inner.look(look).await
    }

    async fn describe(&self, select: &Select) -> Result<Vec<StagingColumn>, WarehouseError> {
        self.inner.describe(select).await
    }

    async fn answers(&self, selects: &[Select]) -> Result<Vec<TextRows>, WarehouseError> {
        self.inner.answers(selects).await
    }

    async fn publish_view(
        &self,
        select: &Select,
        publication: Publication,
    ) -> Result<Published, WarehouseError> {
        self.within(&publication.ledger.table)?;
        self.inner.publish_view(select, publication).await
    }

    async fn open_staging(&self, spec: StagingSpec) -> Result<Box<dyn Staging>, WarehouseError> {
        self.within(&spec.table)?;
        self.inner.open_staging(spec).await
    }

    async fn remove(&self, table: &TableName, kind: RelationKind) -> Result<(), WarehouseError> {
        self.within(table)?;
        self.inner.remove(table, kind).await
    }

    async fn staging_tables(&self) -> Result<Vec<StagingTable>, WarehouseError> {
        self.inner.staging_tables().await
    }

    async fn sweep(
        &self,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<Vec<String>, WarehouseError> {
        self.inner.sweep(is_dead).await
    }
}
