//! `check`.

use clap::Args;

use super::{Mode, Selection};
use crate::run;

/// What `check` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// Which tasks.
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,

    /// Show some of the rows that fail: these are values of the tables, without private columns
    #[arg(long)]
    pub(in crate::cli) rows: bool,

    /// Take what `anomalies` finds abnormal in the named tables for usual from now on
    #[arg(long)]
    pub(in crate::cli) accept: bool,

    /// Where to look: production, or test (the test schemas only)
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,

    /// How many checks at once
    #[arg(long, value_name = "N", default_value_t = run::JOBS, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) jobs: u32,
}

pub(super) const CHECK_HELP: &str = "\
Examples:
  barncat check                       # all checks
  barncat check orders                # those that look at this table
  barncat check raw_shop.orders.checks --rows
  barncat check orders --accept       # what `anomalies` found is usual from now on
  barncat check --exclude match_all --output json | jq '.tasks[].checks[]'";

pub(super) const CHECK_LONG_HELP: &str = "\
Asks the checks of the tables as they are published now; nothing is loaded. A table stands for the checks \
that look at it. What is found is told as after a run: incidents are opened and closed by it. No row's value is \
in any message; --rows shows some of the failing rows, without private columns. With --accept what `anomalies` finds \
abnormal in the named tables is usual from now on, and their history begins anew.

Examples:
  barncat check                       # all checks
  barncat check orders                # those that look at this table
  barncat check raw_shop.orders.checks --rows
  barncat check orders --accept       # what `anomalies` found is usual from now on
  barncat check --exclude match_all --output json | jq '.tasks[].checks[]'

Exit status:
    0  nothing was found, or only what warns
    1  a check of severity error failed, or could not be asked
    2  the command line or the project is wrong; nothing was started
    3  all selected checks were held; nothing was done
  130  stopped by SIGINT
  143  stopped by SIGTERM";
