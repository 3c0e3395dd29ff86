//! `replay`: rows made again of what a service answered, and failed requests sent again.

use super::{Context, args::ReplayArgs, complaint::Complaint, exit::Exit, run::watched, summary};
use crate::run;

/// Does it, table by table.
pub(super) async fn replay(context: &Context, args: ReplayArgs) -> Result<Exit, Complaint> {
    let work = match args.ask {
        true => run::Work::AskAgain,
        false => run::Work::Replay { load: args.load },
    };
    let request = run::Request {
        select: args.tables,
        accept_shrink: args.accept_shrink,
        work,
        ..run::Request::of(args.mode.into())
    };
    let outcome = watched(context, &request).await?;
    match context.output.is_json() {
        true => context.output.json(&outcome)?,
        false => context.output.data(&summary::summary(&outcome))?,
    }
    Ok(Exit::of_run(&outcome, true))
}
