//! Telling people how tasks ended, beside the run: what fails here is logged and fails nothing.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Mode, Request, RunError, alarms, open::Opened, reach};
use crate::{
    alert::{Channels, Did, deliver_next},
    config::{Environment, Project},
    control::{Control, Observation},
};

/// How long a run's end waits for what is still to be told.
const LIMIT: Duration = Duration::from_secs(20);

/// The same of a run that was stopped.
const LIMIT_STOPPED: Duration = Duration::from_secs(4);

/// The pause after the control database could not be asked.
const PAUSE: Duration = Duration::from_secs(5);

/// Writes down what was seen, and sends what people are to be told of it, each at once.
pub(super) struct Teller {
    observations: mpsc::UnboundedSender<Observation>,
    recorder: JoinHandle<()>,
    sender: JoinHandle<()>,
    closing: CancellationToken,
    channels: Arc<Channels>,
}

impl Teller {
    pub(super) fn start(control: &Control, channels: Channels) -> Self {
        let (observations, received) = mpsc::unbounded_channel();
        let (channels, news, closing) =
            (Arc::new(channels), Arc::new(Notify::new()), CancellationToken::new());
        for off in &channels.off {
            tracing::debug!(
                channel = off.name,
                place = off.place,
                "an alert channel is off: its variable is empty"
            );
        }
        let recorder =
            tokio::spawn(record(control.clone(), channels.clone(), received, news.clone()).in_current_span());
        let sender =
            tokio::spawn(send(control.clone(), channels.clone(), news, closing.clone()).in_current_span());
        Self { observations, recorder, sender, closing, channels }
    }

    /// Something was seen.
    pub(super) fn observe(&self, observation: Observation) {
        // The other side ends after this one alone.
        let _ = self.observations.send(observation);
    }

    /// For who sees things beside the run, and ends before it is finished.
    pub(super) fn observer(&self) -> mpsc::UnboundedSender<Observation> {
        self.observations.clone()
    }

    /// Everything was seen: waits for what is still to be written down and sent, within a limit. What is not sent by
    /// then, the next run sends.
    pub(super) async fn finish(self, is_stopped: bool) {
        let end = Instant::now() + if is_stopped { LIMIT_STOPPED } else { LIMIT };
        drop(self.observations);
        if timeout_at(end, self.recorder).await.is_err() {
            tracing::warn!("not all incidents were written to the control database in time");
        }
        self.closing.cancel();
        let sender = self.sender.abort_handle();
        if timeout_at(end, self.sender).await.is_err() {
            sender.abort();
            tracing::warn!(
                "not all alerts were sent in time; the next run sends them, or `barncat alert send`"
            );
        }
    }

    /// Calls the heartbeat, if there is one.
    pub(super) async fn beat(channels: &Channels) {
        let Some(heartbeat) = &channels.heartbeat else { return };
        if let Err(error) = heartbeat.beat().await {
            tracing::warn!(%error, "the heartbeat was not called");
        }
    }

    /// The channels that it tells by.
    pub(super) fn channels(&self) -> Arc<Channels> {
        self.channels.clone()
    }
}

/// Whoever tells people; in test mode nobody does.
pub(super) fn teller(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    opened: &Opened,
) -> Option<Teller> {
    let start = || Teller::start(&opened.workshop.control, Channels::of(project, environment));
    (mode == Mode::Production).then(start)
}

/// A run that cannot begin is an incident too.
pub(super) async fn tell_failed_start(teller: Option<Teller>, request: &Request, error: &RunError) {
    let Some(teller) = teller else { return };
    if let Some(observation) = alarms::of_run(error, request.origin.tick.is_some()) {
        teller.observe(observation);
    }
    teller.finish(false).await;
}

/// The same where not even the control database was opened for it. By hand the person sees it; of a tick's run
/// nobody would.
pub(super) async fn tell_not_opened(
    project: &Project,
    environment: &Environment,
    request: &Request,
    error: &RunError,
) {
    if request.origin.tick.is_none() || request.mode != Mode::Production {
        return;
    }
    let Ok(endpoint) = reach::control_endpoint(project, environment) else { return };
    let Ok(control) = Control::open(&endpoint, &reach::control_schema(request.mode)).await else { return };
    let teller = Teller::start(&control, Channels::of(project, environment));
    tell_failed_start(Some(teller), request, error).await;
    // A session that is not ended here is ended by its server.
    let _ = control.close().await;
}

async fn record(
    control: Control,
    channels: Arc<Channels>,
    mut received: mpsc::UnboundedReceiver<Observation>,
    news: Arc<Notify>,
) {
    let route = |notice: &_| channels.router.route(notice);
    while let Some(observation) = received.recv().await {
        match control.observe(&channels.project, &observation, route).await {
            Ok(notices) if notices.is_empty() => {}
            Ok(_) => news.notify_one(),
            Err(error) => {
                tracing::warn!(cause = observation.cause, %error, "an incident was not written to the control database");
            }
        }
    }
    if let Err(error) = control.settle_incidents(&channels.project, route).await {
        tracing::warn!(%error, "incidents that stayed away were not ended");
    }
}

/// Sends until the outbox is empty, whenever there is news; in the end what is due before the limit.
async fn send(control: Control, channels: Arc<Channels>, news: Arc<Notify>, closing: CancellationToken) {
    if channels.names().is_empty() {
        return;
    }
    loop {
        let wait = match deliver_next(&control, &channels).await {
            Ok(Did::Sent | Did::Failed) => continue,
            Ok(Did::Wait(wait)) => Some(wait),
            Ok(Did::Nothing) => None,
            Err(error) => {
                tracing::warn!(%error, "the alerts that wait could not be read");
                if closing.is_cancelled() {
                    return;
                }
                Some(PAUSE)
            }
        };
        if closing.is_cancelled() {
            match wait {
                Some(wait) if wait < LIMIT => sleep(wait).await,
                _ => return,
            }
            continue;
        }
        tokio::select! {
            () = news.notified() => {}
            () = closing.cancelled() => {}
            () = sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {}
        }
    }
}
