//! What a person asks for by hand, of one table at a time.

use clap::Args;

use super::{super::backfill::PARTS, Mode};

/// What `restore` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The table
    pub(in crate::cli) table: String,

    /// The load whose state it is to show: its id, or as much of its beginning as is unique
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) load: String,

    /// Publish without asking
    #[arg(long)]
    pub(in crate::cli) yes: bool,

    /// Show what would be published, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(in crate::cli) dry_run: bool,

    /// Where to write: production, or test (the test schemas only)
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,
}

/// What `replay` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    /// The tables of services: names, schema.name or globs
    #[arg(value_name = "TABLE", required = true)]
    pub(in crate::cli) tables: Vec<String>,

    /// Make the rows of this load again: its id, or as much of its beginning as is unique; else of the last one
    #[arg(long, value_name = "ID", conflicts_with = "ask")]
    pub(in crate::cli) load: Option<String>,

    /// Send requests that failed again, and merge the rows that they bring
    #[arg(long)]
    pub(in crate::cli) ask: bool,

    /// Publish although more rows vanish than `shrink_limit` allows
    #[arg(long, conflicts_with = "ask")]
    pub(in crate::cli) accept_shrink: bool,

    /// Where to write: production, or test (the test schemas only)
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,
}

/// What `adopt` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct AdoptArgs {
    /// The tables: names, schema.name or globs
    #[arg(value_name = "TABLE", required = true)]
    pub(in crate::cli) tables: Vec<String>,

    /// Do not compare rows
    #[arg(long)]
    pub(in crate::cli) without_rows: bool,

    /// Take them over without asking
    #[arg(long)]
    pub(in crate::cli) yes: bool,

    /// Show what was found, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(in crate::cli) dry_run: bool,

    /// Where to write: production, or test (the test schemas only)
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,
}

pub(super) const ADOPT_HELP: &str = "\
For tables that something else has loaded so far. Columns, types, key and rows are compared with the \
source; where they fit, the table's first row is written into the ledger, and the next run goes on from \
there. No row of the table is touched. Rows may differ: they are counted, and a loader that compares keys \
brings or removes them with its next load.

Refused are tables whose columns are not just those that would arrive, that have no unique index on the \
key where one is needed, or that barncat's role may not change; the SQL that mends it is printed.

Examples:
  barncat adopt orders --dry-run
  barncat adopt 'raw_shop.*'
  barncat adopt order_events --without-rows --yes";

pub(super) const RESTORE_HELP: &str = "\
Publishes the state that a table had with an earlier load, from what lies in the stage; the source is not \
read. A load of new rows is put together of the last whole load before it and every load since. If \
anything of it is missing, it says what, and changes nothing.

The table is put on hold. After `barncat release` the next run goes on from there and brings it up to \
its source again.

Examples:
  barncat history orders              # the loads that can be restored
  barncat restore orders --load 01KB7Q4Z --dry-run
  barncat restore orders --load 01KB7Q4Z";

/// What `backfill` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackfillArgs {
    /// The table: one that is loaded by `append` or `merge`
    pub(in crate::cli) table: String,

    /// From this value of the cursor on; without it from the least
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(in crate::cli) from: Option<String>,

    /// Up to this value of the cursor, without it; not given: all that has been loaded
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(in crate::cli) to: Option<String>,

    /// How long a chunk is: a number of rows, or a span of time like 1d; 500000 rows if not given, of a service 30d
    #[arg(long, value_name = "CHUNK")]
    pub(in crate::cli) chunk: Option<String>,

    /// Delete rows that the source does not have, also where the loader has no `deletes = "detect"`
    #[arg(long)]
    pub(in crate::cli) delete: bool,

    /// Show the chunks, and change nothing
    #[arg(long, conflicts_with_all = ["resume", "restart"])]
    pub(in crate::cli) dry_run: bool,

    /// Go on with the table's unfinished backfill: only chunks that are not done
    #[arg(long, conflicts_with_all = ["from", "to", "chunk", "delete", "restart"])]
    pub(in crate::cli) resume: bool,

    /// Give the table's unfinished backfill up, and begin anew
    #[arg(long)]
    pub(in crate::cli) restart: bool,

    /// How many parts of a chunk are read at once
    #[arg(long, value_name = "N", default_value_t = PARTS, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(in crate::cli) jobs: u32,

    /// Read no faster than this
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) rows_per_second: Option<u64>,

    /// Where to write: production, or test (the test schemas only)
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,
}

pub(super) const BACKFILL_HELP: &str = "\
Examples:
  barncat backfill orders --from 2026-01-01 --to 2026-02-01 --chunk 1d --dry-run
  barncat backfill orders --from 2026-01-01 --to 2026-02-01 --chunk 1d
  barncat backfill events             # all that has been loaded, 500,000 rows at a time
  barncat backfill events --resume    # after it was stopped";

pub(super) const BACKFILL_LONG_HELP: &str = "\
Reads the rows whose cursor is in the range again, never beyond what the loads have loaded, and merges \
them into the table: rows that differ are written, rows that are equal are not. Each chunk is one load \
and published at once. The table's lock is held for one chunk at a time: a run that wants the table \
goes first. Rows whose cursor is NULL are left to the loads, which bring them each time.

The next load goes on with new rows as if no backfill had been.

Examples:
  barncat backfill orders --from 2026-01-01 --to 2026-02-01 --chunk 1d --dry-run
  barncat backfill orders --from 2026-01-01 --to 2026-02-01 --chunk 1d
  barncat backfill events             # all that has been loaded, 500,000 rows at a time
  barncat backfill events --resume    # after it was stopped
  barncat backfill events --output json | jq '.chunks[] | select(.done == null)'

Exit status:
    0  every chunk is done
    1  a chunk failed; --resume goes on with it
    2  the command line or the project is wrong; nothing was started
    3  others kept the table, or a backfill of it is under way
  130  stopped by SIGINT; --resume goes on with it
  143  stopped by SIGTERM; --resume goes on with it";

/// Shown by `replay --help`.
pub(in crate::cli) const REPLAY_HELP: &str = "\
Examples:
  barncat replay rates                # its rows again, of what the service answered for the last load
  barncat replay rates --load 01JD3   # the same of an earlier load
  barncat replay places --ask         # sends the requests that failed again";
