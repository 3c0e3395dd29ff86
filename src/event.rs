//! What happened in a run, as plain data.
//!
//! Events only tell: losing one may lose a progress line, never a fact. Truth is written by awaited
//! calls (control database, ledger). The outcomes are what `run --output json` prints.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{error::Failure, schema::CursorRange};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The run has begun.
    RunStarted {
        /// The run's id.
        run: String,
        /// `production` or `test`.
        mode: String,
        /// Host and database of the warehouse.
        place: String,
        /// The schemas that are written to.
        schemas: Vec<String>,
        /// All tasks, in the order in which they will start.
        tasks: Vec<String>,
    },
    /// An attempt at a task has begun.
    TaskStarted {
        /// The task's full name.
        task: String,
        /// Its tier.
        tier: Tier,
        /// `full`, `append`, `merge`.
        strategy: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// The rows that are expected, for the share done.
        rows_expected: Option<u64>,
    },
    /// A backfill has begun with one of its chunks.
    ChunkStarted {
        /// The task's full name.
        task: String,
        /// The chunk's number, from 1.
        chunk: u32,
        /// How many there are.
        chunks: u32,
        /// Rows that this process has read for the chunks before.
        rows_before: u64,
    },
    /// A task has got further.
    TaskProgress {
        /// The task's full name.
        task: String,
        /// What it does now.
        step: Step,
        /// Rows extracted so far.
        rows: u64,
        /// Bytes extracted so far, before compression.
        bytes: u64,
    },
    /// An attempt failed and there will be another.
    TaskRetry {
        /// The task's full name.
        task: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// How many there are at most.
        attempts_max: u32,
        /// When the next one begins.
        next_in_seconds: f64,
        /// Why.
        failure: Failure,
    },
    /// An attempt has taken as long as its soft limit, and goes on.
    TaskSlow {
        /// The task's full name.
        task: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// The limit: `warn_after`.
        warn_after_seconds: f64,
    },
    /// Something that people should know and that stops nothing.
    Warning {
        /// The task's full name, where it is about one.
        task: Option<String>,
        /// A sentence.
        message: String,
    },
    /// A task has ended.
    TaskFinished(Box<TaskOutcome>),
    /// The run has ended.
    RunFinished(Box<RunOutcome>),
}

/// What a load is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Waits for a lock or a slot.
    Waiting,
    /// Waits for connections that other tasks have, to the source or to the warehouse.
    AwaitingConnection,
    /// Has its connections; what it does now is not counted in rows.
    Working,
    /// Reads the source (and fills the staging table side by side).
    Extracting,
    /// Fills what is left.
    Filling,
    /// Builds keys, waits for locks, commits.
    Publishing,
    /// Compares source and warehouse.
    Comparing,
}

/// How important a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Tier {
    /// Operations depend on it.
    Critical,
    /// Everything else.
    #[default]
    Optional,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum RunStatus {
    /// Every task is done.
    Succeeded,
    /// Every critical task is done, some optional one is not.
    Degraded,
    /// A critical task failed; where the selection has none: any task.
    Failed,
    /// Stopped by SIGINT or SIGTERM.
    Cancelled,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum TaskStatus {
    /// Published.
    Succeeded,
    /// The same as what is published already; nothing was published.
    Unchanged,
    /// Its last attempt failed.
    Failed,
    /// Something it needs failed.
    Blocked,
    /// Somebody else holds its lock, or a person put it on hold.
    Held,
    /// Not run, by a setting.
    Skipped,
    /// Stopped by SIGINT or SIGTERM.
    Cancelled,
}

/// How a run went: the one object that `run --output json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// The run's id.
    pub run: String,
    /// `production` or `test`.
    pub mode: String,
    /// How it ended.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// Its tasks, in the order in which they ended.
    pub tasks: Vec<TaskOutcome>,
    /// What people should know and that is about no task's data: hooks that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How deadlines stand that it had to do with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines: Vec<DeadlineOutcome>,
}

/// How a deadline stands at a run's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlineOutcome {
    /// The task's full name.
    pub task: String,
    /// By when it must be done.
    pub due_at: Timestamp,
    /// When it was; `None`: it is not.
    pub ready_at: Option<Timestamp>,
    /// The same for people, in the project's time zone.
    pub words: String,
}

