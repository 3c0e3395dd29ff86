//! Locks: leases that free themselves when their holder dies, and slots, which are several alike.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Control, ControlError, database::PATIENCE, session::SEEN, session::Session};
use crate::fail_point;

/// Who takes a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The run's id.
    pub run: String,
    /// What for: `load raw_shop.orders`.
    pub what: String,
}

/// Who has a lock, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    /// The run's id.
    pub run: String,
    /// What for.
    pub what: String,
    /// On which machine.
    pub host: String,
    /// By which process there.
    pub pid: i64,
    /// Since when.
    pub since: Timestamp,
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} on {}, pid {}", self.run, self.host, self.pid)
    }
}

/// A lock that is held. Renewed in the background until it is released or dropped.
pub struct Lease {
    session: Arc<Session>,
    name: String,
    epoch: i64,
    lost: CancellationToken,
    released: bool,
}

impl Lease {
    fn of(session: &Arc<Session>, name: String, epoch: i64) -> Self {
        let lost = session.hold(&name, epoch);
        Self { session: session.clone(), name, epoch, lost, released: false }
    }

    /// The lock's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One more at each take of this lock: the greater epoch is the later holder.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Whether somebody else may have the lock by now: it was taken by another, or could not be renewed in time.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled() || self.session.is_silent()
    }

    /// Waits until it is known that the lock is lost: the control database says so. While that is away nobody takes
    /// it, and where only this process is cut off the ledger lets one of two publish.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Asks the control database whether the lock is still held. If it is not, it is lost from now on, also
    /// where the next renewal would have been the first to notice.
    pub async fn ask(&self) -> Result<bool, ControlError> {
        let is_held = self.session.holds(&self.name, self.epoch).await?;
        if !is_held {
            self.lost.cancel();
        }
        Ok(is_held)
    }

    /// Gives the lock back. Where that fails it is tried again in the background.
    pub async fn release(mut self) -> Result<(), ControlError> {
        self.released = true;
        self.session.give_back(&self.name, self.epoch).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.released {
            self.session.give_back_later(std::mem::take(&mut self.name), self.epoch);
        }
    }
}

/// What came of one try.
enum Try {
    Taken(Vec<Lease>),
    /// Others have it. `fading`: one of them seems to have died just now.
    Busy {
        fading: bool,
    },
}

/// A session `s` that is alive; `$1` is the grace in seconds. Where the server's clock was put back since somebody found it
/// gone, its grace is over: else it would last until the clock is where it was.
pub(super) fn alive() -> String {
    format!(
        "(s.expires_at > clock_timestamp() AND (s.gone_at IS NULL OR {SEEN}
          OR s.gone_at BETWEEN clock_timestamp() - make_interval(secs => $1) AND clock_timestamp()))"
    )
}

impl Control {
    /// Takes the lock `name`; waits for it at most `wait` (and a moment longer where its holder
    /// seems to have died just now). `None`: it is held.
    pub async fn acquire(
        &self,
        name: &str,
        holder: &Holder,
        wait: Duration,
    ) -> Result<Option<Lease>, ControlError> {
        let leases = self.acquire_some(vec![name.to_owned()], 1..=1, holder, wait).await?;
        Ok(leases.and_then(|mut leases| leases.pop()))
    }

    /// Takes as many of the slots `prefix/1` … `prefix/count` as are free, the first ones, at most and at
    /// least what `want` says, all at once or none. `None`: there are not enough after `wait`.
    pub async fn acquire_any(
        &self,
        prefix: &str,
        count: u32,
        want: RangeInclusive<u32>,
        holder: &Holder,
        wait: Duration,
    ) -> Result<Option<Vec<Lease>>, ControlError> {
        let names = (1..=count).map(|slot| format!("{prefix}/{slot}")).collect();
        self.acquire_some(names, want, holder, wait).await
    }

