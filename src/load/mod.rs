//! One load: a table brought from its source to the stage, and from there into the warehouse.
//!
//! [`load`] makes one attempt at one table; [`load_group`] one attempt at tables that must match each
//! other. Whoever calls decides about locks, retries and order (`run`). Rows always go through the
//! stage; nothing is published before the manifest is written and three counts of the rows agree:
//! the source's, the stream's, the staging table's.

mod adopt;
mod advice;
mod allowance;
mod asked;
mod attempt;
mod backfill;
mod chain;
mod changed;
mod clean;
mod compare;
mod compared;
mod connections;
mod decide;
mod error;
mod extract;
mod fill;
mod group;
mod marks;
mod measured;
mod missed;
mod new_rows;
mod progress;
mod replay;
mod restore;
mod sample;
mod schema_change;
mod service;
mod slots;
mod tidy;
mod unfit;
mod verify;
mod work;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::{
    adopt::{Adoption, adopt, plan_adopt},
    advice::{Advice, LateRows},
    allowance::SharedAllowance,
    attempt::load,
    backfill::{
        BackfillError, BackfillPlan, Chunk, Pace, Wish, load_chunk, plan_backfill, refuse_if_changed,
    },
    changed::{has_another_schema, is_rewritten},
    clean::{Broom, Leftovers, PastKeep, Staged},
    compare::{Comparison, Looks, compare},
    connections::{Beginning, Connections},
    decide::{Decision, Forecast, decide, forecast, is_superseded, selection, wishes},
    error::LoadError,
    group::load_group,
    new_rows::NewRows,
    replay::{ask_again, replay},
    restore::{Restoration, Shelf, plan_restore, restorable, restore},
    sample::sample,
    slots::LeasedSlots,
    tidy::tidy,
    unfit::Misfit,
    verify::{Verified, Verify, in_words as verified_in_words, verify},
};
use crate::{
    check::Audit,
    compare::Key,
    config::{Keep, LoadSpec},
    control::Control,
    event::{CheckOutcome, Event, Tier},
    schema::Change,
    source::SharedSnapshots,
    sql::Dialect,
    stage::{SharedStage, manifest::Compression},
    warehouse::{PublishKind, Select, Warehouse},
};

/// What every load of a run works with.
pub struct Workshop {
    /// The project's name: the first part of every key in the stage.
    pub project: String,
    /// Its folder.
    pub folder: PathBuf,
    /// `production` or `test`: the second one.
    pub mode: String,
    /// The run's id.
    pub run: String,
    /// The stage.
    pub stage: SharedStage,
    /// The warehouse.
    pub warehouse: Arc<dyn Warehouse>,
    /// The control database.
    pub control: Control,
    /// The warehouse's connections, over all processes.
    pub warehouse_slots: LeasedSlots,
    /// Each source's shared snapshots, by the source's name.
    pub sources: BTreeMap<String, SharedSnapshots>,
    /// How much of each table's past stays in the stage.
    pub keep: Keep,
    /// How loads are published.
    pub publishing: Publishing,
    /// Where events go; losing one loses a progress line, never a fact.
    pub events: mpsc::Sender<Event>,
    /// Cancelled when the run should stop.
    pub cancel: CancellationToken,
}

impl Workshop {
    /// Whose SQL the warehouse speaks.
    pub fn dialect(&self) -> Dialect {
        self.warehouse.dialect()
    }
}

/// The warehouse's settings for publishing.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// Privilege → roles, for tables that are new.
    pub grants: BTreeMap<String, Vec<String>>,
    /// How long one wait for a lock may take.
    pub lock_timeout: Duration,
    /// How long locks are tried for in all.
    pub lock_wait: Duration,
    /// How long readers with older snapshots are waited for.
    pub snapshot_wait: Duration,
    /// How many connections fill one table, unless its loader says otherwise.
    pub fill_jobs: u32,
    /// How parts are compressed, unless the table's loader says otherwise.
    pub compression: Compression,
}

/// One try at one load.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What to load.
    pub spec: LoadSpec,
    /// Which attempt, from 1. Later ones read smaller parts, from a new snapshot.
    pub number: u32,
    /// Its tier: which connections it may take.
    pub tier: Tier,
    /// Told when it has them.
    pub beginning: Beginning,
    /// Bring all rows, and publish even what has not changed.
    pub full: bool,
    /// Publish although more rows vanished than `shrink_limit` allows.
    pub accept_shrink: bool,
    /// What is asked of the rows before they are published.
    pub audit: Option<Arc<Audit>>,
    /// Bring just these rows.
    pub repair: Option<Arc<Repair>>,
    /// Bring just this chunk of a backfill.
    pub chunk: Option<Arc<Chunk>>,
    /// Bring just what is asked again, and leave what the next load must remember as it is.
    pub mends: bool,
    /// The query whose rows are asked about, of a service's table that has one.
    pub work: Option<Arc<Select>>,
    /// Whether the table is compared with its source afterwards: rows that somebody took are to be told then.
    pub compared: bool,
    /// When the table's deadline is or was due, where it is not met.
    pub due_at: Option<Timestamp>,
}

impl Attempt {
    /// The first one, as it is where nothing else is asked for.
    pub fn of(spec: LoadSpec, tier: Tier) -> Self {
        Self {
            spec,
            number: 1,
            tier,
            beginning: Beginning::default(),
            full: false,
            accept_shrink: false,
            audit: None,
            repair: None,
            chunk: None,
            mends: false,
            work: None,
            compared: false,
            due_at: None,
        }
    }
}

/// Rows that are not as the source has them.
#[derive(Debug, Clone)]
pub struct Repair {
    /// Keys of rows to bring.
    pub mend: Vec<Key>,
    /// Keys of rows that the source does not have.
    pub gone: Vec<Key>,
    /// The live table's rows, as they were compared.
    pub counted: u64,
}

/// How an attempt went well.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The id of the load that the table shows now.
    pub load: String,
    /// Why it was done in this way.
    pub reason: String,
    /// How it was published; `None`: it equals what is published already.
    pub published: Option<PublishKind>,
    /// Its rows; of new rows alone those that were written.
    pub rows: u64,
    /// Rows below the watermark of before that it caught; `None` for whole loads.
    pub late_rows: Option<u64>,
    /// Rows that were gone from the source and were deleted or marked; `None` where the whole table was replaced.
    pub deleted_rows: Option<u64>,
    /// Rows of a backfill's chunk that the source does not have, left where they are.
    pub kept_rows: u64,
    /// Rows that were read of the source.
    pub read_rows: u64,
    /// How far the cursor has been loaded.
    pub watermark: Option<String>,
    /// The hash of the source's schema.
    pub schema_hash: String,
    /// What differs in it from the load before.
    pub schema_changes: Vec<Change>,
    /// Its bytes in the stage.
    pub bytes: u64,
    /// The moment that its rows show.
    pub as_of: Timestamp,
    /// The snapshot's id.
    pub snapshot: String,
    /// How far the source was behind.
    pub lag_seconds: Option<f64>,
    /// What was asked of the rows before they were published.
    pub checks: Vec<CheckOutcome>,
    /// What people should know.
    pub warnings: Vec<String>,
}
