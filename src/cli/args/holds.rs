//! What `hold` and `release` take.

use std::time::Duration;

use clap::Args;

use super::Mode;
use crate::config;

/// What `hold` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct HoldArgs {
    /// Tasks: a name, schema.name or a glob
    #[arg(value_name = "NAME", required = true)]
    pub(in crate::cli) names: Vec<String>,

    /// For so long: 12h, 30 minutes; without it until they are released
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    pub(in crate::cli) span: Option<Duration>,

    /// Why; whoever meets the hold is told
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,

    /// Which tasks: those of production, or of test
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,
}

/// What `release` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReleaseArgs {
    /// Tasks: a name, schema.name or a glob
    #[arg(value_name = "NAME", required = true)]
    pub(in crate::cli) names: Vec<String>,

    /// Which tasks: those of production, or of test
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) mode: Mode,
}

/// A hold for longer is one until it is released.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

pub(super) fn span(text: &str) -> Result<Duration, String> {
    match config::duration(text) {
        Some(span) if !span.is_zero() && span <= LONGEST => Ok(span),
        Some(_) => Err("it is longer than nothing, and at most ten years".to_owned()),
        None => Err("a time is written `12h`, `30 minutes`, `2d`".to_owned()),
    }
}

pub(super) const HOLD_HELP: &str = "\
A task on hold keeps its published data: runs leave it alone and say so. What is being loaded just
now is still published. A table that must match one on hold (`consistent`) is held with it.

Examples:
  barncat hold orders --for 12h --reason 'the source is being mended'
  barncat hold 'raw_shop.order_*'
  barncat release orders";

pub(super) const RELEASE_HELP: &str = "\
Examples:
  barncat release orders
  barncat release '*'";
