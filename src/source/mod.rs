//! Where rows come from.
//!
//! A [`Source`] opens a [`Snapshot`]: one moment, which all parts of a table, and all tables that
//! share it, show. A part is a byte stream that ends explicitly: a broken connection is an error,
//! never an end. Knows nothing of stage or warehouse.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    compare::{Look, Side},
    error::{Failure, Fault},
    event::Tier,
    schema::{CsvForm, Cursor, CursorRange, Fields, RelationKind, TableSchema},
    sql::TableName,
    stage::manifest::{CollectionRef, Format},
};

pub mod http;
mod looks;
pub mod postgres;
mod shared;
mod slots;

pub use shared::SharedSnapshots;
pub use slots::{LocalSlots, Slot, Slots};

/// Any error of a source, with its class and hint.
pub type SourceError = Box<dyn Fault + Send + Sync>;

/// A source. Every method may be called in parallel.
#[async_trait]
pub trait Source: Send + Sync {
    /// Its name in the project.
    fn name(&self) -> &str;

    /// The relations of a schema that can be loaded, sorted by name.
    async fn tables(&self, schema: &str) -> Result<Vec<SourceTable>, SourceError>;

    /// How these tables hang together, as far as they are there.
    async fn related(&self, tables: &[TableName]) -> Result<Vec<Related>, SourceError>;

    /// The service behind it, where it has to be asked before there is a snapshot of a table.
    fn service(&self) -> Option<&http::Service> {
        None
    }

    /// Opens a snapshot of its own and holds it until the last clone of the `Arc` is dropped. `tier`: of the
    /// task that it is for, which may have to wait for connections.
    async fn open_snapshot(&self, tier: Tier) -> Result<Arc<dyn Snapshot>, SourceError>;
}

/// A relation of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    /// Its name there.
    pub name: TableName,
    /// Its size on disk (partitions together), 0 where it has none.
    pub bytes: u64,
    /// The planner's estimate of its rows; `None` where it was never analyzed.
    pub rows_estimate: Option<u64>,
}

/// How a table hangs together with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The table.
    pub table: TableName,
    /// What it is.
    pub kind: RelationKind,
    /// Its primary key; empty where it has none.
    pub key: Vec<String>,
    /// Its foreign keys that lead to tables that were asked about, in the order of their columns.
    pub references: Vec<ForeignKey>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The columns.
    pub columns: Vec<String>,
    /// The table whose rows they name.
    pub parent: TableName,
    /// Its columns.
    pub parent_columns: Vec<String>,
    /// No row is without it: none of its columns may be NULL.
    pub always: bool,
}

/// Which moment a snapshot shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The snapshot's id, unique over all: stands in the ledger.
    pub snapshot: String,
    /// When it was taken, by the source's clock. On a standby: the last replayed commit's time if
    /// it lags behind what it has received, else now.
    pub as_of: Timestamp,
    /// A log position that the snapshot surely has reached: read just before it was taken.
    pub lsn_floor: Option<u64>,
    /// A log position that the snapshot surely has not passed: read just after. Stands in the
    /// ledger; a later snapshot whose floor is below it is of a server that stands behind.
    pub lsn: Option<u64>,
    /// `pg_control_system().system_identifier`; positions compare only within one.
    pub system: Option<String>,
    /// How far the standby was behind what it had received.
    pub lag_seconds: Option<f64>,
}

