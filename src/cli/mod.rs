//! The command line: the only place that prints.
//!
//! [`main`] reads the arguments, starts logging and the runtime, runs one command and gives its exit
//! status. Each command is one file. Data goes to stdout, everything else to stderr.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{CommandFactory, FromArgMatches};
use jiff::Timestamp;

use self::{
    args::{Command, CommandLine, Global, OutputFormat},
    complaint::Complaint,
    discover::Unlisted,
    exit::Exit,
    output::Output,
    screen::Screen,
    signals::{Signals, Stop},
};
use crate::{
    config::{Environment, Project},
    control::Control,
    dag, pg, quantity,
    run::{Mode, reach},
};

mod adopt;
mod alert;
mod args;
mod backfill;
mod check;
mod clean;
mod columns;
mod compile;
mod complaint;
mod completions;
mod confirm;
mod discover;
mod doctor;
mod exit;
mod graph;
mod history;
mod hold;
mod incidents;
mod init;
mod log;
mod names;
mod output;
mod plan;
mod progress;
#[cfg(test)]
pub(crate) mod reference;
mod replay;
mod restore;
mod run;
#[cfg(test)]
mod sample;
mod schedules;
mod screen;
mod serve;
mod signals;
mod status;
mod style;
mod summary;
mod usage;
mod validate;
mod verify;
mod why;

/// How many threads work on files, and resolve names.
const BLOCKING_THREADS: usize = 6;

/// How long the cancelling of statements may hold up the end of the process.
const SETTLE_MAX: Duration = Duration::from_secs(3);

/// The stack of a thread; what is not touched of it takes no memory.
const STACK_BYTES: usize = 8 << 20;

/// How long the end waits at most for what was dropped.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// What every command is given.
struct Context {
    /// The project's folder.
    project: PathBuf,
    /// The overlay's name.
    env: Option<String>,
    /// Where to write.
    output: Output,
    /// Whether a run shows live lines.
    live: bool,
    /// Cancelled when the command should stop.
    stop: Stop,
}

/// Runs the command that `arguments` name, the program's own name first. Returns the exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command_line = match parse(&arguments) {
        Ok(command_line) => command_line,
        // Also the way of --help and --version, which clap writes to stdout.
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() && wants_json(&arguments) {
                usage::print(&error);
            }
            return u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code());
        }
    };
    let CommandLine { global, command } = command_line;
    if let Some(what) = misplaced(&global, &command) {
        let _ = CommandLine::command().error(clap::error::ErrorKind::InvalidValue, what).print();
        return Exit::Usage.code();
    }
    // A service tells what it does in log lines, whoever looks.
    let stays = matches!(command, Command::Serve(_));
    let context = Context::new(global, stays);
    let exit = match start(&context, command) {
        Ok(exit) => exit,
        Err(complaint) => {
            complaint.print(&context.output);
            complaint.exit()
        }
    };
    context.stop.exit().unwrap_or(exit).code()
}

/// What is wrong with a form that not everything can be written in.
fn misplaced(global: &Global, command: &Command) -> Option<&'static str> {
    let goes_on = matches!(command, Command::Run(_) | Command::Check(_) | Command::Serve(_));
    match (global.output, global.log_format) {
        (_, OutputFormat::Mermaid | OutputFormat::Dot) => Some("only `graph` writes mermaid and dot"),
        (_, OutputFormat::Jsonl) => Some("log lines are text or json, which is one object a line"),
        (OutputFormat::Mermaid | OutputFormat::Dot, _) if !matches!(command, Command::Graph { .. }) => {
            Some("only `graph` writes mermaid and dot")
        }
        (OutputFormat::Jsonl, _) if !goes_on => Some("only `run`, `check` and `serve` write jsonl"),
        _ => None,
    }
}

/// Whether `--output json` is among arguments that cannot be read as a whole.
fn wants_json(arguments: &[OsString]) -> bool {
    let is_json = |pair: &[OsString]| pair[0] == "--output" && pair[1] == "json";
    arguments.iter().any(|argument| argument == "--output=json") || arguments.windows(2).any(is_json)
}

fn parse(arguments: &[OsString]) -> Result<CommandLine, clap::Error> {
    let matches = CommandLine::command().styles(style::HELP).try_get_matches_from(arguments)?;
    CommandLine::from_arg_matches(&matches)
}

