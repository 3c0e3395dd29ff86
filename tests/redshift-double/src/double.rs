//! The double as a whole: its start, its addresses, its end.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    data_api::DataApi,
    engine::{Engine, error::SqlError},
    knobs::Knobs,
    settings::Settings,
};

/// Why a double did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database behind it cannot be reached or prepared.
    #[error("the database behind the double cannot be prepared: {0}")]
    Database(#[from] SqlError),
    /// No port.
    #[error("the double has no port: {0}")]
    Port(#[from] io::Error),
}

/// A running double. It stops when it is dropped, and statements under way with it: what is not
/// committed is rolled back.
pub struct Double {
    address: SocketAddr,
    engine: Arc<Engine>,
    server: JoinHandle<()>,
}

impl Double {
    /// Prepares the database and serves the Data API on a free port of the loopback.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the database or the port.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let engine = Arc::new(Engine::prepare(settings).await?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(DataApi::new(Arc::clone(&engine)).serve(listener));
        Ok(Self { address, engine, server })
    }

    /// The address of the Data API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The faults to come, and what was seen.
    pub fn knobs(&self) -> &Knobs {
        self.engine.knobs()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        // The server's task owns those of its connections and statements.
        self.server.abort();
    }
}
