//! The command line: commands, flags, help. Reads nothing but its arguments and the variables that
//! stand for some of them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit;
use crate::run;

mod by_hand;
mod check;
mod clean;
mod holds;
mod incidents;
mod serve;

pub(super) use self::{
    by_hand::{AdoptArgs, BackfillArgs, ReplayArgs, RestoreArgs},
    check::CheckArgs,
    clean::CleanArgs,
    holds::{HoldArgs, ReleaseArgs},
    incidents::{AlertCommand, IncidentsArgs, IncidentsCommand},
    serve::{Listen, Metrics, SchedulesArgs, SchedulesCommand, ServeArgs},
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "barncat",
    version,
    about = "Copies tables from a Postgres read replica into a warehouse, each published atomically",
    after_help = "`barncat COMMAND --help` shows examples.",
    after_long_help = exit::EXPLANATION,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(super) struct CommandLine {
    /// What every command takes.
    #[command(flatten)]
    pub(super) global: Global,
    /// The command.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// The project's folder
    #[arg(long, global = true, value_name = "DIR", default_value = ".", hide_default_value = true)]
    pub(super) project: PathBuf,

    /// Read barncat.NAME.toml over barncat.toml
    #[arg(long, global = true, value_name = "NAME", env = "BARNCAT_ENV", hide_env_values = true)]
    pub(super) env: Option<String>,

    /// How stdout is written
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    #[arg(help = "How stdout is written: text or json; run, check, serve: jsonl; graph: mermaid, dot")]
    pub(super) output: OutputFormat,

    /// Tell more on stderr; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,

    /// Only warnings and errors on stderr
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,

    /// How log lines are written: text or json
    #[arg(long, global = true, value_name = "FORMAT", env = "BARNCAT_LOG_FORMAT")]
    #[arg(default_value = "text", hide_possible_values = true, hide_env_values = true)]
    pub(super) log_format: OutputFormat,
}

/// How something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// `run`, `check` and `serve` alone: what happens as it happens, one JSON object a line.
    #[value(hide = true)]
    Jsonl,
    /// `graph` alone: for Markdown that knows Mermaid.
    #[value(hide = true)]
    Mermaid,
    /// `graph` alone: for Graphviz.
    #[value(hide = true)]
    Dot,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a small working project
    #[command(after_help = "\
Examples:
  barncat init warehouse && cd warehouse && barncat validate")]
    Init {
        /// Where to; made if it is not there
        #[arg(value_name = "DIR", default_value = ".", hide_default_value = true)]
        dir: PathBuf,
    },

    /// Log in to everything and test each privilege, setting and clock that a run needs
    #[command(after_help = "\
Prints a line for each test: ok, warn or fail, with the SQL that mends it. Changes nothing that stays.
Exits 1 if a test failed.

Examples:
  barncat doctor
  barncat doctor --roles              # the SQL for the roles; connects to nothing
  barncat doctor --output json | jq '.tests[] | select(.status == \"fail\")'")]
    Doctor {
        /// Print the SQL that makes the roles to log in with, each with no more rights than it needs
        #[arg(long)]
        roles: bool,
    },

    /// Read the project and report every mistake; connects to nothing and needs no variables
    #[command(after_help = "\
Exits 2 if there is a mistake.

Examples:
  barncat validate
  barncat validate --env staging --output json")]
    Validate,

    /// List a source's tables, with the rows for loaders/
    #[command(after_help = "\
Shows size, key and the likely cursor of each table, and prints a row for each one that no file in
loaders/ names; with --write these rows are added to the source's file.

A service that answers over HTTP has no such list: with --path it is asked once, which counts against
its limits, and a row with columns, types and a likely key is made of the answer.

Examples:
  barncat discover shop
  barncat discover shop --write
  barncat discover shop --check       # in CI: exits 1 when a table is not listed
  barncat discover fx --path '/rates?day=2026-11-29' --records '$.rates[*]' --table fx_daily")]
    Discover {
        /// A source of the project
        source: String,
        /// A service: ask this path once, and make a row of the answer
        #[arg(long, value_name = "PATH", conflicts_with = "check")]
        path: Option<String>,
        /// Where records stand in the answer: a JSONPath; where the longest list is, if not given
        #[arg(long, value_name = "JSONPATH", requires = "path")]
        records: Option<String>,
        /// How the answer is written
        #[arg(long, value_name = "FORMAT", requires = "path", default_value = "json")]
        format: AnswerFormat,
        /// What the table is called; after the path, if not given
        #[arg(long, value_name = "NAME", requires = "path")]
        table: Option<String>,
        /// Add the rows that are missing to the source's file in loaders/
        #[arg(long, conflicts_with = "check")]
        write: bool,
        /// Print only tables that are not listed, and exit 1 if there is one
        #[arg(long)]
        check: bool,
    },

    /// Show the graph of the tasks: what needs what, which are critical, what decides how long a run takes
    #[command(after_help = "\
Tasks stand below what they need; a soft edge is drawn as ⇢. Times are those of the last runs.

Examples:
  barncat graph
  barncat graph +rider_payments           # with all that it needs
  barncat graph --output mermaid > graph.md
  barncat graph --output dot | dot -Tsvg > graph.svg")]
    Graph {
        /// Which tasks
        #[command(flatten)]
        selection: Selection,
    },

    /// Print the SQL that a model or check becomes
    #[command(after_help = "\
Examples:
  barncat compile rider_payments
  barncat compile rider_payments --mode test")]
    Compile {
        /// A model or check
        name: String,
        /// Where to write
        #[arg(
            long,
            value_name = "MODE",
            env = "BARNCAT_MODE",
            default_value = "production",
            hide_env_values = true
        )]
        mode: Mode,
    },

    /// Say why a table is as it is: stale, blocked, held, critical; walked back to the first cause
    #[command(after_help = "\
