//! A process at work: a connection that it keeps open, and the locks that it holds.
//!
//! Others see that the process has died by its connection's absence from `pg_stat_activity`, at
//! once; that its machine hangs or is cut off, by a row that is not renewed any more.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{ControlError, Timing, database::Database};
use crate::{fail_point, pg::Connection};

/// Whether the server still has the connection of the session `s`. A role sees when the sessions of
/// other roles began only as a member of `pg_read_all_stats`; then the process id alone must do.
pub(super) const SEEN: &str = "EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
    WHERE a.pid = s.backend_pid AND (a.backend_start IS NULL OR a.backend_start = s.backend_start))";

/// How often the connection is looked at; costs no statement.
const LOOK: Duration = Duration::from_millis(500);

/// A process' session; ends with its last lease and `Control`.
pub(super) struct Session {
    /// Its id.
    pub(super) id: String,
    pub(super) database: Arc<Database>,
    pub(super) timing: Timing,
    locks: Arc<Locks>,
    heartbeat: AbortHandle,
    /// Locks being given back in the background; closed by the session's end, which frees all.
    returns: TaskTracker,
}

/// The locks that this process holds.
#[derive(Default)]
struct Locks {
    by_name: Mutex<HashMap<String, Held>>,
    /// They were not renewed for as long as they last: others may have them, and nobody says so.
    silent: AtomicBool,
}

#[derive(Clone)]
struct Held {
    epoch: i64,
    lost: CancellationToken,
    /// Given up here, but not yet known to be free in the database.
    given_up: bool,
}

impl Locks {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks as lost what was held before the database was asked and is not in its answer.
    fn compare(&self, before: &HashMap<String, Held>, answer: &[(String, i64)]) {
        for (name, held) in before {
            if !answer.iter().any(|(other, epoch)| other == name && *epoch == held.epoch) {
                held.lost.cancel();
                self.forget(name, held.epoch);
            }
        }
    }

    fn forget(&self, name: &str, epoch: i64) {
        let mut locks = self.lock();
        if locks.get(name).is_some_and(|held| held.epoch == epoch) {
            locks.remove(name);
        }
    }

    /// The session ends.
    fn lose_all(&self) {
        for held in self.lock().values_mut() {
            held.lost.cancel();
        }
    }
}

impl Session {
    /// Opens the connection and writes the session's row.
    pub(super) async fn open(database: Arc<Database>, timing: Timing) -> Result<Arc<Self>, ControlError> {
        let heart = Heart {
            id: ulid::Ulid::generate().to_string(),
            host: host_name(),
            database: database.clone(),
            timing,
            locks: Arc::default(),
        };
        let connection = database.connect().await?;
        fail_point!("control.session.before");
        heart.renew(&connection).await?;
        fail_point!("control.session.after");
        let (id, locks) = (heart.id.clone(), heart.locks.clone());
        let heartbeat = tokio::spawn(heart.beat(connection)).abort_handle();
        Ok(Arc::new(Self { id, database, timing, locks, heartbeat, returns: TaskTracker::new() }))
    }

    /// Whether others may have its locks by now, as far as can be known without the database.
    pub(super) fn is_silent(&self) -> bool {
        self.locks.silent.load(Ordering::Relaxed)
    }

    /// Notes a lock that the database has given; the token is cancelled when it is lost.
    pub(super) fn hold(&self, name: &str, epoch: i64) -> CancellationToken {
        let lost = CancellationToken::new();
        self.locks.lock().insert(name.to_owned(), Held { epoch, lost: lost.clone(), given_up: false });
        lost
    }

    /// Whether the database still has a lock as this session's.
    pub(super) async fn holds(&self, name: &str, epoch: i64) -> Result<bool, ControlError> {
        let held = "SELECT FROM control.locks WHERE name = $1 AND epoch = $2 AND session = $3";
        let rows = self.database.query("ask for a lock", held, &[&name, &epoch, &self.id]).await?;
        Ok(!rows.is_empty())
    }

    /// Gives a lock back. Where that fails it is tried again with each renewal.
    pub(super) async fn give_back(&self, name: &str, epoch: i64) -> Result<(), ControlError> {
        if let Some(held) = self.locks.lock().get_mut(name).filter(|held| held.epoch == epoch) {
            held.given_up = true;
        }
        fail_point!("control.unlock.before");
        free(&self.database, &self.id, name, epoch).await?;
        fail_point!("control.unlock.after");
        self.locks.forget(name, epoch);
        Ok(())
    }

