//! The front that speaks Redshift's Data API: AWS JSON 1.1 over HTTP (§7).

mod error;
mod execute;
mod fields;
mod http;
mod look;
mod request;
mod results;
mod runner;
mod statements;

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::engine::Engine;
use statements::Statements;

/// The service: the statements that were given to it, and the engine that runs them.
#[derive(Clone)]
pub(crate) struct DataApi {
    engine: Arc<Engine>,
    statements: Statements,
}

impl DataApi {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, statements: Statements::default() }
    }

    /// Answers requests until its task is aborted.
    pub(crate) async fn serve(self, listener: TcpListener) {
        http::serve(self, listener).await;
    }
}
