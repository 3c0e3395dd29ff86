//! The double as a whole: its start, its addresses, its end.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    data_api::DataApi,
    engine::{Engine, error::SqlError},
    knobs::Knobs,
    logins::{self, Logins},
    record::Record,
    settings::Settings,
    wire::Wire,
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
    logins: Arc<Logins>,
    wire: SocketAddr,
    authority: String,
    servers: [JoinHandle<()>; 2],
}

impl Double {
    /// Prepares the database and serves the Data API and the wire on free ports of the loopback.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the database, the record's folder or the port.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let folder = settings.record_into.clone();
        let record = Record::into(folder.as_deref(), settings.prints_statements)
            .map_err(|error| StartError::Record(folder.unwrap_or_default(), error))?;
        let engine = Arc::new(Engine::prepare(settings, record).await?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let logins = Arc::new(Logins::new());
        let data_api = tokio::spawn(DataApi::new(Arc::clone(&engine)).serve(listener));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let wire_address = listener.local_addr()?;
        let (wire, authority) = Wire::new(Arc::clone(&engine), Arc::clone(&logins))?;
        let servers = [data_api, tokio::spawn(wire.serve(listener))];
        Ok(Self { address, engine, logins, wire: wire_address, authority, servers })
    }

    /// The address of the Data API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port of the wire, on `localhost`; TLS only.
    pub fn wire_port(&self) -> u16 {
        self.wire.port()
    }

    /// Who may log in by wire for good, with this password.
    pub fn user(&self) -> (&str, String) {
        (logins::USER, self.logins.password())
    }

    /// The certificate of the authority that the wire's is signed by, in PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The database's address by wire, the password in it.
    pub fn wire_url(&self) -> String {
        let (user, password) = self.user();
        let database = &self.engine.settings().database;
        format!("postgres://{user}:{password}@localhost:{}/{database}", self.wire_port())
    }

    /// A login for a while, as a call of AWS gives one: its password. `role` is the role in Postgres; `None`:
    /// the double's own.
    pub fn give_login(&self, user: &str, role: Option<&str>, valid: Duration) -> String {
        self.logins.give(user, role.map(str::to_owned), valid).password
    }

    /// Logins that were given for a while are good no longer; sessions go on.
    pub fn end_logins(&self) {
        self.logins.end();
    }

    /// The faults to come, and what was seen.
    pub fn knobs(&self) -> &Knobs {
        self.engine.knobs()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        // The server's task owns those of its connections and statements.
        for server in &self.servers {
            server.abort();
        }
    }
}
