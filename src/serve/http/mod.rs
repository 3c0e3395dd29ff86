//! What a service shows over HTTP: reading only. Acting stays on the command line.
//!
//! [`routes`] is the whole list: a new page is a line there and a file here. A handler gets [`State`], which has the
//! project as it is now (`state.shared.project()`) and the control database (`state.shared.control()`, `None` while it
//! was not reached yet); SQL stays in `control`. Every answer passes the same layers, outermost first: headers, rate,
//! body and time limits, and then `access`, which everything but `/healthz` and `/readyz` stands behind.

mod access;
mod ask;
mod headers;
mod live;
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
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

use super::Shared;
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
}

impl State {
    pub(super) fn new(shared: Arc<Shared>, token: Option<Secret>) -> Self {
        Self { shared, access: Arc::new(access::Access::new(token)) }
    }
}

/// All that can be asked for.
fn routes(state: State) -> Router {
    let guarded = Router::new()
        .route("/", get(index))
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

/// What there is.
#[derive(Serialize)]
struct Index {
    project: String,
    version: &'static str,
    links: [&'static str; 2],
}

async fn index(axum::extract::State(state): axum::extract::State<State>) -> Json<Index> {
    Json(Index {
        project: state.shared.project().name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        links: ["/healthz", "/readyz"],
    })
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
