//! The control database: runs, tasks, attempts, locks, holds, schema history, durations.
//!
//! A Postgres schema of its own (`barncat_control`, in test mode `barncat_control_test`), in the
//! warehouse or elsewhere. Losing it costs history, never data. All times are the database's.
//!
//! Nothing here knows what a lock is for or how a task runs. A lock here keeps two processes from
//! doing the same work; that a stale one does no harm is the ledger's doing, in the warehouse itself.

mod allowances;
mod backfills;
mod checks;
mod collections;
mod database;
mod diagnose;
mod error;
mod history;
mod holds;
mod incidents;
mod latest;
mod locks;
mod measures;
mod migrations;
mod mutes;
mod outbox;
mod prune;
mod runs;
mod schedules;
mod seen;
mod session;
mod ticks;

use std::{sync::Arc, time::Duration};

use tokio::sync::OnceCell;

pub use allowances::{CalendarUnit, Grant, Limits, Standing, Taken, UsedWindow, Waiter, Window};
pub use backfills::{Backfill, BackfillChunk, BackfillWanted};
pub use checks::KeptCheck;
pub use collections::{Collection, FailedRequest, RejectedRecord};
pub use error::ControlError;
pub use history::{EndedTask, Expected, HistoryRow, PastRun, RunningRun, RunningTask};
pub use holds::{Hold, PlacedHold};
pub use incidents::{Delivery, Due, KeptIncident, Observation};
pub use latest::{Ended, EndedRuns, EndedTasks, LastCheck, LastEnd, Latest, Shows, SlotsInUse};
pub use locks::{HeldBy, Holder, Lease};
pub use measures::{Point, Series};
pub use mutes::Mute;
pub use outbox::{Claimed, Next, Waiting};
pub use runs::{Asked, RunStart};
pub use schedules::{KnownSchedule, Pause};
pub use seen::{Part, Said, SeenAttempt, SeenRun, SeenSchema, SeenTask, Tally, Then};
pub use session::{host_name, user_name};
pub use ticks::{OpenTick, Origin, Outlook, PastTick, Tick, TicksRun};

use self::{database::Database, migrations::State, session::Session};
use crate::pg::Endpoint;

/// The control database. Clones are the same one; every method may be called in parallel.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    database: Arc<Database>,
    timing: Timing,
    /// Opened by the first run or lock: who only looks leaves no trace.
    session: OnceCell<Arc<Session>>,
}

/// How long a process that says nothing keeps its locks.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Without a renewal a lock is free after this time: the machine hangs, or is cut off.
    pub ttl: Duration,
    /// How often locks are renewed.
    pub renew: Duration,
    /// A process whose connection has gone has died, unless it comes back within this time.
    pub grace: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(60), renew: Duration::from_secs(15), grace: Duration::from_secs(2) }
    }
}

impl Control {
    /// Opens the control database in `schema`; makes and migrates it where needed.
    pub async fn open(endpoint: &Endpoint, schema: &str) -> Result<Self, ControlError> {
        Self::open_with(endpoint, schema, Timing::default()).await
    }

    /// [`Control::open`] with other times.
    pub async fn open_with(endpoint: &Endpoint, schema: &str, timing: Timing) -> Result<Self, ControlError> {
        let database = Database::new(endpoint, schema)?;
        migrations::migrate(&database).await?;
        Ok(Self::with(database, timing))
    }

    /// Opens it for looking only, and changes nothing: `None` where it is not there, or has not been
    /// migrated by this release yet.
    pub async fn open_existing(endpoint: &Endpoint, schema: &str) -> Result<Option<Self>, ControlError> {
        let database = Database::new(endpoint, schema)?;
        Ok(match migrations::state(&database).await? {
            State::Ready => Some(Self::with(database, Timing::default())),
            State::Behind => None,
        })
    }

    /// One that nobody can reach.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        let url = crate::secret::Secret::new("postgres://nobody@127.0.0.1:1/nothing");
        let endpoint = Endpoint::parse(&url, &crate::pg::TlsSettings::default(), std::path::Path::new("."));
        let database = Database::new(&endpoint.expect("an address"), "barncat_control");
        Self::with(database.expect("a pool that connects to nothing yet"), Timing::default())
    }

    fn with(database: Database, timing: Timing) -> Self {
        let shared = Shared { database: Arc::new(database), timing, session: OnceCell::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Gives all locks back and ends the session, so that the next process need not wait for it.
    pub async fn close(self) -> Result<(), ControlError> {
        match self.shared.session.get() {
            Some(session) => session.end().await,
            None => Ok(()),
        }
    }

    fn database(&self) -> &Database {
        &self.shared.database
    }

    /// This process' session, opened if it is not yet.
    async fn session(&self) -> Result<Arc<Session>, ControlError> {
        let open = || Session::open(self.shared.database.clone(), self.shared.timing);
        self.shared.session.get_or_try_init(open).await.cloned()
    }
}