/// One moment of a source. Every method may be called in parallel.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// Which moment.
    fn position(&self) -> &Position;

    /// Whether new streams can still join it: its session may have been ended by the server.
    fn is_alive(&self) -> bool;

    /// The server's version, as `server_version_num` has it: 150018 for 15.18.
    fn server_version(&self) -> u32;

    /// Whether it stands on connections that are kept for critical tasks: no other may keep it open.
    fn is_reserved(&self) -> bool;

    /// The same snapshot, read as a task of this tier may.
    fn for_tier(self: Arc<Self>, tier: Tier) -> Arc<dyn Snapshot>;

    /// What a service answered, where rows are made of that; `None`: of a database, which is asked in SQL. Only the
    /// latter picks rows by conditions, measures texts, cuts ranges by rows and can be compared.
    fn answers(&self) -> Option<&Answers> {
        None
    }

    /// How many rows a table has, where that is known without asking its server.
    async fn rows(&self, _table: &TableName) -> Result<Option<u64>, SourceError> {
        Ok(None)
    }

    /// Which fields a service's records have besides those of the columns, and which they lack; `None` where there are
    /// no records.
    async fn fields(&self, _table: &TableName) -> Result<Option<Fields>, SourceError> {
        Ok(None)
    }

    /// What is left out of the rows; known when all parts are read.
    fn left_out(&self) -> LeftOut {
        LeftOut::default()
    }

    /// What would be asked for a table from a value of its cursor on, in words; `None` of what is asked by itself.
    fn foreseen(&self, _table: &TableName, _since: Option<&str>) -> Option<String> {
        None
    }

    /// A table's schema at that moment.
    async fn describe(&self, table: &TableName) -> Result<TableSchema, SourceError>;

    /// How far a cursor reaches.
    async fn reach(&self, question: &ReachQuestion) -> Result<Reach, SourceError>;

    /// How many bytes of UTF-8 the longest of some texts has, each; 0 where there is none.
    async fn longest(&self, question: &LongestQuestion) -> Result<Vec<u64>, SourceError>;

    /// The range between two values as people write them, cut at a watermark; `None`: nothing can lie in
    /// it. Values that are none of the cursor's type are an error of class `usage`.
    async fn range(&self, question: &RangeQuestion) -> Result<Option<CursorRange>, SourceError>;

    /// How long a slice is where nobody says so.
    fn stride(&self) -> Stride {
        Stride::Rows(NonZeroU64::new(500_000).expect("it is not zero"))
    }

    /// Cuts a range into slices, by walking the cursor's index. Rows of one value are never parted, and
    /// the slices leave no gap.
    async fn slices(&self, question: &SliceQuestion) -> Result<Vec<Slice>, SourceError>;

    /// Splits a table into parts. An empty table has one part.
    async fn plan_parts(&self, extraction: &Extraction) -> Result<Vec<PartPlan>, SourceError>;

    /// Opens a part's stream. Waits for a free connection of the source's limit. All streams of a
    /// table that show files rewritten since `plan_parts` end in an error of class `passing`.
    async fn read(&self, part: &PartPlan) -> Result<Box<dyn PartStream>, SourceError>;

    /// Opens a table for comparing, as a load would read it. Waits for a free connection of the source's
    /// limit, and keeps it until the side is closed. Files rewritten meanwhile are an error as in `read`.
    async fn look(&self, look: Look) -> Result<Box<dyn Side>, SourceError>;
}

/// What a service answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The collections, the oldest first; none where nothing was asked yet.
    pub collections: Vec<CollectionRef>,
    /// The cursor's value from which on there are rows; `None`: there are all.
    pub since: Option<String>,
}

/// What is left out of a table's rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeftOut {
    /// How many records.
    pub count: u64,
    /// The first of them.
    pub records: Vec<LeftRecord>,
    /// Requests that failed for good.
    pub requests: Vec<LeftRequest>,
    /// The path by which pages lead on that no answer had: more may be there.
    pub unled: Option<String>,
}

/// A record that is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftRecord {
    /// The object in the stage that it stands in.
    pub answer: String,
    /// Its place there, from 1.
    pub record: u64,
    /// The column and what is wrong with it, without the value.
    pub reason: String,
}

/// A request that failed for good.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftRequest {
    /// The collection.
    pub collection: String,
    /// Its place there, from 0.
    pub query: u64,
    /// What was asked, without who asks.
    pub request: serde_json::Value,
    /// Why it failed.
    pub failure: Failure,
}

/// What is to be read of a table.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// The table.
    pub table: TableName,
    /// The table's columns that the expressions read: the role must be allowed to.
    pub columns: Vec<String>,
    /// SQL expressions, one a column of the load, each over the table's own columns.
    pub expressions: Vec<String>,
    /// Those of them of which only the SHA-256 is carried, as the expressions say too.
    pub hashed: Vec<String>,
    /// Which rows: a SQL condition, or all.
    pub condition: Option<String>,
    /// How rows are written.
    pub format: Format,
    /// How, where that is CSV.
    pub csv: CsvForm,
    /// The warehouse's types, one a column, where whoever reads has to know them.
    pub arrive_as: Vec<String>,
    /// Under how many numbers, from 0 on, the expressions count values: see [`PartStream::counts`].
    pub counted: usize,
    /// About how much of the relation one part covers, on the source's disk.
    pub part_bytes: u64,
    /// The condition is one that an index answers: one part, and no ranges of blocks.
    pub by_index: bool,
}

/// What is asked of a cursor.
#[derive(Debug, Clone)]
pub struct ReachQuestion {
    /// The table.
    pub table: TableName,
    /// Its cursor.
    pub cursor: Cursor,
    /// Which rows are loaded: a SQL condition, or all.
    pub condition: Option<String>,
    /// The snapshot's moment: values beyond it are no watermark. `None` takes any.
    pub now: Option<Timestamp>,
    /// A watermark, and how far before it [`Reach::low`] is to be.
    pub since: Option<(String, Duration)>,
}

