//! The ledger's rows: what is recorded of a publish, and what the next load takes from it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PublishKind;
use crate::{
    schema::{Fields, TableSchema, UnfitUse},
    sql::TableName,
};

/// One row of the ledger: one publish. Column by column in `sql/ledger/postgres.sql`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// The load's id (ULID); the primary key.
    pub load: String,
    /// The table.
    pub table: TableName,
    /// The load that this one follows; unique per table, which is the compare-and-set.
    pub previous: Option<String>,
    /// The project that published it: no other may publish the table.
    pub project: String,
    /// The run's id.
    pub run: String,
    /// `full`, `append`, `merge`; `restore`, `adopt`, `backfill`.
    pub strategy: String,
    /// How it was published.
    pub publish: PublishKind,
    /// The source's name in the project.
    pub source: String,
    /// The table there.
    pub source_table: TableName,
    /// The source's system identifier: positions compare only within one.
    pub system: Option<String>,
    /// The source's write-ahead log position of the snapshot.
    pub lsn: Option<u64>,
    /// The moment that the rows show.
    pub as_of: Timestamp,
    /// The shared snapshot's id: tables with the same one match each other.
    pub snapshot: String,
    /// The schema's hash with its version.
    pub schema_hash: String,
    /// The source's schema, canonical.
    pub schema: TableSchema,
    /// SHA-256 over the parts' SHA-256s, or `None` where there is no stage object behind it.
    pub content_hash: Option<String>,
    /// The manifest's key in the stage.
    pub manifest: Option<String>,
    /// Rows of the load.
    pub rows: u64,
    /// Bytes of the load in the stage.
    pub bytes: u64,
    /// How far the cursor has been loaded.
    pub watermark: Option<String>,
    /// Rows of the table with this load, but for those that are marked as deleted.
    pub table_rows: u64,
    /// Rows below the watermark of before that it caught; `None` for whole loads.
    pub late_rows: Option<u64>,
    /// Rows that were gone from the source, deleted or marked; `None` where all rows were replaced.
    pub deleted_rows: Option<u64>,
    /// What the next load must remember.
    pub state: State,
    /// When it was published; set by the warehouse.
    pub published_at: Option<Timestamp>,
}

impl LedgerRow {
    /// The strategy by which the loader keeps the table, whatever this publish was.
    pub fn loaders_strategy(&self) -> &str {
        if self.state.strategy.is_empty() { &self.strategy } else { &self.state.strategy }
    }

    /// What it stands on.
    pub fn lineage(&self) -> Lineage {
        let base = if self.state.base.is_empty() { &self.load } else { &self.state.base };
        Lineage { load: self.load.clone(), base: base.clone(), restored: self.state.restored.clone() }
    }
}

/// What a published load stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The load.
    pub load: String,
    /// [`State::base`].
    pub base: String,
    /// [`State::restored`].
    pub restored: Option<String>,
}

/// What the next load of a table must remember of this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The loader's own strategy, where the row's says how else it came: `restore`, `backfill`, `adopt`.
    /// Empty in rows of before that was known.
    pub strategy: String,
    /// SHA-256 over the loader's settings that decide which rows are loaded.
    pub definition: String,
    /// The source's system identifier.
    pub system: Option<String>,
    /// The source table's oid.
    pub relation: Option<u32>,
    /// The file of the source table's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<u32>,
    /// The last load that brought the whole table.
    pub base: String,
    /// The load that this one published again; `None` for all that a source was read for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<String>,
    /// The moment of the source that `base` shows.
    pub base_as_of: Option<Timestamp>,
    /// The moment of the source at which keys were last compared.
    pub compared_as_of: Option<Timestamp>,
    /// Whether what was being written when `base` was read has surely been looked at since.
    pub settled: bool,
    /// The table's column in which rows are marked that are gone from the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// Rows so marked that this load of the whole table left there: they do not lie in the stage.
    pub kept: u64,
    /// What stood for NULL in its CSV; `None`: nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<String>,
    /// SHA-256 of the load's manifest, in hex: what lies in the stage under its name can be something else later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<String>,
    /// How a service's records differed from the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// Values that the warehouse cannot hold, and what became of them in this load.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unfit: Vec<UnfitUse>,
    /// Of a sample, or made of one: how many rows each table gave; `None`: it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
    /// Columns that were added in place: older rows do not have their values yet.
    pub awaiting: Vec<String>,
    /// Of a model: the published tables that it was made of, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputUsed>,
}

/// A published table that a model was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputUsed {
    /// The load that it showed.
    pub load: String,
    /// The moment that its rows showed.
    pub as_of: Timestamp,
    /// It was used although it was not brought up to date as it should have been: how old it was, in
    /// seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_seconds: Option<u64>,
    /// Of a sample, or made of one: how many rows each table gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
}

impl State {
    /// That rows of before await a backfill, if they do.
    pub fn awaited(&self, table: &TableName) -> Option<String> {
        let columns = self.awaiting.join(", ");
        let what =
            format!("rows of before have no value of {columns} yet: `barncat backfill {table}` brings them");
        (!self.awaiting.is_empty()).then_some(what)
    }
}