/// Runs the command until it ends, or until the second signal.
fn start(context: &Context, command: Command) -> Result<Exit, Complaint> {
    let stays = matches!(command, Command::Serve(_));
    // What is not optimised takes more than two megabytes of stack for what a load of a service does, deep down.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        // Files of the stage: more threads than there are parts under way would only hold memory.
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Complaint::of_io("could not start the runtime", &error))?;
    let result = runtime.block_on(async {
        let signals =
            Signals::listen().map_err(|error| Complaint::of_io("could not listen for signals", &error))?;
        let told = || match stays {
            // Its log says so.
            true => {}
            false => context.output.say("stopping; a second signal stops at once"),
        };
        let work = async {
            let result = dispatch(context, command).await;
            // What was dropped in the middle of a statement is cancelled on its server.
            pg::settle(SETTLE_MAX).await;
            result
        };
        tokio::select! {
            biased;
            result = work => result,
            exit = signals.attend(context.stop.clone(), told) => Ok(exit),
        }
    });
    // What is dropped now ends the programs that it started. What cannot be dropped (a name that is being
    // resolved) is not waited for.
    runtime.shutdown_timeout(LAST_WAIT);
    result
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Complaint> {
    match command {
        Command::Completions { shell } => completions::completions(&context.output, shell),
        Command::Run(args) => run::run(context, args).await,
        Command::Check(args) => check::check(context, args).await,
        Command::Adopt(args) => adopt::adopt(context, args).await,
        Command::Backfill(args) => backfill::backfill(context, args).await,
        Command::Restore(args) => restore::restore(context, args).await,
        Command::Replay(args) => replay::replay(context, args).await,
        Command::Verify(args) => verify::verify(context, args).await,
        Command::Graph { selection } => looking(context, graph::graph(context, selection)).await,
        Command::Compile { name, mode } => looking(context, compile::compile(context, &name, mode)).await,
        Command::Why { name } => looking(context, why::why(context, &name)).await,
        Command::Plan { selection, exit_code, mode, sample } => {
            plan::plan(context, selection, exit_code, (mode, sample)).await
        }
        Command::Doctor { roles: true } => doctor::roles(context),
        Command::Doctor { roles: false } => looking(context, doctor::doctor(context)).await,
        Command::Init { dir } => init::init(&context.output, &dir),
        Command::Validate => validate::validate(context),
        Command::Discover { source, path, records, format, table, write, check } => {
            let unlisted = match (write, check) {
                (true, _) => Unlisted::Write,
                (_, true) => Unlisted::Refuse,
                _ => Unlisted::Print,
            };
            let asked =
                path.map(|path| discover::Asked::new(&path, records, format.into(), table)).transpose()?;
            looking(context, discover::discover(context, &source, asked, unlisted)).await
        }
        Command::Hold(args) => looking(context, hold::hold(context, args)).await,
        Command::Release(args) => looking(context, hold::release(context, args)).await,
        Command::Incidents(args) => looking(context, incidents::incidents(context, args)).await,
        Command::Alert(command) => looking(context, alert::alert(context, command)).await,
        Command::Clean(args) => clean::clean(context, args).await,
        Command::Serve(args) => serve::serve(context, args).await,
        Command::Schedules(args) => looking(context, schedules::schedules(context, args)).await,
        Command::Healthcheck(listen) => looking(context, serve::healthcheck(context, listen)).await,
        Command::Status => looking(context, status::status(context)).await,
        Command::History { table, limit, rows } => {
            looking(context, history::history(context, table.as_deref(), limit, rows)).await
        }
    }
}

/// Does what may be given up at any moment: nothing has to be put in order.
async fn looking(
    context: &Context,
    work: impl Future<Output = Result<Exit, Complaint>>,
) -> Result<Exit, Complaint> {
    tokio::select! {
        biased;
        // The status is the signal's.
        () = context.stop.token.cancelled() => Ok(Exit::Failed),
        result = work => result,
    }
}

impl Context {
    /// Reads the project.
    fn read(&self) -> Result<(Project, Environment), Complaint> {
        Ok((dag::read(&self.project, self.env.as_deref())?, Environment::of_process()))
    }

    /// The control databases of both modes, as far as they are there; for looking only.
    async fn controls(
        &self,
        project: &Project,
        environment: &Environment,
    ) -> Result<Vec<Control>, Complaint> {
        let endpoint = reach::control_endpoint(project, environment)?;
        let mut controls = Vec::new();
        for mode in [Mode::Production, Mode::Test] {
            controls.extend(Control::open_existing(&endpoint, &reach::control_schema(mode)).await?);
        }
        Ok(controls)
    }

    fn new(global: Global, stays: bool) -> Self {
        let screen = Screen::stderr();
        let is_text = global.log_format == OutputFormat::Text;
        let live = screen.is_terminal() && !global.quiet && is_text && !stays;
        let verbosity = log::Verbosity { verbose: global.verbose, quiet: global.quiet, live };
        log::start(global.log_format, verbosity, &screen);
        Self {
            project: global.project,
            env: global.env,
            output: Output::new(global.output, global.quiet, screen),
            live,
            stop: Stop::default(),
        }
    }
}

/// A time as people read it: seconds are exact enough, and the zone is said.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
