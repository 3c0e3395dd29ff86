//! What `clean` takes.

use clap::Args;

use super::Mode;

/// What `clean` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct CleanArgs {
    /// Drop tables, too, that this project published and none of its loaders names any more
    #[arg(long)]
    pub(in crate::cli) removed: bool,

    /// Drop them without asking
    #[arg(long, requires = "removed")]
    pub(in crate::cli) yes: bool,

    /// Show what would be taken away, and change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(in crate::cli) dry_run: bool,

    /// Where to clean: production, or test
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,
}

pub(super) const CLEAN_HELP: &str = "\
Takes away what crashes left (staging tables, unfinished uploads, objects of loads that were never \
published) and what is past `[stage] keep`. Runs do the same as they go. Nothing that a run is at work on is \
touched, and nothing that the two newest states of a table need.

With --removed, tables and views that the project published and that none of its loaders and models makes any \
more are listed and, after a yes, dropped with all that they have in the stage. One that a view or anything else \
depends on stays, and so does one on hold. A table that a wildcard still names has a loader, whether its source \
has it or not.

Examples:
  barncat clean --dry-run
  barncat clean
  barncat clean --removed
  barncat clean --removed --yes";
