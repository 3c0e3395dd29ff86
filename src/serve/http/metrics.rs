//! `/metrics`, for Prometheus.

use axum::{
    extract::State as Taken,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{State, refuse};
use crate::serve::{metrics, view};

/// Whatever the control database knows; without it what the process knows of itself.
pub(super) async fn metrics(Taken(state): Taken<State>) -> Response {
    let look = state.look().await;
    if let Ok(look) = &look {
        let _turn = look.turns.next().await;
        if let Err(error) = state.counted.count(&look.control).await {
            tracing::warn!(%error, "what ended was not counted");
        }
    }
    if let Err(error) = &look {
        let error = view::failure(error);
        tracing::debug!(%error, "metrics without the control database");
    }
    match metrics::text(look.ok().as_ref(), &state.counted) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
        }
        Err(_) => refuse(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written"),
    }
}