Examples:
  barncat why margins
  barncat why margins --output json")]
    Why {
        /// A task
        name: String,
    },

    /// Show what a run would do and why; connects, changes nothing
    #[command(after_help = "\
Examples:
  barncat plan
  barncat plan orders 'raw_shop.order_*'
  barncat plan --mode test --sample 100
  barncat plan --exit-code            # 10 when a schema change or a rebuild is ahead")]
    Plan {
        /// Which tasks.
        #[command(flatten)]
        selection: Selection,
        /// Exit 10 when a schema change or a rebuild is ahead
        #[arg(long)]
        exit_code: bool,
        /// Where a run would write: production, or test (the test schemas only)
        #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
        #[arg(hide_possible_values = true, hide_env_values = true)]
        mode: Mode,
        /// Plan a run of a sample: see `run --sample`
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        sample: Option<u32>,
    },

    /// Load tables and publish them, now
    #[command(
        after_help = "\
Examples:
  barncat run                         # everything
  barncat run orders customers        # only these, with what they need as it was last published
  barncat run +margins                # with all that it needs
  barncat run 'raw_shop.*' --exclude order_events
  barncat run --failed                # what failed last time
  barncat run --mode test             # into the test schemas only
  barncat run --mode test --sample 100
  barncat run --output json | jq .status
  barncat run --output jsonl | jq -c 'select(.event == \"task.finished\") | [.task, .outcome.status]'",
        after_long_help = RUN_HELP
    )]
    Run(RunArgs),

    /// Ask the checks now, and say what they find
    #[command(after_help = check::CHECK_HELP, after_long_help = check::CHECK_LONG_HELP)]
    Check(CheckArgs),

    /// Compare source and warehouse row by row, and say or mend what differs
    #[command(
        after_help = "\
Examples:
  barncat verify                      # everything
  barncat verify orders --keys        # with the keys of rows that differ
  barncat verify orders --repair      # mends what differs
  barncat verify --as-is              # compares only",
        after_long_help = VERIFY_HELP
    )]
    Verify(VerifyArgs),

    /// Take over tables that are there already, without loading them anew
    #[command(after_help = by_hand::ADOPT_HELP)]
    Adopt(AdoptArgs),

    /// Bring a range of a table again, in chunks that are each published at once
    #[command(after_help = by_hand::BACKFILL_HELP, after_long_help = by_hand::BACKFILL_LONG_HELP)]
    Backfill(BackfillArgs),

    /// Publish an earlier load of a table again, from the stage
    #[command(after_help = by_hand::RESTORE_HELP)]
    Restore(RestoreArgs),

    /// Make rows again of what a service answered, or send its failed requests again
    #[command(after_help = by_hand::REPLAY_HELP)]
    Replay(ReplayArgs),

    /// Let tasks keep their published data, for a time or until they are released
    #[command(after_help = holds::HOLD_HELP)]
    Hold(HoldArgs),

    /// Let tasks that are on hold be loaded again
    #[command(after_help = holds::RELEASE_HELP)]
    Release(ReleaseArgs),

    /// List what is wrong; say that somebody is at it; quiet it
    #[command(after_help = incidents::INCIDENTS_HELP)]
    Incidents(IncidentsArgs),

    /// Try the alert channels; send what waits
    #[command(subcommand, after_help = incidents::ALERT_HELP)]
    Alert(AlertCommand),

    /// Take away what lies about; with --removed, what is no longer in the project
    #[command(after_help = clean::CLEAN_HELP)]
    Clean(CleanArgs),

    /// Run the schedules, as a service that stays
    #[command(after_help = serve::SERVE_HELP)]
    Serve(ServeArgs),

    /// List the schedules with their next times; pause and resume them
    #[command(after_help = serve::SCHEDULES_HELP)]
    Schedules(SchedulesArgs),

    /// Ask the service on this machine whether it lives
    #[command(after_help = serve::HEALTHCHECK_HELP)]
    Healthcheck(Listen),

    /// Show what is running, and what is on hold
    #[command(after_help = "\
