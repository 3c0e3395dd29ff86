//! Sessions that are kept open between two uses: to open one takes longer than most of what is asked.
//!
//! Only a session whose work went well is kept. What a SELECT of somebody's may have left in it (settings,
//! locks, cursors, temporary tables) is taken away before it rests, so that it holds up nobody meanwhile;
//! prepared statements stay, with their plans. A session dropped anywhere else ends, as it always did.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use crate::pg::{self, Connection, Endpoint, PgError, Session, set_application_name};

/// How long a session that rested may take to say that it is alive, and one that goes to rest to do so.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// One that rested for longer is used no more: what is between forgets connections without a word.
const STALE: Duration = Duration::from_secs(60);

/// Sessions that are kept open while nothing is asked.
const RESTING_MAX: usize = 8;

/// A server's sessions.
pub(super) struct Sessions {
    endpoint: Endpoint,
    run: String,
    resting: Arc<Resting>,
}

/// Those of which nothing is asked, and since when; who rested last is used first.
type Resting = Mutex<Vec<(Connection, Instant)>>;

impl Sessions {
    pub(super) fn new(endpoint: Endpoint, run: &str) -> Self {
        Self { endpoint, run: run.to_owned(), resting: Arc::default() }
    }

    /// A session of one's own, told apart in `pg_stat_activity` by run and what it does.
    pub(super) async fn take(&self, what: &str) -> Result<InUse, PgError> {
        let name = format!("barncat {} {what}", self.run);
        let connection = match self.rested(&name).await {
            Some(connection) => connection,
            None => pg::connect(&self.endpoint, &Session::new(name)).await?,
        };
        let renew = Session::new(format!("barncat {} resting", self.run)).renew();
        Ok(InUse { connection, renew, resting: self.resting.clone() })
    }

    /// One that rested and is alive. Where one is not, the others are not asked.
    async fn rested(&self, name: &str) -> Option<Connection> {
        let (connection, _) = fresh(&self.resting).pop()?;
        let name = set_application_name(name);
        let told = connection.run("say what a session is for", &name);
        if let Ok(Ok(())) = timeout(ALIVE_WITHIN, told).await {
            return Some(connection);
        }
        fresh(&self.resting).clear();
        None
    }
}

/// Those that may still be used.
fn fresh(resting: &Resting) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
    let mut resting = resting.lock().unwrap_or_else(PoisonError::into_inner);
    resting.retain(|(connection, since)| !connection.is_closed() && since.elapsed() < STALE);
    resting
}

/// A session in use. Dropped, it ends.
pub(super) struct InUse {
    connection: Connection,
    /// The statements that make it as new.
    renew: String,
    resting: Arc<Resting>,
}

impl InUse {
    /// Passes on what became of its use. After a good one, which left no transaction open, it rests until
    /// the next.
    pub(super) async fn rest_after<T, E>(self, done: Result<T, E>) -> Result<T, E> {
        if done.is_ok() {
            self.rest().await;
        }
        done
    }

    /// What cannot be made as new within a moment ends.
    async fn rest(self) {
        let Self { connection, renew, resting } = self;
        if let Ok(Ok(())) = timeout(ALIVE_WITHIN, connection.run("renew a session", &renew)).await {
            let mut resting = fresh(&resting);
            if resting.len() < RESTING_MAX {
                resting.push((connection, Instant::now()));
            }
        }
    }
}

impl Deref for InUse {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
