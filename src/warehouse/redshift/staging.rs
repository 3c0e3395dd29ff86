//! The handle of one load: its staging table, from empty to published.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    Cluster, RedshiftError,
    dialect::{self, Copy},
    in_place, publish,
    transport::Batch,
};
use crate::{
    fail_point,
    sql::TableName,
    stage::{SharedStage, manifest::Manifest},
    warehouse::{Delta, Fill, Publication, Published, Staging, StagingColumn, StagingSpec, WarehouseError},
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
        cluster.create(&table, &spec.columns, &spec).await?;
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
                return Ok(self.cluster.copy(&self.table, &self.spec, &manifest, &stage).await?);
            }
        }
        Err(RedshiftError::NoManifest { table: self.spec.table.clone() }.into())
    }

    async fn apply(&mut self, delta: &Delta, stage: SharedStage) -> Result<(), WarehouseError> {
        Ok(in_place::apply(self, delta, &stage).await?)
    }

    async fn count(&mut self) -> Result<u64, WarehouseError> {
        let sql = format!("SELECT count(*)::varchar FROM {}", dialect::table(&self.table));
        let batch =
            Batch::new(format!("count {}", self.spec.table), format!("{} count", self.spec.load)).then(sql);
        let [answer] = self.cluster.ask(batch).await?;
        Ok(answer.number().unwrap_or(0))
    }

    async fn publish(self: Box<Self>, publication: Publication) -> Result<Published, WarehouseError> {
        Ok(publish::publish(&self, &publication).await?)
    }

    async fn discard(self: Box<Self>) {
        // What cannot be dropped now is swept by the next run.
        let _ = self.cluster.drop_table(&self.table, &format!("{} discard", self.spec.load)).await;
    }
}

impl Cluster {
    /// Makes the empty staging table. Where the live one has the same columns it is made like it, so that
    /// distribution, sort key and encodings stay what somebody chose.
    async fn create(
        &self,
        table: &TableName,
        columns: &[StagingColumn],
        spec: &StagingSpec,
    ) -> Result<(), RedshiftError> {
        let like = match self.columns(&spec.table).await?.as_slice() {
            live if live == columns => {
                format!("CREATE TABLE {} (LIKE {})", dialect::table(table), dialect::table(&spec.table))
            }
            _ => dialect::create(table, columns),
        };
        let doing = format!("create the staging table of {}", spec.table);
        self.ask::<1>(Batch::new(doing, format!("{} create", spec.load)).then(like)).await.map(drop)
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
        let prefix = prefix_of(manifest);
        look_at_parts(manifest, &prefix, stage).await?;
        let key = format!("{prefix}redshift.json");
        fail_point!("staging.manifest.before");
        write(&key, manifest, stage).await?;
        fail_point!("staging.manifest.after");
        let url = url(stage, &key);
        let copy = dialect::copy(&Copy {
            into,
            columns: &manifest.columns,
            manifest: &url,
            compression: manifest.compression,
            null: manifest.null.as_deref().unwrap_or_default(),
            role: &self.options.copy_role,
            region: self.options.stage_region.as_deref(),
        });
        fail_point!("staging.copy.before");
        // The session's own count: by the Data API only within one batch.
        let batch = Batch::new(format!("copy into {}", spec.table), format!("{} copy", spec.load))
            .then(copy)
            .then("SELECT pg_last_copy_count()::varchar");
        let [_, count] = match self.ask(batch).await {
            Ok(answers) => answers,
            Err(error) => return Err(self.why(&spec.table, &self::url(stage, &prefix), error).await),
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

/// Where a load's objects lie, by the key of its first part.
fn prefix_of(manifest: &Manifest) -> String {
    let key = manifest.parts.first().map(|part| part.key.as_str()).unwrap_or_default();
    key.rsplit_once('/').map_or_else(String::new, |(prefix, _)| format!("{prefix}/"))
}

fn url(stage: &SharedStage, key: &str) -> String {
    format!("{}/{key}", stage.url().trim_end_matches('/'))
}

/// Asks the stage for each part's size just before they are read by somebody else than us.
async fn look_at_parts(manifest: &Manifest, prefix: &str, stage: &SharedStage) -> Result<(), RedshiftError> {
    let objects = stage.list(prefix).await?;
    for part in &manifest.parts {
        let found = objects.iter().find(|object| object.key == part.key).map(|object| object.bytes);
        if found != Some(part.bytes) {
            let found = found.map_or_else(|| "no".to_owned(), |bytes| bytes.to_string());
            return Err(RedshiftError::Part { key: part.key.clone(), expected: part.bytes, found });
        }
    }
    Ok(())
}

/// The manifest in Redshift's form ("Using a manifest to specify data files"): a part that is missing is
/// an error, which it would not be by default.
async fn write(key: &str, manifest: &Manifest, stage: &SharedStage) -> Result<(), RedshiftError> {
    let entry = |part: &crate::stage::manifest::Part| json!({"url": url(stage, &part.key), "mandatory": true, "meta": {"content_length": part.bytes}});
    // A part without rows is no CSV of one empty line, and nothing is missed without it.
    let entries: Vec<_> = manifest.parts.iter().filter(|part| part.rows > 0).map(entry).collect();
    let mut upload = stage.put(key).await?;
    upload.write(Bytes::from(json!({"entries": entries}).to_string())).await?;
    Ok(upload.finish().await?)
}
