//! Connections that are kept for short statements.

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};

use super::{Connection, Endpoint, PgError, Session, connect};

/// A pool of connections, each with the settings of one session.
pub type Pool = deadpool::managed::Pool<Opener>;

/// A connection of a pool in use. Taken out of it ([`deadpool::managed::Object::take`]), nobody gets it any more.
pub type Pooled = deadpool::managed::Object<Opener>;

/// Opens a pool's connections, as every other is opened.
pub struct Opener {
    endpoint: Endpoint,
    session: Session,
}

impl Opener {
    /// A pool of at most `size` connections; connects to nothing yet.
    pub(super) fn pool(endpoint: &Endpoint, session: &Session, size: usize) -> Result<Pool, PgError> {
        let opener = Self { endpoint: endpoint.clone(), session: session.clone() };
        Pool::builder(opener)
            .max_size(size)
            .build()
            .map_err(|error| PgError::Driver { doing: "make a pool".into(), what: error.to_string() })
    }
}

impl Manager for Opener {
    type Type = Connection;
    type Error = PgError;

    async fn create(&self) -> Result<Connection, PgError> {
        connect(&self.endpoint, &self.session).await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<PgError> {
        match connection.is_closed() {
            true => Err(RecycleError::message("it was closed")),
            false => Ok(()),
        }
    }
}
