//! `serve` and `healthcheck`: the service, and asking it how it is.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    Context,
    args::{Listen, Metrics, ServeArgs},
    complaint::Complaint,
    exit::Exit,
    progress::Progress,
    run::EVENTS_WAITING,
};
use crate::{control::Tick, serve};

/// Serves until a signal stops it.
pub(super) async fn serve(context: &Context, args: ServeArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let setup = serve::Setup {
        folder: context.project.clone(),
        env: context.env.clone(),
        listen: args.listen.address,
        stop_timeout: args.stop_timeout,
        jobs: args.jobs as usize,
    };
    // To be stopped is how it ends.
    context.stop.ends_well();
    // Whoever reads its lines as JSON gets no other ones.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, error = panic.payload_as_str(), "panic");
    }));
    let output = context.output.clone();
    let watch: serve::Watch = Arc::new(move |tick: &Tick| {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
        tokio::spawn(Progress::of_a_tick(tick, &output).follow(receiver));
        sender
    });
    let output = context.output.clone();
    let figures = (args.metrics == Metrics::Emf).then(|| -> serve::Figures {
        // Where nobody reads them the service goes on all the same.
        Arc::new(move |figures| drop(output.json_line(figures)))
    });
    let outlets = serve::Outlets { watch, figures };
    serve::serve(setup, project, environment, outlets, context.stop.token.clone()).await?;
    Ok(Exit::Done)
}

/// Asks the service on this machine.
pub(super) async fn healthcheck(context: &Context, listen: Listen) -> Result<Exit, Complaint> {
    serve::check_health(listen.address).await?;
    context.output.say("the service goes round");
    Ok(Exit::Done)
}
