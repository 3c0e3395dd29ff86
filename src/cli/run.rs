//! `run`: load tables and publish them, now.

use tokio::sync::mpsc;

use super::{
    Context,
    args::{self, RunArgs},
    complaint::Complaint,
    exit::Exit,
    progress::Progress,
    summary,
};
use crate::{event::RunOutcome, run};

/// How many events may wait to be shown.
pub(super) const EVENTS_WAITING: usize = 1024;

/// Does one run and tells how it went: events on stderr while it goes, its outcome at the end.
pub(super) async fn run(context: &Context, args: RunArgs) -> Result<Exit, Complaint> {
    let request = run::Request {
        select: args.selection.select,
        exclude: args.selection.exclude,
        mode: args.mode.into(),
        full: args.full,
        accept_shrink: args.accept_shrink,
        accept_measures: false,
        failed: args.failed,
        sample: sample(args.sample, args.mode)?,
        resume: args.resume,
        work: run::Work::Load,
        jobs: args.jobs as usize,
        ..run::Request::of(args.mode.into())
    };
    let outcome = watched(context, &request).await?;
    if context.output.is_json() {
        context.output.json(&outcome)?;
    } else if !context.output.is_json_lines() {
        context.output.data(&summary::summary(&outcome))?;
    }
    Ok(Exit::of_run(&outcome, args.strict))
}

/// How many rows a table, where that is asked for: of production's tables nobody wants a sample.
pub(super) fn sample(rows: Option<u32>, mode: args::Mode) -> Result<Option<u32>, Complaint> {
    if rows.is_some() && mode == args::Mode::Production {
        return Err(Complaint::usage(
            "`--sample` is for test mode, and this is production".to_owned(),
            Some("--mode test".to_owned()),
        ));
    }
    Ok(rows)
}

/// Runs what is asked for, and shows it while it goes.
pub(super) async fn watched(context: &Context, request: &run::Request) -> Result<RunOutcome, Complaint> {
    let (project, environment) = context.read()?;
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
    let shown = tokio::spawn(Progress::new(context.live, &context.output).follow(receiver));
    let done = run::run(&project, &environment, request, sender, context.stop.token.clone()).await;
    // The last lines are shown before anything else is written.
    let _ = shown.await;
    Ok(done?)
}

impl From<args::Mode> for run::Mode {
    fn from(mode: args::Mode) -> Self {
        match mode {
            args::Mode::Production => Self::Production,
            args::Mode::Test => Self::Test,
        }
    }
}