Examples:
  barncat status
  barncat status --output json")]
    Status,

    /// Show what ran, what it cost, and the load that each table shows
    #[command(after_help = "\
Examples:
  barncat history
  barncat history orders
  barncat history orders --rows       # with rows that its checks found")]
    History {
        /// Only this table
        table: Option<String>,
        /// How many lines at most
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Show some of the rows that the table's checks found: values of the table, without private columns
        #[arg(long, requires = "table")]
        rows: bool,
    },

    /// Print shell completions
    #[command(after_help = "\
Examples:
  source <(barncat completions bash)
  barncat completions zsh > ~/.zfunc/_barncat")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What `run` takes.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Which tasks.
    #[command(flatten)]
    pub(super) selection: Selection,

    /// Where to write: production, or test (the test schemas only)
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(super) mode: Mode,

    /// Load whole tables, whatever their strategy, and publish even what has not changed
    #[arg(long)]
    pub(super) full: bool,

    /// Publish although more rows vanished than `shrink_limit` allows
    #[arg(long, requires = "full")]
    pub(super) accept_shrink: bool,

    /// Only what did not end well the last time it was tried, and what never was
    #[arg(long)]
    pub(super) failed: bool,

    /// In test mode: so many rows a table, and all that they refer to, so that models still join
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) sample: Option<u32>,
    /// Go on with a run that did not come to its end: the last one, or RUN; what ended well is not done again
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with_all = ["failed", "full", "sample"])]
    pub(super) resume: Option<Option<String>>,

    /// How many tables at once
    #[arg(long, value_name = "N", default_value_t = run::JOBS, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) jobs: u32,

    /// Exit 1 if any task failed, an optional one too
    #[arg(long)]
    pub(super) strict: bool,
}