/// How far a cursor reaches at the snapshot's moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The greatest value that can be a watermark; `None` where there is none.
    pub greatest: Option<String>,
    /// The value so far before the watermark; `None` where values are no times, or none was asked.
    pub low: Option<String>,
    /// Whether an index answers what is new: without one the whole table is read.
    pub indexed: bool,
    /// Whether no two rows have one value.
    pub unique: bool,
    /// Who sets it; `None` where that is not known, as of a view's column.
    pub set_by: Option<SetBy>,
    /// The table's oid: another one is another table, whatever its name.
    pub relation: u32,
    /// The file of its rows: another one after TRUNCATE, VACUUM FULL, CLUSTER and some kinds of ALTER.
    /// `None` where it has no rows of its own.
    pub file: Option<u32>,
    /// Whether it has no row that is loaded.
    pub empty: bool,
}

/// Who sets a column, as far as a catalog tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SetBy {
    /// A row trigger before each update, which names the column.
    Trigger(String),
    /// The same, but only before updates of some columns.
    TriggerOfSome(String),
    /// The server computes it from other columns.
    Generated,
    /// Its default, identity, or a trigger before inserts: for new rows only.
    Default,
    /// Whatever program writes the row.
    Writer,
}

/// Texts of a table that are to be measured.
#[derive(Debug, Clone)]
pub struct LongestQuestion {
    /// The table.
    pub table: TableName,
    /// Which rows: a SQL condition, or all.
    pub condition: Option<String>,
    /// SQL expressions over the table's own columns.
    pub texts: Vec<String>,
}

/// A range as people ask for it.
#[derive(Debug, Clone)]
pub struct RangeQuestion {
    /// The table.
    pub table: TableName,
    /// Its cursor.
    pub cursor: Cursor,
    /// The least value; `None`: whatever is least.
    pub from: Option<String>,
    /// The value before which it ends; `None`: it ends with the watermark.
    pub to: Option<String>,
    /// How far the cursor has been loaded: the range goes no further.
    pub watermark: String,
}

/// How a range is to be cut.
#[derive(Debug, Clone)]
pub struct SliceQuestion {
    /// The table.
    pub table: TableName,
    /// Its cursor.
    pub cursor: Cursor,
    /// Which rows are loaded: a SQL condition, or all.
    pub condition: Option<String>,
    /// The range.
    pub range: CursorRange,
    /// How long a slice is.
    pub stride: Stride,
    /// No more slices than these are answered.
    pub slices_max: u32,
}

/// How long a slice of a cursor's range is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// So many rows; more where they share a value.
    Rows(NonZeroU64),
    /// So long a time, in seconds; for a cursor of dates in whole days.
    Seconds(NonZeroU64),
}

/// A slice of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// From where to where.
    pub range: CursorRange,
    /// Rows of the snapshot in it.
    pub rows: u64,
}

/// One part that can be read: made by [`Snapshot::plan_parts`], meant for the same snapshot.
#[derive(Debug, Clone)]
pub struct PartPlan {
    /// Its place among the table's parts, from 0.
    pub number: u32,
    /// The table.
    pub table: TableName,
    /// What is read.
    pub what: PartOf,
    /// How rows are written.
    pub format: Format,
    /// How, where that is CSV.
    pub csv: CsvForm,
    /// Under how many numbers values are counted.
    pub counted: usize,
    /// About how much it covers, on the source's disk.
    pub bytes_estimate: u64,
}

/// What a part is made of.
#[derive(Debug, Clone)]
pub enum PartOf {
    /// A COPY.
    Copy {
        /// The whole statement.
        sql: String,
        /// The relation that is read (a partition's leaf), and its oid when the parts were planned.
        relation: (TableName, u32),
    },
    /// A service's answers, as they lie in the stage.
    Answers(Arc<AnswersPart>),
}

/// Which answers a part is made of, and what of their records.
#[derive(Debug, Clone)]
pub struct AnswersPart {
    /// Their places among all answers of the snapshot.
    pub answers: std::ops::Range<usize>,
    /// The columns, in their order.
    pub columns: Vec<String>,
    /// Those of which only the SHA-256 is carried.
    pub hashed: Vec<String>,
    /// The warehouse's types, one a column.
    pub arrive_as: Vec<String>,
}

/// A part on its way.
#[async_trait]
pub trait PartStream: Send {
    /// The next bytes with the rows that end in them, or `None` at the true end: the server has said
    /// that the COPY is complete, its own count of rows equals the stream's, and the files read are
    /// still those that were planned.
    async fn next(&mut self) -> Result<Option<Chunk>, SourceError>;

    /// What was counted under each number, by the part's expressions and in its rows; known at the true end.
    fn counts(&self) -> &[u64];
}

/// Some bytes of a part.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The bytes, as COPY sent them.
    pub bytes: Bytes,
    /// How many rows end in them.
    pub rows: u64,
}
