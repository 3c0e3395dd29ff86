//! Where tables are published, and the ledger that says which load each of them shows.
//!
//! One trait, [`Warehouse`], and the handle it gives for one load, [`Staging`]. Methods are coarse:
//! the implementation decides what is eager and what is one transaction. On Postgres with
//! `COPY … FREEZE` fill, audit and publish are one transaction on one connection; on Redshift the
//! fill is one COPY after the manifest. Nothing here decides *whether* or *how* to publish: that is
//! `publish::decide`, handed over as one [`Publication`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

mod fenced;
mod ledger;
pub mod postgres;
pub mod redshift;
mod select;
#[cfg(test)]
pub(crate) mod testing;
mod wanted;

pub use self::{
    fenced::{Fenced, MayWrite, Outside},
    ledger::{InputUsed, LedgerRow, Lineage, State},
    postgres::PostgresWarehouse,
    redshift::RedshiftWarehouse,
    select::{NameOf, Select, TextRows},
    wanted::Wanted,
};
pub use crate::schema::Abilities;
use crate::{
    compare::{Look, Side},
    error::Fault,
    schema::{Cursor, Layout, RelationKind},
    sql::{Dialect, TableName},
    stage::{
        SharedStage,
        manifest::{Compression, Format, Manifest, Part},
    },
};

/// Any error of a warehouse, with its class and hint.
pub type WarehouseError = Box<dyn Fault + Send + Sync>;

/// A warehouse. Every method may be called in parallel.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Host and database, for people. Holds no secret.
    fn place(&self) -> String;

    /// Whose SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Makes the schemas and the ledger that are missing, under a lock, so that two processes may
    /// do it at once. Does nothing the second time.
    async fn prepare(&self) -> Result<(), WarehouseError>;

    /// What must be known to map types: version, the extension types that are there.
    async fn abilities(&self) -> Result<Abilities, WarehouseError>;

    /// The last published load of each table that has one.
    async fn last_loads(&self) -> Result<BTreeMap<TableName, LedgerRow>, WarehouseError>;

    /// The last published load of one table.
    async fn last_load(&self, table: &TableName) -> Result<Option<LedgerRow>, WarehouseError>;

    /// Which of these loads are published.
    async fn published_among(&self, loads: &[String]) -> Result<BTreeSet<String>, WarehouseError>;

    /// Whether a load is published: asked after the answer to a COMMIT was lost. Waits until a
    /// COMMIT of it that is still under way has ended.
    async fn is_published(&self, load: &str) -> Result<bool, WarehouseError>;

    /// The watermark of the newest published load of a table that followed `base` (or is it) and shows
    /// `as_of` or an earlier moment; that of `base` itself where none is so old.
    async fn watermark_before(
        &self,
        table: &TableName,
        base: &str,
        as_of: Timestamp,
    ) -> Result<Option<String>, WarehouseError>;

    /// All published loads of a table, the newest first.
    async fn loads(&self, table: &TableName) -> Result<Vec<LedgerRow>, WarehouseError>;

    /// What the published ones among `loads` stand on, and besides what every restored state of the table
    /// does; the newest first.
    async fn lineage(&self, table: &TableName, loads: &[String]) -> Result<Vec<Lineage>, WarehouseError>;

    /// The live table, or `None` where there is none.
    async fn live(&self, table: &TableName) -> Result<Option<LiveTable>, WarehouseError>;

    /// How a live table is laid out, as far as that is known; nothing where a warehouse of this kind has no
    /// such thing.
    async fn layout(&self, _table: &TableName) -> Result<Layout, WarehouseError> {
        Ok(Layout::default())
    }

    /// What else than a table has the name that a new table would get: `sequence`; `None`: it is free,
    /// or names of other things do not matter here.
    async fn name_taken(&self, _table: &TableName) -> Result<Option<String>, WarehouseError> {
        Ok(None)
    }

    /// What must be known of a table that somebody else made, before it is taken over; `None` where there
    /// is none. `key`: the columns by which its rows would be known.
    async fn survey(&self, table: &TableName, key: &[String]) -> Result<Option<Survey>, WarehouseError>;

    /// How many rows a table has, but for those with a value in `mark`, and its greatest value of a cursor
    /// that is no greater than the one given.
    async fn reach(
        &self,
        table: &TableName,
        mark: Option<&str>,
        cursor: Option<(&Cursor, &str)>,
    ) -> Result<(u64, Option<String>), WarehouseError>;

    /// Takes a table over: writes its first row into the ledger, if it still has these columns and no other
    /// row was written. Touches no row of it.
    async fn adopt(&self, row: &LedgerRow, columns: &[StagingColumn]) -> Result<(), WarehouseError>;

    /// Opens a live table for comparing, at one moment. Until the side is closed, nothing can be
    /// published to the table.
    async fn look(&self, look: Look) -> Result<Box<dyn Side>, WarehouseError>;

    /// The columns of a table made of a SELECT. Reads no row, and leaves nothing behind.
    async fn describe(&self, select: &Select) -> Result<Vec<StagingColumn>, WarehouseError>;

    /// What SELECTs answer whose columns are all texts, in their order. On Postgres nothing is written, whatever
    /// functions they call.
    async fn answers(&self, selects: &[Select]) -> Result<Vec<TextRows>, WarehouseError>;

    /// Makes a view of a SELECT, or replaces it without a gap, and writes the ledger's row in the same
    /// transaction. As [`Staging::publish`] else; nothing is staged.
    async fn publish_view(
        &self,
        select: &Select,
        publication: Publication,
    ) -> Result<Published, WarehouseError>;

    /// Makes the empty staging table of one load and gives the handle that fills and publishes it.
    async fn open_staging(&self, spec: StagingSpec) -> Result<Box<dyn Staging>, WarehouseError>;

    /// Drops a published table or view for good; one that is not there is no error, one of another kind is.
    /// Refused where something depends on it.
    async fn remove(&self, table: &TableName, kind: RelationKind) -> Result<(), WarehouseError>;

    /// The staging tables that others can see: those of dead loads, and of loads that are filled by
    /// several connections.
    async fn staging_tables(&self) -> Result<Vec<StagingTable>, WarehouseError>;

    /// Drops staging tables (and tables swapped away) of loads that `is_dead` says are over.
    /// Returns their names.
    async fn sweep(
        &self,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<Vec<String>, WarehouseError>;
}

