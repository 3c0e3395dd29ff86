//! What a service shows over HTTP: reading only. Acting stays on the command line.
//!
//! [`routes`] is the whole list: a new page is a line there and a file here. A handler gets [`State`], which has the
//! project as it is now (`state.shared.project()`) and the control database (`state.shared.control()`, `None` while it
//! was not reached yet); SQL stays in `control`. Every answer passes the same layers, outermost first: headers, rate,
//! body and time limits, and then `access`, which everything but `/healthz` and `/readyz` stands behind.

mod access;
mod api;
mod ask;
mod events;
mod headers;
mod live;
mod metrics;
mod pages;
mod server;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tokio::sync::Semaphore;
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

use super::{Shared, metrics::Counted, view::Desk};
use crate::secret::Secret;

pub use self::ask::check_health;
pub(super) use self::server::{Listener, answer, listen};

/// Nothing that is asked for has a body.
const BODY_BYTES_MAX: usize = 4 << 10;

/// How long an answer may take to begin; one that has begun may go on.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// What every handler gets.
#[derive(Clone)]
pub(super) struct State {
    pub(super) shared: Arc<Shared>,
    access: Arc<access::Access>,
    desk: Arc<Desk>,
    counted: Arc<Counted>,
    listeners: Arc<Semaphore>,
}

impl State {
    pub(super) fn new(shared: Arc<Shared>, token: Option<Secret>) -> Self {
        Self {
            shared,
            access: Arc::new(access::Access::new(token)),
            desk: Arc::default(),
            counted: Arc::default(),
            listeners: events::places(),
        }
    }
}

/// All that can be asked for.
fn routes(state: State) -> Router {
    let guarded = Router::new()
        .route("/", get(pages::today))
        .route("/graph", get(pages::graph))
        .route("/runs", get(pages::runs))
        .route("/runs/{run}", get(pages::run))
        .route("/tables", get(pages::tables))
        .route("/tables/{name}", get(pages::table))
        .route("/checks", get(pages::checks))
        .route("/assets/{name}", get(pages::asset))
        .route("/events", get(events::events))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/openapi.json", get(api::openapi))
        .route("/api/v1/runs", get(api::runs))
        .route("/api/v1/runs/{run}", get(api::run))
        .route("/api/v1/tasks", get(api::tasks))
        .route("/api/v1/tables", get(api::tables))
        .route("/api/v1/tables/{name}", get(api::table))
        .route("/api/v1/graph", get(api::graph))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/deadlines", get(api::deadlines))
        .route("/api/v1/checks", get(api::checks))
        .route_layer(middleware::from_fn_with_state(state.clone(), access::only_for_readers));
    let open = Router::new().route("/readyz", get(live::readyz)).merge(guarded).fallback(not_found);
    // Whoever decides whether the container lives must not be turned away because others ask much.
    let limited = open.layer(middleware::from_fn_with_state(state.clone(), access::not_too_many));
    Router::new()
        .route("/healthz", get(live::healthz))
        .merge(limited)
        .method_not_allowed_fallback(not_allowed)
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, ANSWER_MAX))
        .layer(middleware::from_fn(headers::secure))
        .with_state(state)
}

/// An error, for programs.
#[derive(Serialize)]
struct Refusal {
    error: &'static str,
}

fn refuse(status: StatusCode, error: &'static str) -> Response {
    (status, Json(Refusal { error })).into_response()
}

async fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "there is nothing here")
}

async fn not_allowed() -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "only reading is allowed here; `barncat --help` lists what acts")
}