/// How a task went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskOutcome {
    /// Its full name, `schema.table`.
    pub task: String,
    /// `load`, `verify`; later `model`, `check`, `command`.
    pub kind: String,
    /// Its tier.
    pub tier: Tier,
    /// How it ended.
    pub status: TaskStatus,
    /// How many attempts were made; 0 where none was.
    pub attempts: u32,
    /// `full`, `append`, `merge`.
    pub strategy: Option<String>,
    /// Why it was done this way: `the schema changed: column \`tip\` was added`.
    pub reason: Option<String>,
    /// `swap`, `replace`, `insert` or `merge`.
    pub publish: Option<String>,
    /// Rows of the load; of new rows alone those that were written.
    pub rows: Option<u64>,
    /// Rows below the watermark of before that it caught; `None` for whole loads.
    #[serde(default)]
    pub late_rows: Option<u64>,
    /// Bytes of the load in the stage.
    pub bytes: Option<u64>,
    /// How long it took, all attempts together.
    pub seconds: f64,
    /// The load's id.
    pub load: Option<String>,
    /// The moment that its rows show.
    pub as_of: Option<Timestamp>,
    /// The shared snapshot's id: tasks with the same one match each other.
    pub snapshot: Option<String>,
    /// How far the source was behind what it had received when that snapshot was taken.
    pub lag_seconds: Option<f64>,
    /// How far the cursor has been loaded.
    pub watermark: Option<String>,
    /// The hash of the source's schema, with its version.
    #[serde(default)]
    pub schema_hash: Option<String>,
    /// Of a sample, or made of one: how many rows each table gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
    /// Of a check or command: the fingerprint of how it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// What differs in it from the load before, in words, one by one.
    #[serde(default)]
    pub schema_changes: Vec<String>,
    /// What it took as it was last published, and why that was not brought up to date before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputTaken>,
    /// By which tasks it is blocked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// What people should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What its checks found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
    /// What `verify` found; `None` where it did not come to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Why it failed.
    pub error: Option<Failure>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// `not_null (rider_id)`; of a file its name.
    pub check: String,
    /// What that means.
    pub status: CheckStatus,
    /// Failing rows; `None` where it counts none.
    pub rows: Option<u64>,
    /// Of how many that it looked at, where that is known.
    pub of: Option<u64>,
    /// What it found, in words without any row's value.
    pub message: String,
    /// Whether it was asked of the staging table.
    pub before_publish: bool,
    /// What it held against the table's own history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    /// Some of the rows. Values of the table: kept and written nowhere but for who asks.
    #[serde(skip)]
    pub sample: Option<RowSample>,
}

/// A number that tells how a table is, and what is usual of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// `rows`, `bytes`, `duration`, `freshness`, `nulls`.
    pub what: String,
    /// A column; of `bytes` and `duration` `whole` or `new rows`, by what was loaded; else empty.
    pub of: String,
    /// The moment that the rows show.
    pub moment: Timestamp,
    /// Rows, bytes a row, seconds; of `nulls` their share, from 0 to 1.
    pub value: f64,
    /// Of `nulls`: of how many rows.
    pub of_rows: Option<f64>,
    /// The least that is expected; `None`: nothing is too little, or too little is known.
    pub low: Option<f64>,
    /// The most.
    pub high: Option<f64>,
    /// Whether it lies between these.
    pub found: Found,
    /// It has a new level since then, which is usual from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_since: Option<Timestamp>,
}

/// Where a measure lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Where it is expected, or too little is known.
    #[default]
    Normal,
    /// Below.
    Low,
    /// Above.
    High,
}

/// What the rows that a check found mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum CheckStatus {
    /// Nothing is wrong, or not enough of it.
    Passed,
    /// People are told.
    Warned,
    /// The check failed.
    Failed,
}

/// Some rows, as text, without what is private.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSample {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Never the values: what is logged must not tell them.
impl fmt::Debug for RowSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowSample(…)")
    }
}

/// A published table that a task took as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputTaken {
    /// The task that makes it.
    pub task: String,
    /// The moment that its rows show.
    pub as_of: Timestamp,
    /// How long before the task's start that was.
    pub age_seconds: u64,
    /// Why it was not brought up to date: `not of this run`, `failed`, `blocked`, `held`, `stopped`.
    pub because: String,
}