/// A staging table as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingTable {
    /// Its name.
    pub name: String,
    /// The load that it belongs to.
    pub load: String,
}

/// A load's staging table, from empty to published.
///
/// Dropped without `publish`, nothing of it is ever seen; what is left of the staging table, if
/// anything, is swept by the next run. Calls are one after the other: fill, then count and query,
/// then publish.
#[async_trait]
pub trait Staging: Send {
    /// Fills the staging table from parts as they become whole in the stage, each verified against
    /// its size and SHA-256 while it is read. `Ok(rows)` only after [`Fill::Done`] has come and the
    /// rows taken in equal the manifest's; a channel that closes before is an error.
    async fn fill(&mut self, parts: mpsc::Receiver<Fill>, stage: SharedStage) -> Result<u64, WarehouseError>;

    /// Fills the staging table with the rows of a SELECT, whose columns are the table's, in their order.
    /// Only of a staging table that was opened for it ([`Filling::Select`]).
    async fn fill_from(&mut self, select: &Select) -> Result<u64, WarehouseError>;

    /// Does an earlier load of new rows again upon what is filled: writes its rows, as its own publish
    /// did, and takes away those that were gone. From here on what is filled is committed.
    async fn apply(&mut self, delta: &Delta, stage: SharedStage) -> Result<(), WarehouseError>;

    /// The greatest value of a column of the staging table, as text.
    async fn greatest(&mut self, column: &str) -> Result<Option<String>, WarehouseError>;

    /// `count(*)` of the staging table but for marked rows, counted by the warehouse.
    async fn count(&mut self) -> Result<u64, WarehouseError>;

