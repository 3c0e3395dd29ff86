//! What `incidents` and `alert` take.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::holds::span;

/// What `incidents` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct IncidentsArgs {
    /// What is done, if not just listed.
    #[command(subcommand)]
    pub(in crate::cli) command: Option<IncidentsCommand>,

    /// Those that are over, too
    #[arg(long)]
    pub(in crate::cli) all: bool,

    /// How many at most
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: u32,
}

/// What is done with an incident.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IncidentsCommand {
    /// Say that you are at it: it rings no more while it is open, unless what could wait cannot any more
    Ack {
        /// The incident's id, or the beginning of it
        id: String,
    },
    /// Want to hear nothing of a task or an incident for a time
    Mute {
        /// A task, or an incident's id, or the beginning of it
        #[arg(value_name = "TASK|ID")]
        what: String,
        /// For so long: 2h, 30 minutes
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        span: Duration,
    },
    /// Want to hear of it again
    Unmute {
        /// A task, or an incident's id, or the beginning of it
        #[arg(value_name = "TASK|ID")]
        what: String,
    },
}

/// What `alert` does.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AlertCommand {
    /// Send a message by each channel that is on, and its end; exits 1 if one is not taken
    Test {
        /// Only this one: slack, pagerduty, webhook, heartbeat
        #[arg(value_parser = ["slack", "pagerduty", "webhook", "heartbeat"])]
        channel: Option<String>,
    },
    /// Send what waits, as each run does at its end: for a cron of its own where runs are seldom
    Send,
}

pub(super) const INCIDENTS_HELP: &str = "\
An incident is one cause, from its opening to its recovery. Tasks that are blocked by it are a part of it.

Examples:
  barncat incidents
  barncat incidents --all --output json
  barncat incidents ack 01JD3
  barncat incidents mute fx_rates --for 2h";

pub(super) const ALERT_HELP: &str = "\
Examples:
  barncat alert test
  barncat alert test slack
  */5 * * * * barncat --quiet alert send    # in a crontab: alerts do not wait for the next run";