/// How a backfill went: the one object that `backfill --output json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackfillOutcome {
    /// The run's id.
    pub run: String,
    /// The backfill's id; the same when it is resumed.
    pub backfill: String,
    /// `production` or `test`.
    pub mode: String,
    /// The task's full name.
    pub task: String,
    /// How it ended; a cancelled or failed one can be resumed.
    pub status: TaskStatus,
    /// Its chunks, those of earlier runs too.
    pub chunks: Vec<BackfilledChunk>,
    /// How long this run took.
    pub seconds: f64,
    /// What people should know.
    pub warnings: Vec<String>,
    /// Why it failed.
    pub error: Option<Failure>,
}

/// A chunk of a backfill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackfilledChunk {
    /// Its number, from 1.
    pub number: u32,
    /// Its rows.
    #[serde(flatten)]
    pub range: CursorRange,
    /// How many the source had when the chunks were cut.
    pub rows_expected: u64,
    /// What came of it; `None`: it is not done.
    pub done: Option<ChunkOutcome>,
}

/// What came of a chunk. A number is `None` where the process that knew it died.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChunkOutcome {
    /// The load that brought it.
    pub load: String,
    /// Rows that the source had.
    pub rows_read: Option<u64>,
    /// Rows that were new or differed.
    pub rows_written: Option<u64>,
    /// Rows that the source did not have any more.
    pub rows_deleted: Option<u64>,
    /// Such rows that were left where they are.
    pub rows_kept: Option<u64>,
    /// How long it took.
    pub seconds: Option<f64>,
}

/// In what source and warehouse differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether they do not, but for rows that are kept.
    pub equal: bool,
    /// The moment of the source that the table was compared with.
    pub compared_with: Timestamp,
    /// Whether the table was compared as it was, without being brought up to that moment.
    pub as_is: bool,
    /// Rows of the source.
    pub source_rows: u64,
    /// Rows of the warehouse.
    pub warehouse_rows: u64,
    /// Rows that the source has and the warehouse has not.
    pub missing: u64,
    /// Rows that the warehouse has and the source has not.
    pub extra: u64,
    /// Of these, rows that stay: the loader keeps what is gone from the source.
    pub kept: u64,
    /// Rows of one key that have other values.
    pub different: u64,
    /// How many of the missing and the extra rows are of a key that both sides have.
    pub doubled: u64,
    /// Of these, extra rows: the warehouse has their key in more rows than the source.
    #[serde(default)]
    pub repeated: u64,
    /// Rows beyond the watermark, which count neither as missing nor as different.
    pub newer: u64,
    /// In how many of the different rows a column differs, where it does in any.
    pub columns: BTreeMap<String, u64>,
    /// Columns that are not compared, and why.
    pub not_compared: Vec<String>,
    /// Columns of which nobody can say whether they are equal, and why.
    #[serde(default)]
    pub not_comparable: Vec<String>,
    /// What was found before it was repaired, where it was.
    pub before_repair: Option<String>,
    /// Keys of the rows that differ. They are rows' values: kept and written nowhere but for who asked.
    #[serde(skip)]
    pub keys: DifferingKeys,
}

impl Verification {
    /// Whether rows are there twice beside some that are kept: no key takes one of two away, and made anew the
    /// table would not have those that are kept.
    pub fn is_stuck(&self) -> bool {
        self.repeated > 0 && self.kept > 0
    }
}

/// Keys of rows that differ, some of each kind, as text.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct DifferingKeys {
    /// Of missing rows.
    pub missing: Vec<KeyValues>,
    /// Of extra rows.
    pub extra: Vec<KeyValues>,
    /// Of different rows.
    pub different: Vec<KeyValues>,
}

/// A key's values, column by column.
pub type KeyValues = Vec<Option<String>>;

/// Never the values: what is logged must not tell them.
impl fmt::Debug for DifferingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DifferingKeys(…)")
    }
}

impl TaskOutcome {
    /// A load that has not ended yet: stopped, until something else is known.
    pub fn new(task: &str, tier: Tier) -> Self {
        Self {
            task: task.to_owned(),
            kind: "load".to_owned(),
            tier,
            status: TaskStatus::Cancelled,
            attempts: 0,
            strategy: None,
            reason: None,
            publish: None,
            rows: None,
            late_rows: None,
            bytes: None,
            seconds: 0.0,
            load: None,
            as_of: None,
            snapshot: None,
            lag_seconds: None,
            watermark: None,
            schema_hash: None,
            sample: None,
            definition: None,
            schema_changes: Vec::new(),
            inputs: Vec::new(),
            blocked_by: Vec::new(),
            warnings: Vec::new(),
            checks: Vec::new(),
            verification: None,
            error: None,
        }
    }
}
