//! What a person asks for by hand, of one table at a time.

use clap::Args;

use super::Mode;

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
