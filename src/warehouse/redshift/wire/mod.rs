//! Redshift by its wire protocol: Postgres' third, of which the simple query is all that is used.
//!
//! One statement is a transaction of its own; of more the client writes the BEGIN and the COMMIT. As COMMIT
//! is sent when everything before it was answered, a connection that breaks earlier has done nothing, and
//! only for COMMIT itself, or for a statement alone, an answer can be lost.

mod lost;
mod session;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use self::{
    lost::LostSessions,
    session::{Failed, Session},
};
use super::{
    RedshiftError,
    transport::{Answer, Batch, Transport},
};
use crate::{fail_point, pg::Endpoint};

/// The bytes of one statement, at most ("Quotas and limits in Amazon Redshift").
const STATEMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A session that rested for longer is asked whether it is alive before it is used: a firewall or the
/// server may have ended it while rows were read from the source.
const FRESH: Duration = Duration::from_secs(5);

/// One that rested for longer is not asked any more: what is between forgets connections without a word.
const STALE: Duration = Duration::from_secs(300);

/// How long the locks of one batch may take, at least: a statement that waits for nothing takes as long.
const LOCKS_AT_LEAST: Duration = Duration::from_secs(1);

/// Sessions that are kept open while nothing is asked.
const IDLE_MAX: usize = 8;

/// Redshift by wire.
pub(super) struct Wire {
    endpoint: Endpoint,
    /// The ledger's table of loads, for SQL: what a publish writes last.
    loads: String,
    idle: Mutex<Vec<(Session, Instant)>>,
    lost: LostSessions,
}

#[async_trait]
impl Transport for Wire {
    fn place(&self) -> String {
        self.endpoint.place()
    }

    async fn run(&self, batch: Batch) -> Result<Vec<Answer>, RedshiftError> {
        if let Some(long) = batch.statements.iter().find(|sql| sql.len() > STATEMENT_BYTES_MAX) {
            let what =
                format!("a statement of {} bytes, and Redshift takes {STATEMENT_BYTES_MAX}", long.len());
            return Err(RedshiftError::Answer { doing: batch.doing, what });
        }
        let mut under_way = UnderWay { session: Some(self.session().await?), lost: &self.lost };
        let Some(session) = &under_way.session else { return Ok(Vec::new()) };
        let (done, is_usable) = match batch.statements.as_slice() {
            [alone] => alone_by(session, &batch, alone).await,
            _ => together_by(session, &batch).await,
        };
        if is_usable && let Some(session) = under_way.session.take() {
            self.rest(session);
        }
        done
    }

    fn locks_within(&self, asked: Duration) -> Duration {
        asked.max(LOCKS_AT_LEAST)
    }

    async fn settle(&self, _name: &str) -> Result<(), RedshiftError> {
        self.settle_all().await
    }

    async fn give_up(&self, name: &str) -> Result<(), RedshiftError> {
        // A session whose client is gone commits nothing that it was not told to commit.
        self.settle(name).await
    }
}

impl Wire {
    /// For a ledger in this schema.
    pub(super) fn new(endpoint: Endpoint, ledger: &str) -> Self {
        let loads = format!("{ledger}.loads");
        Self { endpoint, loads, idle: Mutex::default(), lost: LostSessions::default() }
    }

    /// A session that is alive: one that rests, or a new one.
    async fn session(&self) -> Result<Session, RedshiftError> {
        while let Some((session, since)) = self.resting() {
            let rested = since.elapsed();
            if session.has_ended() || rested >= STALE {
                continue;
            }
            if rested < FRESH || session.is_alive().await {
                return Ok(session);
            }
        }
        Ok(Session::open(&self.endpoint).await?)
    }

    fn resting(&self) -> Option<(Session, Instant)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn rest(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push((session, Instant::now()));
        }
    }
}

/// A session with a batch under way. Whatever is dropped with its session in it is looked for by `settle`:
/// its statement is being cancelled, and its transaction is not over until the server has noticed.
struct UnderWay<'a> {
    session: Option<Session>,
    lost: &'a LostSessions,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.lost.add(session.pid());
        }
    }
}

/// A statement that is a transaction of its own, and whether the session can be used on.
async fn alone_by(session: &Session, batch: &Batch, sql: &str) -> (Result<Vec<Answer>, RedshiftError>, bool) {
    let asked = match batch.locks {
        Some((1.., limit)) => session.ask_within(sql, limit).await,
        _ => session.ask(sql).await,
    };
    match asked {
        Ok(answer) => (Ok(vec![answer]), true),
        Err(failed) => {
            let is_usable = matches!(failed, Failed::Refused { .. });
            (Err(failed.perhaps_done(&batch.doing, session.place())), is_usable)
        }
    }
}

/// Statements that are one transaction.
async fn together_by(session: &Session, batch: &Batch) -> (Result<Vec<Answer>, RedshiftError>, bool) {
    let answers = match statements(session, batch).await {
        Ok(answers) => answers,
        Err(failed) => {
            let is_usable = session.roll_back().await;
            return (Err(failed.statement(&batch.doing, session.place())), is_usable);
        }
    };
    fail_point!("wire.commit.before");
    let done = match session.commit().await {
        Ok(_) => (Ok(answers), true),
        Err(failed) => {
            let is_usable = matches!(failed, Failed::Refused { .. }) && session.roll_back().await;
            (Err(failed.perhaps_done(&batch.doing, session.place())), is_usable)
        }
    };
    fail_point!("wire.commit.after");
    done
}

async fn statements(session: &Session, batch: &Batch) -> Result<Vec<Answer>, Failed> {
    session.ask("BEGIN").await?;
    let (locks, limit) = batch.locks.unwrap_or_default();
    let begun = Instant::now();
    let mut answers = Vec::with_capacity(batch.statements.len());
    for (place, sql) in batch.statements.iter().enumerate() {
        answers.push(match place < locks {
            true => session.ask_within(sql, limit.saturating_sub(begun.elapsed())).await?,
            false => session.ask(sql).await?,
        });
    }
    Ok(answers)
}
