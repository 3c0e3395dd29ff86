//! The double as a whole: its start, its addresses, its end.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    data_api::DataApi,
    engine::{Engine, error::SqlError},
    knobs::Knobs,
    record::Record,
    settings::Settings,
};

/// Why a double did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database behind it cannot be reached or prepared.
    #[error("the database behind the double cannot be prepared: {0}")]
    Database(#[from] SqlError),
    /// No file for the record.
    #[error("the double cannot record into {0}: {1}")]
    Record(PathBuf, io::Error),
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
    /// [`StartError`]: the database, the record's folder or the port.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let folder = settings.record_into.clone();
        let record = Record::into(folder.as_deref())
            .map_err(|error| StartError::Record(folder.unwrap_or_default(), error))?;
        let engine = Arc::new(Engine::prepare(settings, record).await?);
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
