//! Whether the service lives, and whether it can do its work.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::Instant;

/// The loop goes round. Asked by whoever starts the container anew if not.
pub(super) async fn healthz(State(state): State<super::State>) -> Response {
    match state.shared.health.is_alive(Instant::now()) {
        Ok(alive) => Json(alive).into_response(),
        Err(stuck) => (StatusCode::SERVICE_UNAVAILABLE, Json(stuck)).into_response(),
    }
}

/// The same for who may not read more.
#[derive(Serialize)]
struct Short {
    ready: bool,
}

/// Control database and sources can be reached. What is waited for, and why, is for readers alone: it names servers.
pub(super) async fn readyz(State(state): State<super::State>, request: Request) -> Response {
    let ready = state.shared.health.is_ready();
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match state.access.may_read(&request) {
        true => (status, Json(ready)).into_response(),
        false => (status, Json(Short { ready: ready.ready })).into_response(),
    }
}
