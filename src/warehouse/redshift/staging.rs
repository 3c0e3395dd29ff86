//! The handle of one load: its staging table, from empty to published.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{
    Cluster, RedshiftError,
    dialect::{self, Copy},
    in_place, parts, publish, select,
    transport::Batch,
};
use crate::{
    fail_point,
    sql::{Dialect, TableName},
    stage::{SharedStage, manifest::Manifest},
    warehouse::{
        Delta, Fill, Publication, Published, Select, Selects, Staging, StagingColumn, StagingSpec, TextRows,
        WarehouseError,
    },
};

/// A committed table beside the one it is for. What is left of it after a crash is swept by the next run.
pub(super) struct RedshiftStaging {
    pub(super) cluster: Arc<Cluster>,
    pub(super) spec: StagingSpec,
    /// The staging table's name.
    pub(super) table: TableName,
}

impl RedshiftStaging {
    pub(super) async fn open(cluster: Arc<Cluster>, spec: StagingSpec) -> Result<Self, RedshiftError> {
        cluster.ensure_schema(&spec.table.schema).await?;
        let name = dialect::beside(&spec.table.name, &cluster.options.ledger_schema, &spec.load);
        let table = TableName::new(&spec.table.schema, name);
        fail_point!("staging.create.before");
        cluster.create(&table, &spec.all_columns(Dialect::Redshift), &spec).await?;
        fail_point!("staging.create.after");
        Ok(Self { cluster, spec, table })
    }
}

#[async_trait]
impl Staging for RedshiftStaging {
    async fn fill(
        &mut self,
        mut parts: mpsc::Receiver<Fill>,
        stage: SharedStage,
    ) -> Result<u64, WarehouseError> {
        // One COPY of all parts is faster than one of each, which would wait for each other.
        while let Some(fill) = parts.recv().await {
            if let Fill::Done(manifest) = fill {
                let rows = self.cluster.copy(&self.table, &self.spec, &manifest, &stage).await?;
                in_place::refuse_doubled(self).await?;
                return Ok(rows);
            }
        }
        Err(RedshiftError::NoManifest { table: self.spec.table.clone() }.into())
    }

    async fn fill_from(&mut self, select: &Select) -> Result<u64, WarehouseError> {
        let rows = select::fill(self, select).await?;
        in_place::refuse_doubled(self).await?;
        Ok(rows)
    }

    async fn apply(&mut self, delta: &Delta, stage: SharedStage) -> Result<(), WarehouseError> {
        Ok(in_place::apply(self, delta, &stage).await?)
    }

    async fn greatest(&mut self, column: &str) -> Result<Option<String>, WarehouseError> {
        let (column, from) = (dialect::ident(column), dialect::table(&self.table));
        let doing = format!("look at {column} of {}", self.spec.table);
        let batch = Batch::new(doing, format!("{} greatest", self.spec.load))
            .then(format!("SELECT max({column})::varchar FROM {from}"));
        let [answer] = self.cluster.ask(batch).await?;
        Ok(answer.text().map(str::to_owned))
    }

    async fn count(&mut self) -> Result<u64, WarehouseError> {
        let unmarked = self.spec.mark.as_ref().map(|mark| format!(" WHERE {} IS NULL", dialect::ident(mark)));
        let unmarked = unmarked.unwrap_or_default();
        let sql = format!("SELECT count(*)::varchar FROM {}{unmarked}", dialect::table(&self.table));
        let batch =
            Batch::new(format!("count {}", self.spec.table), format!("{} count", self.spec.load)).then(sql);
        let [answer] = self.cluster.ask(batch).await?;
        Ok(answer.number().unwrap_or(0))
    }

    async fn answers(&mut self, selects: Selects<'_>) -> Result<Vec<TextRows>, WarehouseError> {
        let name = format!("{} audit", self.spec.load);
        Ok(self.cluster.answers(&selects(&self.table), &name).await?)
    }