/// What `verify` takes.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Which tasks.
    #[command(flatten)]
    pub(super) selection: Selection,

    /// Compare the tables as they are, instead of bringing them up to the source's snapshot first
    #[arg(long, conflicts_with = "repair")]
    pub(super) as_is: bool,

    /// Mend what differs, by key or, where that cannot be, the whole table, and compare again
    #[arg(long)]
    pub(super) repair: bool,

    /// Show keys of rows that differ, up to 20 of each kind: these are values of the tables
    #[arg(long)]
    pub(super) keys: bool,

    /// Where to write: production, or test (the test schemas only)
    #[arg(long, value_name = "MODE", env = "BARNCAT_MODE", default_value = "production")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(super) mode: Mode,

    /// How many tables at once
    #[arg(long, value_name = "N", default_value_t = run::JOBS, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) jobs: u32,
}

/// Which tasks a command is about.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Tasks: a name, schema.name or a glob; none: all
    #[arg(value_name = "SELECT")]
    pub(super) select: Vec<String>,

    /// Not these; may be given more than once, or with commas
    #[arg(long, value_name = "SELECT", value_delimiter = ',')]
    pub(super) exclude: Vec<String>,
}

/// Where a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// The schemas of the project.
    Production,
    /// The test schemas, and nothing else.
    Test,
}

/// How a service's answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AnswerFormat {
    /// One JSON text.
    Json,
    /// One JSON text a line.
    Ndjson,
    /// CSV with a line of names.
    Csv,
}

impl From<AnswerFormat> for crate::source::http::Media {
    fn from(format: AnswerFormat) -> Self {
        match format {
            AnswerFormat::Json => Self::Json,
            AnswerFormat::Ndjson => Self::Ndjson,
            AnswerFormat::Csv => Self::Csv,
        }
    }
}

const RUN_HELP: &str = "\
Examples:
  barncat run                         # everything
  barncat run orders customers        # only these, with what they need as it was last published
  barncat run +margins                # with all that it needs
  barncat run 'raw_shop.*' --exclude order_events
  barncat run --failed                # what failed last time
  barncat run --mode test             # into the test schemas only
  barncat run --mode test --sample 100
  barncat run --output json | jq .status

Exit status:
    0  every critical task is done (where the selection has none: every task); a degraded run,
       where only optional tasks failed, is 0 with a warning, unless --strict
    1  a critical task failed
    2  the command line or the project is wrong; nothing was started
    3  all selected tasks were held; nothing was done
  130  stopped by SIGINT
  143  stopped by SIGTERM";

const VERIFY_HELP: &str = "\
Each table is brought up to one snapshot of its source, as `run` would do it, and then compared with \
that same snapshot, under the table's lock: every row, by hashes that the two servers make of its \
text. Only counts are shown; the keys of rows that differ are rows' values, shown with --keys alone.

With --as-is nothing is loaded. What changed in the source since the last load counts as a difference \
then, except for rows beyond the watermark of a table that is loaded by a cursor.

Examples:
  barncat verify                      # everything
  barncat verify orders --keys        # with the keys of rows that differ
  barncat verify orders --repair      # mends what differs
  barncat verify --as-is              # compares only
  barncat verify --output json | jq '.tasks[] | select(.verification.equal | not)'

Exit status:
    0  all tables equal their sources (after --repair too), but for rows that are kept
    1  a table differs, or could not be compared
    2  the command line or the project is wrong; nothing was started
    3  all selected tasks were held; nothing was done
  130  stopped by SIGINT
  143  stopped by SIGTERM";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn excluded_tasks_never_swallow_selected_ones() {
        let line = CommandLine::try_parse_from(["barncat", "run", "--exclude", "a,b", "orders"])
            .expect("a valid command line");
        let Command::Run(run) = line.command else { panic!("not a run: {:?}", line.command) };
        assert_eq!(run.selection.exclude, ["a", "b"]);
        assert_eq!(run.selection.select, ["orders"]);
    }
}

#[cfg(test)]
mod guides;
