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

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{net::TcpListener, task::JoinSet};

use crate::engine::Engine;
use statements::{Statement, Statements};

/// The service: the statements that were given to it, and the engine that runs them.
#[derive(Clone)]
pub(crate) struct DataApi {
    engine: Arc<Engine>,
    statements: Statements,
    /// The statements under way: they end with the service.
    runners: Arc<Mutex<JoinSet<()>>>,
}

impl DataApi {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, statements: Statements::default(), runners: Arc::default() }
    }

    /// Runs a statement by the side of all others.
    fn start(&self, statement: &Arc<Statement>) {
        let mut runners = self.runners.lock().unwrap_or_else(PoisonError::into_inner);
        while runners.try_join_next().is_some() {}
        runners.spawn(runner::run(Arc::clone(&self.engine), Arc::clone(statement)));
    }

    /// Answers requests until its task is aborted.
    pub(crate) async fn serve(self, listener: TcpListener) {
        http::serve(self, listener).await;
    }
}
