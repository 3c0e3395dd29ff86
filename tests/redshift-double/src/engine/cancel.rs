//! Work that can be cancelled from outside.

use std::time::Duration;

use tokio_postgres::NoTls;

use super::{error::SqlError, session::Session};

/// After this the session is left to its end.
const LONGEST_CANCEL: Duration = Duration::from_secs(2);

/// How work ended that could be cancelled.
pub(crate) enum Ended<T> {
    /// By itself.
    Done(Result<T, SqlError>),
    /// When it had been cancelled: what was done when the request came stays done.
    AfterAll(Result<T, SqlError>),
    /// It did not end.
    Left,
}

/// Does this, and cancels it on Postgres when `cancelled` says so.
pub(crate) async fn unless<T>(
    session: &mut Session,
    cancelled: impl Future<Output = ()>,
    work: impl AsyncFnOnce(&mut Session) -> Result<T, SqlError>,
) -> Ended<T> {
    let canceller = session.canceller();
    let mut work = std::pin::pin!(work(session));
    tokio::select! {
        biased;
        () = cancelled => {}
        done = &mut work => return Ended::Done(done),
    }
    let given_up = async {
        let _ = canceller.cancel_query(NoTls).await;
        tokio::time::sleep(LONGEST_CANCEL).await;
    };
    tokio::select! {
        done = &mut work => Ended::AfterAll(done),
        () = given_up => Ended::Left,
    }
}