    async fn keep(self: Box<Self>) -> Result<String, WarehouseError> {
        // It is committed since it was made.
        Ok(self.table.quoted())
    }

    async fn publish(self: Box<Self>, publication: Publication) -> Result<Published, WarehouseError> {
        Ok(publish::publish(&self, &publication).await?)
    }

    async fn discard(self: Box<Self>) {
        // What cannot be dropped now is swept by the next run.
        fail_point!("staging.discard.before");
        let _ = self.cluster.drop_table(&self.table, &format!("{} discard", self.spec.load)).await;
        fail_point!("staging.discard.after");
    }
}

impl Cluster {
    /// Makes the empty staging table. Where nothing changes it is made like the live one, so that distribution,
    /// sort key, encodings and backups stay what somebody chose; else what its columns can keep is written.
    async fn create(
        &self,
        table: &TableName,
        columns: &[StagingColumn],
        spec: &StagingSpec,
    ) -> Result<(), RedshiftError> {
        let live = self.columns(&spec.table).await?;
        let sql = match live.as_slice() {
            [] => dialect::create(table, columns, &spec.layout),
            live if live == columns && spec.layout.is_empty() => {
                format!("CREATE TABLE {} (LIKE {})", dialect::table(table), dialect::table(&spec.table))
            }
            _ => {
                let kept = self.layout(&spec.table).await?.kept(columns);
                dialect::create(table, columns, &spec.layout.over(&kept))
            }
        };
        let doing = format!("create the staging table of {}", spec.table);
        self.ask::<1>(Batch::new(doing, format!("{} create", spec.load)).then(sql)).await.map(drop)
    }

    /// Fills a table from a load's parts. What COPY says it took in is what the manifest says, or it is an
    /// error; a lost answer is one too, and the next try fills a table of its own.
    pub(super) async fn copy(
        &self,
        into: &TableName,
        spec: &StagingSpec,
        manifest: &Manifest,
        stage: &SharedStage,
    ) -> Result<u64, RedshiftError> {
        let expected = manifest.rows();
        if manifest.parts.is_empty() || expected == 0 {
            return Ok(0);
        }
        let prefix = parts::prefix_of(manifest);
        parts::check(manifest, stage).await?;
        let key = format!("{prefix}redshift.json");
        fail_point!("staging.manifest.before");
        parts::write_manifest(&key, manifest, stage).await?;
        fail_point!("staging.manifest.after");
        let url = parts::url(stage, &key);
        let copy = dialect::copy(&Copy {
            into: dialect::table(into),
            columns: &manifest.columns,
            manifest: &url,
            compression: manifest.compression,
            null: manifest.null.as_deref().unwrap_or_default(),
            role: &self.options.copy_role,
            region: self.options.stage_region.as_deref(),
        });
        fail_point!("staging.copy.before");
        // The session's own count: by the Data API only within one batch.
        let batch = Batch::new(format!("copy into {} from {url}", spec.table), format!("{} copy", spec.load))
            .then(copy)
            .then("SELECT pg_last_copy_count()::varchar");
        let copied = self.ask(batch).await;
        // What was changed between the check and the COPY is not known to have been read as it was staged, and
        // explains a failure.
        match (parts::check(manifest, stage).await, &copied) {
            (Err(error @ RedshiftError::Part { .. }), _) | (Err(error), Ok(_)) => return Err(error),
            (Ok(()), _) | (Err(_), Err(_)) => {}
        }
        let [_, count] = match copied {
            Ok(answers) => answers,
            Err(error) => return Err(self.why(spec, manifest, stage, error).await),
        };
        fail_point!("staging.copy.after");
        match count.number() {
            Some(loaded) if loaded == expected => Ok(loaded),
            loaded => {
                Err(RedshiftError::Count { table: spec.table.clone(), expected, loaded: loaded.unwrap_or(0) })
            }
        }
    }
}