    /// Who has the lock `name`; `None` where it is free, or its holder has died.
    pub async fn who_holds(&self, name: &str) -> Result<Option<HeldBy>, ControlError> {
        let who = format!(
            "SELECT l.run, l.what, s.host, s.pid, l.taken_at
             FROM control.locks l JOIN control.sessions s ON s.session = l.session
             WHERE l.name = $2 AND {} AND {SEEN}",
            alive()
        );
        let grace = self.shared.timing.grace.as_secs_f64();
        let rows = self.database().query("ask who holds a lock", &who, &[&grace, &name]).await?;
        Ok(rows.first().map(|row| HeldBy {
            run: row.get(0),
            what: row.get(1),
            host: row.get(2),
            pid: row.get(3),
            since: row.get(4),
        }))
    }

    async fn acquire_some(
        &self,
        names: Vec<String>,
        want: RangeInclusive<u32>,
        holder: &Holder,
        wait: Duration,
    ) -> Result<Option<Vec<Lease>>, ControlError> {
        let session = self.session().await?;
        let started_at = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            // In a task of its own: given up in mid-statement, a lock that was taken is dropped, and
            // so given back, all the same.
            let attempt = attempt(session.clone(), names.clone(), want.clone(), holder.clone());
            let fading = match tokio::spawn(attempt).await.map_err(|_| ControlError::Ending)?? {
                Try::Taken(leases) => return Ok(Some(leases)),
                Try::Busy { fading } => fading,
            };
            let patience = if fading { wait + 2 * self.shared.timing.grace } else { wait };
            let left = patience.saturating_sub(started_at.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }
}

/// One try at some locks, all at once or none.
async fn attempt(
    session: Arc<Session>,
    names: Vec<String>,
    want: RangeInclusive<u32>,
    holder: Holder,
) -> Result<Try, ControlError> {
    let grace = session.timing.grace.as_secs_f64();
    let work = session.database.begin("take a lock", PATIENCE).await?;
    let make = "INSERT INTO control.locks (name, epoch) SELECT name, 0 FROM unnest($1::text[]) AS name
                ON CONFLICT DO NOTHING";
    work.execute(make, &[&names]).await?;
    let take = format!(
        "WITH free AS (
             SELECT l.name FROM control.locks l
             WHERE l.name = ANY($2) AND NOT EXISTS (
                 SELECT FROM control.sessions s WHERE s.session = l.session AND {})
             ORDER BY length(l.name), l.name LIMIT $3 FOR UPDATE OF l SKIP LOCKED)
         UPDATE control.locks l SET epoch = l.epoch + 1, session = $4, run = $5, what = $6,
             taken_at = clock_timestamp()
         FROM free WHERE l.name = free.name RETURNING l.name, l.epoch",
        alive()
    );
    let most = i64::from(*want.end());
    let taken = work.query(&take, &[&grace, &names, &most, &session.id, &holder.run, &holder.what]).await?;
    if taken.is_empty() || taken.len() < usize::try_from(*want.start()).unwrap_or(usize::MAX) {
        work.rollback().await?;
        return Ok(Try::Busy { fading: mark_gone(&session, &names).await? });
    }
    fail_point!("control.lock.before");
    let committed = work.commit().await;
    fail_point!("control.lock.after");
    let leases = taken.iter().map(|row| Lease::of(&session, row.get(0), row.get(1))).collect();
    // After a lost answer they may be held or not: dropped, they are given back.
    committed.map(|()| Try::Taken(leases))
}

/// Notes which holders' connections have gone, and whether one of them is still in its grace.
async fn mark_gone(session: &Session, names: &[String]) -> Result<bool, ControlError> {
    let holders = "SELECT session FROM control.locks WHERE name = ANY($1)";
    let mark = format!(
        "UPDATE control.sessions s SET gone_at = CASE WHEN {SEEN} THEN NULL ELSE clock_timestamp() END
         WHERE s.session IN ({holders}) AND {SEEN} = (s.gone_at IS NOT NULL)"
    );
    session.database.execute("look for dead holders", &mark, &[&names]).await?;
    let fading =
        format!("SELECT FROM control.sessions s WHERE s.session IN ({holders}) AND s.gone_at IS NOT NULL");
    Ok(!session.database.query("look for dead holders", &fading, &[&names]).await?.is_empty())
}
