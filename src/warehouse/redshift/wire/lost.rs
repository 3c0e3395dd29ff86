//! Batches of which nobody knows how they ended.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    super::{
        RedshiftError,
        transport::{Batch, Transport},
    },
    Wire,
};
use crate::error::{Class, Fault};

/// The first pause between two looks, and the longest.
const LOOK_FIRST: Duration = Duration::from_millis(100);
const LOOK_LAST: Duration = Duration::from_secs(2);

/// How long one look waits for the ledger, and for how long it is looked.
const LOCK_WITHIN: Duration = Duration::from_secs(20);
const LOST_AFTER: Duration = Duration::from_secs(60);

/// For how long a session that was lost may still be there; its number may become another one's later.
const GONE_AFTER: Duration = Duration::from_secs(900);

/// Sessions of this process that were left in the midst of a batch: the server's numbers, and since when.
#[derive(Default)]
pub(super) struct LostSessions(Mutex<Vec<(String, Instant)>>);

impl LostSessions {
    pub(super) fn add(&self, pid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((pid.to_owned(), Instant::now()));
    }

    fn take(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.into_iter().filter(|(_, since)| since.elapsed() < GONE_AFTER).map(|(pid, _)| pid).collect()
    }
}

impl Wire {
    /// Ends the sessions that were lost, and waits until nothing can be published any more whose COMMIT was
    /// sent before.
    ///
    /// A session is ended so that it holds no lock for as long as the server takes to notice. That is not
    /// needed for the outcome: COMMIT is sent when the ledger's row is written, and who has written it holds
    /// a lock on the ledger until the transaction is over. So whoever has had the ledger's lock sees what
    /// became of every COMMIT that was sent before, by whatever process.
    pub(super) async fn settle_all(&self) -> Result<(), RedshiftError> {
        let lost = self.lost.take();
        let begun = Instant::now();
        let mut pause = LOOK_FIRST;
        loop {
            match self.look(&lost).await {
                Err(error) if error.class() == Class::Passing && begun.elapsed() < LOST_AFTER => {}
                looked => return looked,
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LOOK_LAST);
        }
    }

    async fn look(&self, lost: &[String]) -> Result<(), RedshiftError> {
        for pid in lost {
            let end = Batch::new("end a session that was lost", "settle")
                .then(format!("SELECT pg_terminate_backend({pid})"));
            match self.run(end).await {
                // One that has ended by itself is what is wanted, and the ledger's lock is what counts.
                Ok(_) | Err(RedshiftError::Statement { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut wait = Batch::new("wait for what is under way", "settle")
            .then(format!("LOCK {}", self.loads))
            .then("SELECT 1");
        wait.locks = Some((1, LOCK_WITHIN));
        match self.run(wait).await {
            // Without a ledger nothing was published.
            Err(RedshiftError::Statement { code: Some(code), .. }) if NOT_THERE.contains(&code.as_str()) => {
                Ok(())
            }
            waited => waited.map(drop),
        }
    }
}

/// undefined_table, invalid_schema_name.
const NOT_THERE: [&str; 2] = ["42P01", "3F000"];