    /// [`Session::give_back`] in the background; [`Session::end`] waits for it.
    pub(super) fn give_back_later(self: &Arc<Self>, name: String, epoch: i64) {
        // Without a runtime the process is ending, and its session with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.returns.is_closed() {
            return;
        }
        let session = self.clone();
        let give_back = async move {
            if let Err(error) = session.give_back(&name, epoch).await {
                tracing::warn!(lock = name, %error, "lock not given back");
            }
        };
        self.returns.spawn_on(give_back, &runtime);
    }

    /// Frees every lock and removes the row.
    pub(super) async fn end(&self) -> Result<(), ControlError> {
        self.returns.close();
        self.returns.wait().await;
        self.heartbeat.abort();
        self.locks.lose_all();
        fail_point!("control.session_end.before");
        let end = "WITH freed AS (UPDATE control.locks SET session = NULL WHERE session = $1)
                   DELETE FROM control.sessions WHERE session = $1";
        self.database.execute("end the session", end, &[&self.id]).await?;
        fail_point!("control.session_end.after");
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The connection closes with it, by which others see at once that nobody is here any more.
        self.heartbeat.abort();
    }
}

async fn free(database: &Database, session: &str, name: &str, epoch: i64) -> Result<(), ControlError> {
    let free = "UPDATE control.locks SET session = NULL WHERE name = $1 AND epoch = $2 AND session = $3";
    database.execute("give a lock back", free, &[&name, &epoch, &session]).await.map(drop)
}

/// The name of this machine, as its kernel has it; empty where it has none.
pub fn host_name() -> String {
    // The kernel's own answer; a variable of the environment may be another machine's.
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// The name of this process' user, as /etc/passwd has it; its number where it has none.
pub fn user_name() -> String {
    let Ok(own) = std::fs::metadata("/proc/self") else { return "unknown".to_owned() };
    let number = own.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|user| {
        let mut fields = user.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id == number).then(|| name.to_owned())
    });
    named.unwrap_or(number)
}

/// Says once that locks are not renewed, and why, and once that they are again.
fn tell(renews: &mut bool, trouble: Option<&str>) {
    match (std::mem::replace(renews, trouble.is_none()), trouble) {
        (true, Some(error)) => tracing::warn!(error, "locks not renewed; it is tried again and again"),
        (false, None) => tracing::warn!("locks are renewed again"),
        _ => {}
    }
}

/// What keeps a session alive.
struct Heart {
    id: String,
    host: String,
    database: Arc<Database>,
    timing: Timing,
    locks: Arc<Locks>,
}

impl Heart {
    /// Renews until it is aborted; opens the connection anew where it broke.
    async fn beat(self, connection: Connection) {
        let mut connection = Some(connection);
        let mut renewed_at = Instant::now();
        let mut renews = true;
        loop {
            sleep(LOOK.min(self.timing.renew)).await;
            let is_open = connection.as_ref().is_some_and(|connection| !connection.is_closed());
            if !is_open || renewed_at.elapsed() >= self.timing.renew {
                // Counted from before the question: the answer may be long under way.
                let asked_at = Instant::now();
                match timeout(self.timing.renew, self.renew_over(connection.take())).await {
                    Ok(Ok(renewed)) => {
                        (connection, renewed_at) = (Some(renewed), asked_at);
                        tell(&mut renews, None);
                    }
                    Ok(Err(error)) => {
                        tell(&mut renews, Some(&crate::error::Failure::of(&error).message));
                    }
                    Err(_) => tell(&mut renews, Some("the control database does not answer")),
                }
            }
            self.locks.silent.store(renewed_at.elapsed() >= self.timing.ttl, Ordering::Relaxed);
        }
    }

    /// Renews over the connection if it is open, else over a new one.
    async fn renew_over(&self, connection: Option<Connection>) -> Result<Connection, ControlError> {
        let connection = match connection.filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => self.database.connect().await?,
        };
        self.renew(&connection).await?;
        Ok(connection)
    }

    /// Writes the session's row anew and learns which locks it still holds.
    async fn renew(&self, connection: &Connection) -> Result<(), ControlError> {
        let before = self.locks.lock().clone();
        let renew = "WITH renewed AS (
                INSERT INTO control.sessions (session, host, pid, backend_pid, backend_start, expires_at)
                SELECT $1, $2, $3, pid, backend_start, clock_timestamp() + make_interval(secs => $4)
                FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid()
                ON CONFLICT (session) DO UPDATE SET backend_pid = excluded.backend_pid,
                    backend_start = excluded.backend_start, expires_at = excluded.expires_at, gone_at = NULL)
            SELECT name, epoch FROM control.locks WHERE session = $1";
        let parameters: super::database::Parameters<'_> =
            &[&self.id, &self.host, &i64::from(std::process::id()), &self.timing.ttl.as_secs_f64()];
        let rows = connection
            .query(&self.database.sql(renew), parameters)
            .await
            .map_err(|error| self.database.error("renew the locks", &error))?;
        let answer: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        self.locks.compare(&before, &answer);
        for (name, held) in before.iter().filter(|(_, held)| held.given_up) {
            free(&self.database, &self.id, name, held.epoch).await?;
            self.locks.forget(name, held.epoch);
        }
        Ok(())
    }
}
