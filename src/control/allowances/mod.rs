//! How often services may be asked, over all processes: what each may have counted, and when it may be asked next.
//!
//! Whoever takes an allowance holds its source's row meanwhile, so that they come one by one; who is answered writes
//! beside them. Nothing here waits: it says until when to. All times are the database's.

mod limits;
mod rows;
mod windows;

use std::time::Duration;

use jiff::Timestamp;

pub use self::limits::{CalendarUnit, Limits, Window};
use self::{
    rows::{
        ANSWERED, FORGET_WAITER, grant, in_micros, lengths, lock, read, say_waiting, settle, spans, timestamp,
    },
    windows::{earliest, reached, skew_seconds, standing, touched},
};
use super::{
    Control, ControlError,
    database::{PATIENCE, Parameters, persist},
};
use crate::{event::Tier, fail_point};

/// No service is believed that wants not to be asked for longer.
const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);

/// How long an optional task lets critical ones go first before it looks again, in microseconds.
const GIVES_WAY: i64 = 500_000;

/// Who asks: a process, and what else of it waits.
#[derive(Debug, Clone, Copy)]
pub struct Waiter<'a> {
    /// A name that nobody else has.
    pub name: &'a str,
    /// Of which tier the task is.
    pub tier: Tier,
    /// How many critical ones wait there, this one too.
    pub critical: u32,
    /// Whether that was written down already.
    pub is_known: bool,
}

/// What came of asking for an allowance.
#[derive(Debug)]
pub enum Taken {
    /// One request may be sent.
    Grant(Grant),
    /// None may yet.
    Wait {
        /// It is no use to ask again before.
        until: Timestamp,
        /// How long that is.
        wait: Duration,
    },
}

/// How much of a source's limits may have been used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// One a limit.
    pub windows: Vec<UsedWindow>,
    /// Until when the service wants not to be asked.
    pub paused_until: Option<Timestamp>,
}

/// How much of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedWindow {
    /// Which.
    pub window: Window,
    /// How many requests count now, those under way too.
    pub used: u64,
    /// When its unit of the calendar ends; a window that slides has no end.
    pub ends_at: Option<Timestamp>,
}

/// A request that may be sent.
#[derive(Debug, Clone)]
pub struct Grant {
    source: String,
    id: String,
    granted_at: i64,
}

impl Control {
    /// Takes an allowance of a source, if there is one now. What is taken counts until it is answered
    /// ([`Control::answered`]), or for `limits.longest`. Dropped in the middle, it may count for that long.
    pub async fn take_allowance(
        &self,
        source: &str,
        limits: &Limits,
        waiter: Waiter<'_>,
    ) -> Result<Taken, ControlError> {
        let work = self.database().begin("take an allowance", PATIENCE).await?;
        lock(&work, source).await?;
        // A statement of its own: what others wrote while the row was waited for is seen, and the time is that of now.
        let mut state = read(&work, source, waiter.name).await?;
        let changed = settle(&work, source, limits, &mut state).await?;
        let first = if waiter.tier == Tier::Critical { 0 } else { state.waiting };
        let at = earliest(limits, &state, waiter.tier, 0);
        if at <= state.now && earliest(limits, &state, waiter.tier, first) <= state.now {
            let grant = grant(&work, source, limits, waiter, state.now).await?;
            fail_point!("control.allowance.before");
            work.commit().await?;
            fail_point!("control.allowance.after");
            return Ok(Taken::Grant(grant));
        }
        let wait = if at > state.now { at - state.now } else { GIVES_WAY };
        if waiter.tier == Tier::Critical {
            say_waiting(&work, source, waiter, i64::from(waiter.critical), state.now + wait).await?;
        }
        if waiter.tier == Tier::Critical || changed {
            work.commit().await?;
        } else {
            work.rollback().await?;
        }
        Ok(Taken::Wait {
            until: timestamp(state.now + wait),
            wait: Duration::from_micros(wait.unsigned_abs()),
        })
    }

    /// Writes that a request was answered, or will not be: it counts for a window's length from now on. Tried again where the
    /// database is away; in the end it counts as long as it could be under way.
    pub async fn answered(&self, grant: &Grant, limits: &Limits) -> Result<(), ControlError> {
        let (units, starts, ends) = spans(limits, |unit| {
            reached(unit, limits, grant.granted_at, grant.granted_at + in_micros(limits.longest))
        });
        let parameters: Parameters<'_> = &[
            &grant.source,
            &grant.id,
            &lengths(limits),
            &units,
            &starts,
            &ends,
            &None::<Timestamp>,
            &skew_seconds(),
        ];
        let write = || self.database().execute("write that an allowance is spent", ANSWERED, parameters);
        persist(write).await.map(drop)
    }

    /// Gives an allowance back with which nothing was sent.
    pub async fn give_back_allowance(&self, grant: &Grant, limits: &Limits) -> Result<(), ControlError> {
        let (units, starts, ends) = spans(limits, |unit| touched(unit, limits, grant.granted_at));
        let give_back = "WITH gone AS (
                DELETE FROM control.allowance_open WHERE source = $1 AND id = $2 RETURNING source)
            UPDATE control.allowance_calendar c SET count = c.count - 1
            FROM gone, unnest($3::text[], $4::timestamptz[], $5::timestamptz[]) AS n (unit, starts_at, ends_at)
            WHERE c.source = gone.source AND c.unit = n.unit AND c.starts_at = n.starts_at
                AND c.ends_at = n.ends_at";
        let parameters: Parameters<'_> = &[&grant.source, &grant.id, &units, &starts, &ends];
        self.database().execute("give an allowance back", give_back, parameters).await.map(drop)
    }

    /// Writes that a service wants not to be asked for a time (at most an hour is believed): nobody is given an
    /// allowance before.
    pub async fn pause_allowance(&self, source: &str, wait: Duration) -> Result<(), ControlError> {
        let pause = "INSERT INTO control.allowances AS a (source, paused_until)
            VALUES ($1, clock_timestamp() + make_interval(secs => $2))
            ON CONFLICT (source) DO UPDATE SET paused_until = greatest(a.paused_until, excluded.paused_until)";
        let seconds = wait.min(PAUSE_MAX).as_secs_f64();
        self.database().execute("write that a service pauses", pause, &[&source, &seconds]).await.map(drop)
    }

    /// How long a service still wants not to be asked.
    pub async fn allowance_pause(&self, source: &str) -> Result<Duration, ControlError> {
        let left = "SELECT extract(epoch FROM paused_until - clock_timestamp())::float8
            FROM control.allowances WHERE source = $1 AND paused_until > clock_timestamp()";
        let rows = self.database().query("ask whether a service pauses", left, &[&source]).await?;
        let seconds = rows.first().map_or(0.0, |row| row.get::<_, f64>(0));
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default().min(PAUSE_MAX))
    }

    /// How much of a source's limits may have been used by now.
    pub async fn allowance(&self, source: &str, limits: &Limits) -> Result<Standing, ControlError> {
        let work = self.database().begin("look at an allowance", PATIENCE).await?;
        let state = read(&work, source, "").await?;
        work.rollback().await?;
        Ok(standing(limits, &state))
    }

    /// Takes back that critical tasks of this process wait.
    pub async fn waits_no_more(&self, source: &str, waiter: &str) -> Result<(), ControlError> {
        self.database().execute("wait for no allowance", FORGET_WAITER, &[&source, &waiter]).await.map(drop)
    }
}
