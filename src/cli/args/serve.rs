//! What `serve`, `healthcheck` and `schedules` take.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Subcommand, ValueEnum};

use crate::{config, run};

/// What `serve` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// Where it can be asked how it is.
    #[command(flatten)]
    pub(in crate::cli) listen: Listen,

    /// How long a stop may take: what is under way ends within this time, or is left for the next service
    #[arg(long, value_name = "TIME", env = "BARNCAT_STOP_TIMEOUT", default_value = "25s", value_parser = stop_timeout)]
    #[arg(hide_env_values = true)]
    pub(in crate::cli) stop_timeout: Duration,

    /// Write figures for alarms to stdout once a minute: none, or emf (CloudWatch's embedded metric format)
    #[arg(long, value_name = "FORMAT", env = "BARNCAT_METRICS", default_value = "none")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(in crate::cli) metrics: Metrics,

    /// How many tasks of a run at once
    #[arg(long, value_name = "N", default_value_t = run::JOBS, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) jobs: u32,
}

/// How figures are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Metrics {
    /// Not at all.
    None,
    /// For CloudWatch Logs.
    Emf,
}

/// Where the service listens.
#[derive(Debug, Args)]
pub(in crate::cli) struct Listen {
    /// Where the service listens; off loopback BARNCAT_TOKEN must be set
    #[arg(long = "listen", value_name = "ADDRESS", env = "BARNCAT_LISTEN", default_value = "127.0.0.1:8080")]
    #[arg(hide_env_values = true)]
    pub(in crate::cli) address: SocketAddr,
}

/// What `schedules` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct SchedulesArgs {
    /// What is done, if not just listed.
    #[command(subcommand)]
    pub(in crate::cli) command: Option<SchedulesCommand>,
}

/// What is done with a schedule.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SchedulesCommand {
    /// Let a schedule tick no more, until it is resumed; what runs goes on
    Pause {
        /// The schedule
        name: String,
        /// Why; whoever looks is told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let it tick again; what would have ticked meanwhile is not made up for
    Resume {
        /// The schedule
        name: String,
    },
}

/// Nobody waits longer: ECS kills a container after two minutes at most.
const STOP_TIMEOUT_MAX: Duration = Duration::from_secs(120);

fn stop_timeout(text: &str) -> Result<Duration, String> {
    match config::duration(text) {
        Some(time) if time >= Duration::from_secs(1) && time <= STOP_TIMEOUT_MAX => Ok(time),
        Some(_) => Err("it is from a second to two minutes".to_owned()),
        None => Err("a time is written `25s`, `2 minutes`".to_owned()),
    }
}

pub(super) const SERVE_HELP: &str = "\
Runs the project's [schedules], looks at deadlines and sends alerts when nothing runs, and answers \
/healthz and /readyz. Any number may run: one leads, and another takes over within 15 seconds of its \
death. Waits for databases that are down. SIGTERM stops it: no other task begins, those under way have \
--stop-timeout, and the next service goes on with what is left. SIGHUP reads the project again. \
docs/SERVICE.md tells the rest.

Examples:
  barncat serve
  barncat serve --listen 0.0.0.0:8080 --log-format json    # in a container, with BARNCAT_TOKEN
  barncat serve --log-format json --metrics emf            # figures for CloudWatch's alarms
  barncat serve --output jsonl > events.jsonl              # what happens in its runs, as it happens
  barncat schedules                                        # when it runs what next";

pub(super) const HEALTHCHECK_HELP: &str = "\
Exits 0 if the service that listens on this machine goes round, 1 if not. Reads no project.

Examples:
  barncat healthcheck
  HEALTHCHECK CMD [\"barncat\", \"healthcheck\"]    # in a Dockerfile";

pub(super) const SCHEDULES_HELP: &str = "\
Examples:
  barncat schedules
  barncat schedules pause hot --reason 'the source is being mended'
  barncat schedules resume hot";
