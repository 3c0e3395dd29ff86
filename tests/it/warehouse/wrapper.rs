//! A warehouse whose publishes go wrong, before any other one.

use std::{
    collections::{BTreeMap, BTreeSet},
    future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use barncat::{
    compare::{Look, Side},
    error::{Class, Fault},
    schema::{Abilities, Cursor, RelationKind},
    sql::{Dialect, TableName},
    stage::SharedStage,
    warehouse::{
        Delta, Fill, LedgerRow, Lineage, LiveTable, Publication, Published, Select, Selects, Staging,
        StagingColumn, StagingSpec, StagingTable, Survey, TextRows, Warehouse, WarehouseError,
    },
};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

/// How a publish goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    /// As it does.
    Well,
    /// It is refused, and nothing is done.
    Refused,
    /// It is done, and an error is told.
    DoneAndFailed,
    /// Nothing more is heard of it, and nothing was done.
    Hung,
    /// It is done, and nothing more is heard of it.
    DoneAndHung,
    /// As it does, after a while.
    Slowly(Duration),
}

/// What is told of a publish that went wrong.
#[derive(Debug, thiserror::Error)]
#[error("the wrapper says no")]
pub(super) struct Refusal;

impl Fault for Refusal {
    fn class(&self) -> Class {
        Class::Passing
    }
}

/// The wrapper.
pub(super) struct Wrapped {
    pub(super) inner: Box<dyn Warehouse>,
    goes: Arc<Mutex<Goes>>,
    hangs: Arc<Notify>,
}

impl Wrapped {
    pub(super) fn new(inner: Box<dyn Warehouse>) -> Self {
        Self { inner, goes: Arc::new(Mutex::new(Goes::Well)), hangs: Arc::default() }
    }

    /// Waits until a publish hangs.
    pub(super) async fn hangs(&self) {
        self.hangs.notified().await;
    }

    /// The next publish goes so.
    pub(super) fn next(&self, goes: Goes) {
        *self.goes.lock().unwrap_or_else(PoisonError::into_inner) = goes;
    }
}

struct WrappedStaging {
    inner: Box<dyn Staging>,
    goes: Arc<Mutex<Goes>>,
    hangs: Arc<Notify>,
}

#[async_trait]
impl Staging for WrappedStaging {
    async fn fill(&mut self, parts: mpsc::Receiver<Fill>, stage: SharedStage) -> Result<u64, WarehouseError> {
        self.inner.fill(parts, stage).await
    }

    async fn fill_from(&mut self, select: &Select) -> Result<u64, WarehouseError> {
        self.inner.fill_from(select).await
    }

    async fn greatest(&mut self, column: &str) -> Result<Option<String>, WarehouseError> {
        self.inner.greatest(column).await
    }

    async fn apply(&mut self, delta: &Delta, stage: SharedStage) -> Result<(), WarehouseError> {
        self.inner.apply(delta, stage).await
    }

    async fn count(&mut self) -> Result<u64, WarehouseError> {
        self.inner.count().await
    }

    async fn publish(self: Box<Self>, publication: Publication) -> Result<Published, WarehouseError> {
        let goes =
            std::mem::replace(&mut *self.goes.lock().unwrap_or_else(PoisonError::into_inner), Goes::Well);
        match goes {
            Goes::Well => self.inner.publish(publication).await,
            Goes::Refused => {
                self.inner.discard().await;
                Err(Box::new(Refusal))
            }
            Goes::DoneAndFailed => {
                self.inner.publish(publication).await?;
                Err(Box::new(Refusal))
            }
            Goes::Hung => {
                self.hangs.notify_one();
                future::pending().await
            }
            Goes::DoneAndHung => {
                self.inner.publish(publication).await?;
                self.hangs.notify_one();
                future::pending().await
            }
            Goes::Slowly(pause) => {
                tokio::time::sleep(pause).await;
                self.inner.publish(publication).await
            }
        }
    }

    async fn answers(&mut self, selects: Selects<'_>) -> Result<Vec<TextRows>, WarehouseError> {
        self.inner.answers(selects).await
    }

    async fn keep(self: Box<Self>) -> Result<String, WarehouseError> {
        self.inner.keep().await
    }

    async fn discard(self: Box<Self>) {
        self.inner.discard().await;
    }
}

#[async_trait]
impl Warehouse for Wrapped {
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
        self.inner.publish_view(select, publication).await
    }

    async fn open_staging(&self, spec: StagingSpec) -> Result<Box<dyn Staging>, WarehouseError> {
        let inner = self.inner.open_staging(spec).await?;
        Ok(Box::new(WrappedStaging { inner, goes: self.goes.clone(), hangs: self.hangs.clone() }))
    }

    async fn remove(&self, table: &TableName, kind: RelationKind) -> Result<(), WarehouseError> {
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
