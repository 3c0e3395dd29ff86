//! A service as a source.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Ask, Asked, ServiceError,
    collect::{Collect, CollectionManifest, Question, Watch},
    records::{self, RecordsPath},
    rows::RowSettings,
    snapshot::{Collected, ServiceSnapshot},
};
use crate::{
    event::Tier,
    fingerprint,
    source::{Related, Snapshot, Source, SourceError, SourceTable},
    sql::TableName,
    stage::{CollectionPrefix, SharedStage},
};

/// A service's settings, beside how it is asked.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// Its name in the project.
    pub name: String,
    /// What it is, without a secret: tables of another one are other tables.
    pub place: String,
    /// A fingerprint of where and with which headers all of it is asked.
    pub base: String,
    /// How many queries are asked side by side.
    pub connections: usize,
    /// How large a body may be.
    pub body_bytes_max: u64,
    /// For how long a collection that was cut off is gone on with.
    pub resume_for: Duration,
}

/// A table of a service.
#[derive(Debug, Clone)]
pub struct ServiceTable {
    /// What is asked.
    pub asked: Asked,
    /// Where records are in a body.
    pub records: RecordsPath,
    /// How rows are made of them.
    pub rows: RowSettings,
}

/// A service.
pub struct Service {
    shared: Arc<Shared>,
    ask: Arc<dyn Ask>,
}

/// What its snapshots know of it.
pub(super) struct Shared {
    pub(super) settings: ServiceSettings,
    pub(super) tables: BTreeMap<TableName, Arc<ServiceTable>>,
}

impl Shared {
    pub(super) fn table(&self, name: &TableName) -> Result<&Arc<ServiceTable>, ServiceError> {
        let no_table = || {
            let (source_name, table) = (self.settings.name.clone(), name.clone());
            ServiceError::NoTable { source_name, table }
        };
        self.tables.get(name).ok_or_else(no_table)
    }
}

impl Service {
    /// A service that is asked by `ask`, with the tables that its rows name.
    pub fn new(
        settings: ServiceSettings,
        ask: Arc<dyn Ask>,
        tables: impl IntoIterator<Item = ServiceTable>,
    ) -> Self {
        let tables = tables.into_iter().map(|table| (table.asked.name.clone(), Arc::new(table))).collect();
        Self { shared: Arc::new(Shared { settings, tables }), ask }
    }

    /// For how long a collection that was cut off is gone on with.
    pub fn resume_for(&self) -> Duration {
        self.shared.settings.resume_for
    }

    /// A fingerprint of what decides which records come for a table, whatever is asked, and how they are counted. Who
    /// asks is none of it: a login that ran out is no reason to ask again.
    pub fn definition(&self, table: &ServiceTable) -> String {
        let Asked { headers, records_of_missing, keeps_failed, .. } = &table.asked;
        let headers = headers.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
        let how = format!("{records_of_missing:?} {keeps_failed} {}", table.records.text());
        let own = [self.shared.settings.name.clone(), self.shared.settings.base.clone(), how];
        fingerprint::of(own.into_iter().chain(headers))
    }

    /// One of its tables.
    pub fn table(&self, name: &TableName) -> Result<&Arc<ServiceTable>, ServiceError> {
        self.shared.table(name)
    }

    /// Its tables as they are before anything is asked: without rows.
    pub fn unasked(&self) -> Arc<dyn Snapshot> {
        Arc::new(ServiceSnapshot::unasked(self.shared.clone()))
    }

    /// A table as it is in collections, the oldest first: of records of one key the last one counts.
    pub fn collected(
        &self,
        table: &Arc<ServiceTable>,
        stage: &SharedStage,
        collections: Vec<(CollectionPrefix, CollectionManifest)>,
    ) -> Arc<dyn Snapshot> {
        let collected = Collected::new(table.clone(), stage.clone(), collections);
        Arc::new(ServiceSnapshot::collected(self.shared.clone(), collected))
    }

    /// Asks a question into the stage, or goes on with it.
    pub async fn collect(
        &self,
        table: &ServiceTable,
        (stage, prefix): (&SharedStage, &CollectionPrefix),
        tier: Tier,
        records_enough: Option<u64>,
        watch: &dyn Watch,
        question: Question,
    ) -> Result<CollectionManifest, ServiceError> {
        let settings = &self.shared.settings;
        let names = table.rows.names_needed();
        let count = |body: &[u8], media| {
            let counted = records::count(body, media, &table.records, &names);
            counted.map_err(|error| Box::new(error) as SourceError)
        };
        let collect = Collect {
            stage,
            prefix,
            ask: &*self.ask,
            paging: &table.asked.paging,
            count: &count,
            tier,
            at_once: settings.connections,
            body_bytes_max: settings.body_bytes_max,
            records_enough,
            keeps_failed: table.asked.keeps_failed,
            headers: &table.asked.headers,
            records_of_missing: table.asked.records_of_missing,
            watch,
        };
        let collected = collect.run(question).await;
        collected.map_err(|error| ServiceError::Collect { table: table.asked.name.clone(), error })
    }
}

#[async_trait]
impl Source for Service {
    fn name(&self) -> &str {
        &self.shared.settings.name
    }

    async fn tables(&self, schema: &str) -> Result<Vec<SourceTable>, SourceError> {
        let of_schema = self.shared.tables.keys().filter(|table| table.schema == schema);
        let table = |name: &TableName| SourceTable { name: name.clone(), bytes: 0, rows_estimate: None };
        Ok(of_schema.map(table).collect())
    }

    async fn related(&self, _: &[TableName]) -> Result<Vec<Related>, SourceError> {
        Ok(Vec::new())
    }

    fn service(&self) -> Option<&Self> {
        Some(self)
    }

    async fn open_snapshot(&self, _: Tier) -> Result<Arc<dyn Snapshot>, SourceError> {
        Ok(self.unasked())
    }
}

#[cfg(test)]
mod tests;
