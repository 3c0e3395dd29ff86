//! Tells who has a page open that something happened: server-sent events. What happened they ask for themselves.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State as Taken,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

use super::{State, refuse};

/// So many pages are kept up to date; more are read as they are.
const LISTENERS_MAX: usize = 100;

/// How often it is looked whether anything happened.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// What stands between may close a connection that says nothing for long.
const SAID_EVERY: Duration = Duration::from_secs(15);

/// Places for who listens.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(LISTENERS_MAX))
}

struct Listener {
    state: State,
    told: Option<String>,
    said_at: Instant,
    _place: OwnedSemaphorePermit,
}

/// A `pulse` at once, and one each time that it is another.
pub(super) async fn events(Taken(state): Taken<State>) -> Response {
    let Ok(place) = state.listeners.clone().try_acquire_owned() else {
        let refusal = refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many pages are open; this one is not kept up to date",
        );
        return ([(header::RETRY_AFTER, "60")], refusal).into_response();
    };
    let listener = Listener { state, told: None, said_at: Instant::now(), _place: place };
    let events = stream::unfold(listener, async |mut listener| {
        let event = listener.next().await;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy must not gather what is told one by one.
    let unbuffered = (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    ([kind, unbuffered], Body::from_stream(events)).into_response()
}

impl Listener {
    async fn next(&mut self) -> String {
        loop {
            if self.told.is_some() {
                sleep(LOOKED_EVERY).await;
            }
            // A control database that does not answer is told by the page itself.
            let pulse = self.state.look().await.map(|look| look.pulse).unwrap_or_default();
            let is_new = self.told.as_ref() != Some(&pulse);
            if is_new || self.said_at.elapsed() >= SAID_EVERY {
                self.said_at = Instant::now();
                let event = if is_new {
                    format!("event: pulse\ndata: {pulse}\n\n")
                } else {
                    ": still here\n\n".to_owned()
                };
                self.told = Some(pulse);
                return event;
            }
        }
    }
}