    /// The same of SELECTs over the staging table, whose name they are given. Keeps no lock on any other table.
    async fn answers(&mut self, selects: Selects<'_>) -> Result<Vec<TextRows>, WarehouseError>;

    /// Makes the staging table's rows the live ones and writes the ledger row, in one transaction.
    ///
    /// After `Ok` both are visible, after `Err` neither. A lost answer to COMMIT is resolved inside,
    /// by asking the ledger for the load's id. If the table's last load is not
    /// [`Publication::previous`] any more, nothing is published (class `passing`, "superseded").
    async fn publish(self: Box<Self>, publication: Publication) -> Result<Published, WarehouseError>;

    /// Gives the load up, and leaves the staging table for a look; answers with its name. After `Err` it may be
    /// there or not.
    async fn keep(self: Box<Self>) -> Result<String, WarehouseError>;

    /// Gives the load up and leaves nothing of it behind, as far as the connection allows.
    async fn discard(self: Box<Self>);
}

/// SELECTs over a table.
pub type Selects<'a> = &'a (dyn Fn(&TableName) -> Vec<Select> + Send + Sync);

/// What a fill is told.
#[derive(Debug, Clone)]
pub enum Fill {
    /// A part is whole in the stage.
    Part(Part),
    /// The manifest is written: nothing more comes.
    Done(Box<Manifest>),
}

/// A load of new rows, to be done again.
#[derive(Debug, Clone)]
pub struct Delta {
    /// What lies in the stage.
    pub manifest: Manifest,
    /// The columns of its rows, in their order.
    pub columns: Vec<StagingColumn>,
    /// Insert or merge, as it was published.
    pub kind: PublishKind,
    /// Since when rows that it found gone are marked so, in [`StagingSpec::mark`]; `None`: it deleted them.
    pub marked_at: Option<Timestamp>,
}

/// The staging table of one load.
#[derive(Debug, Clone)]
pub struct StagingSpec {
    /// The load's id: the staging table carries it in its name.
    pub load: String,
    /// The run's id: in the connections' `application_name`.
    pub run: String,
    /// The table it is for.
    pub table: TableName,
    /// Its columns, as the warehouse's SQL writes them.
    pub columns: Vec<StagingColumn>,
    /// A column beside them that no load brings: since when the source does not have the row.
    pub mark: Option<String>,
    /// The primary key; empty where there is none.
    pub key: Vec<String>,
    /// How it is laid out, where that is said; else as the live table.
    pub layout: Layout,
    /// Where its rows come from.
    pub filling: Filling,
}

/// Where a staging table's rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// From parts in the stage.
    Parts {
        /// How they are written.
        format: Format,
        /// How they are compressed.
        compression: Compression,
        /// How many connections fill at once. 1: fill and publish are one transaction, with FREEZE.
        jobs: u32,
    },
    /// From a SELECT in the warehouse.
    Select,
}

/// Comments on a table or view and its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Descriptions {
    /// Of the table.
    pub table: Option<String>,
    /// Of its columns, by name.
    pub columns: BTreeMap<String, String>,
}

impl Descriptions {
    /// That of the table alone, and those of its columns alone.
    pub fn apart(self) -> (Self, Self) {
        let of_table = Self { table: self.table, columns: BTreeMap::new() };
        (of_table, Self { table: None, columns: self.columns })
    }
}

impl StagingSpec {
    /// All columns of the table.
    pub fn all_columns(&self, dialect: Dialect) -> Vec<StagingColumn> {
        let mark = self.mark.iter().map(|name| StagingColumn::mark(name, dialect));
        self.columns.iter().cloned().chain(mark).collect()
    }
}

/// A column of a staging table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingColumn {
    /// Its name.
    pub name: String,
    /// Its type, in the warehouse's SQL.
    pub sql_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
}

impl StagingColumn {
    /// The one in which rows are marked that the source does not have any more.
    pub fn mark(name: &str, dialect: Dialect) -> Self {
        let sql_type = match dialect {
            Dialect::Postgres => "timestamp with time zone",
            Dialect::Redshift => "timestamptz",
        };
        Self { name: name.to_owned(), sql_type: sql_type.to_owned(), nullable: true }
    }
}

/// How rows are made the live ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishKind {
    /// Rename the old table away, rename the staging table in. Also where there is no old one.
    Swap,
    /// Delete and insert, in place.
    Replace,
    /// Some rows, in place: those whose key is new.
    Insert,
    /// Some rows, in place: those that are new or differ.
    Merge,
}

impl fmt::Display for PublishKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Swap => "swap",
            Self::Replace => "replace",
            Self::Insert => "insert",
            Self::Merge => "merge",
        })
    }
}

impl FromStr for PublishKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "swap" => Ok(Self::Swap),
            "replace" => Ok(Self::Replace),
            "insert" => Ok(Self::Insert),
            "merge" => Ok(Self::Merge),
            other => Err(format!("`{other}` is no way to publish")),
        }
    }
}

/// A decision to publish, with all that it needs.
#[derive(Debug, Clone)]
pub struct Publication {
    /// How.
    pub kind: PublishKind,
    /// What an insert or a merge needs beside, and a replace that deletes no row; `None`: the live rows
    /// become just those of the staging table.
    pub increment: Option<Increment>,
    /// The live table's column in which rows that are gone are marked; `None`: they are deleted.
    pub mark: Option<String>,
    /// The load that the decision stood on; `None` where the table had none.
    pub previous: Option<String>,
    /// The live table's columns that the decision stood on: a swap would lose what it has beside them by now.
    /// `None` where there was no such table.
    pub live_columns: Option<Vec<String>>,
    /// What is written to the ledger. `rows` must be the staging table's count.
    pub ledger: LedgerRow,
    /// Privilege → roles, given to a table that was not there before.
    pub grants: BTreeMap<String, Vec<String>>,
    /// What the comments on the table and its columns say from now on; others are carried over.
    pub descriptions: Descriptions,
    /// Drop views that cannot be kept, instead of refusing.
    pub drop_broken_views: bool,
    /// How long one wait for a lock may take; well below `deadlock_timeout`.
    pub lock_timeout: Duration,
    /// How long locks are tried for, all tries together.
    pub lock_wait: Duration,
    /// How long readers with older snapshots are waited for where FREEZE does not serve.
    pub snapshot_wait: Duration,
    /// Past `snapshot_wait`, publish all the same: the deadline is near, or over.
    pub deadline_near: bool,
}

/// What a publish of some rows needs beside the staging table.
#[derive(Debug, Clone)]
pub struct Increment {
    /// Columns that the live table gets first, in place.
    pub added: Vec<StagingColumn>,
    /// SQL over the live table's columns: the row lies at or below the watermark of before.
    pub late: Option<String>,
    /// Keys of rows that are gone from the source, as texts in the key's order.
    pub gone: Vec<Vec<String>>,
    /// Whether all that the staging table does not have is gone.
    pub is_whole: bool,
    /// Rows of the live table before, by the ledger; `None`: they are counted after it. That costs a look
    /// at all of them, and is right also where something else wrote to the table.
    pub table_rows: Option<u64>,
}

/// What a publish of some rows wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are new, or come again.
    pub inserted: u64,
    /// Rows that differed.
    pub updated: u64,
    /// Rows that went, or were marked.
    pub deleted: u64,
    /// Of the first two, those at or below the watermark of before.
    pub late: u64,
}

/// What a publish did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// When it was committed, by the warehouse's clock.
    pub at: Timestamp,
    /// How it was done in the end (a swap may turn into a replace, see `snapshot_wait`).
    pub kind: PublishKind,
    /// What was written; `None` where the live rows became just those of the staging table.
    pub written: Option<Written>,
    /// What people should know: views that were dropped, a reader that was not waited for.
    pub warnings: Vec<String>,
}

/// What must be known of a table before it is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Its owner.
    pub owner: String,
    /// SQL that its owner, or an administrator, must run first: without it nothing could be published.
    pub needed: Vec<String>,
    /// Who else may do what with it: `SELECT to bi`.
    pub grants: Vec<String>,
    /// Whether a unique index has just the key's columns.
    pub has_key: bool,
}

/// A table of the warehouse as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTable {
    /// What it is: only a plain table can be published to.
    pub kind: RelationKind,
    /// Its columns with types, as the warehouse's SQL writes them.
    pub columns: Vec<StagingColumn>,
    /// Its size on disk, with indexes.
    pub bytes: u64,
    /// Whether it is known to hold no row, as nothing of its rows is on disk.
    pub is_empty: bool,
    /// The sets of columns by which its rows are told apart, each sorted; `None` where a warehouse of this
    /// kind holds nobody to a key.
    pub keys: Option<Vec<Vec<String>>>,
    /// What a swap cannot carry over, in words for people; empty: a swap is safe.
    pub obstacles: Vec<String>,
    /// Views that read it, outermost first, as `schema.view`.
    pub views: Vec<String>,
    /// Of these, the ones that a swap has to make anew where the warehouse binds them to the table, so that
    /// leaving the table where it is keeps them for sure; empty: a swap carries them over.
    pub rebound: Vec<String>,
    /// What reads single columns: views outermost first, then policies and triggers.
    pub needs: Vec<ColumnNeed>,
}

/// Something that reads a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnNeed {
    /// The column.
    pub column: String,
    /// What reads it: of a view `schema.view`, else in words.
    pub needed_by: String,
    /// Whether that is a view.
    pub is_view: bool,
}

impl LiveTable {
    /// Its columns, but for one.
    pub fn columns_but(&self, name: Option<&str>) -> Vec<StagingColumn> {
        self.columns.iter().filter(|column| Some(column.name.as_str()) != name).cloned().collect()
    }

    /// Its columns' names.
    pub fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Whether it has a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// Whether no two of its rows can have these values in common.
    pub fn is_held_to(&self, key: &[String]) -> bool {
        let mut sorted = key.to_vec();
        sorted.sort_unstable();
        self.keys.as_ref().is_none_or(|keys| keys.contains(&sorted))
    }
}
