//! The life of a statement: SUBMITTED, PICKED, STARTED, and its end.

use std::sync::Arc;

use super::statements::{Statement, Status};
use crate::{
    engine::{
        Engine,
        cancel::{Ended, unless},
        error::SqlError,
        outcome::Outcome,
        session::Session,
    },
    knobs::StatementFault,
    sql,
};

/// The longest row of a result (§7).
const MOST_ROW_BYTES: usize = 64 * 1024;
/// The largest result.
const MOST_RESULT_BYTES: i64 = 500 * 1024 * 1024;

/// Why it ended before its end.
enum Stopped {
    /// There is no session.
    Fatal(String),
    /// The statement of this number failed, or what encloses them all.
    Failed(Option<usize>, SqlError),
    Cancelled,
}

/// Runs it to its end.
pub(super) async fn run(engine: Arc<Engine>, statement: Arc<Statement>) {
    let begun = tokio::select! {
        begun = begin(&engine, &statement) => begun,
        () = statement.cancelled() => Err(Stopped::Cancelled),
    };
    let ended = match begun {
        Ok(mut session) => {
            let ran = run_in(&mut session, &statement).await;
            if ran.is_ok() {
                session.close().await;
            }
            ran
        }
        Err(stopped) => Err(stopped),
    };
    let (status, error) = match ended {
        Ok(()) => (Status::Finished, None),
        Err(Stopped::Fatal(text)) => (Status::Failed, Some(text)),
        Err(Stopped::Failed(number, error)) => (Status::Failed, Some(told(&statement, number, &error))),
        Err(Stopped::Cancelled) => (Status::Aborted, Some("Query cancelled on user's request".to_owned())),
    };
    statement.end(status, error);
}

/// A batch tells which statement failed; the wording is unconfirmed.
fn told(statement: &Statement, number: Option<usize>, error: &SqlError) -> String {
    match number {
        Some(number) if statement.asked.is_batch => format!("Query #{} failed with {error}", number + 1),
        _ => error.to_string(),
    }
}

async fn begin(engine: &Arc<Engine>, statement: &Statement) -> Result<Session, Stopped> {
    let pace = engine.settings().pace;
    tokio::time::sleep(pace).await;
    let slow = |fault: &StatementFault| matches!(fault, StatementFault::SlowStart(_));
    let text = statement.asked.sqls.join(";");
    if let Some(StatementFault::SlowStart(time)) = engine.knobs().next_for_statement(&text, slow) {
        tokio::time::sleep(time).await;
    }
    statement.state().whole.go_to(Status::Picked);
    tokio::time::sleep(pace).await;
    if engine.knobs().next_for_statement(&text, |fault| *fault == StatementFault::Abort).is_some() {
        return Err(Stopped::Cancelled);
    }
    let database = &statement.asked.database;
    if *database != engine.settings().database {
        return Err(Stopped::Fatal(format!("FATAL: database \"{database}\" does not exist")));
    }
    let asked = &statement.asked;
    let opened = Session::open(engine, asked.db_user.as_deref(), asked.workgroup.is_some()).await;
    let session = opened.map_err(|error| Stopped::Fatal(format!("FATAL: {}", error.message)))?;
    let mut state = statement.state();
    state.pid = session.pid().into();
    state.whole.go_to(Status::Started);
    drop(state);
    Ok(session)
}

/// Runs all of it; a batch is one transaction unless its mode says otherwise.
async fn run_in(session: &mut Session, statement: &Statement) -> Result<(), Stopped> {
    if statement.asked.is_transaction() {
        session.begin().await.map_err(|error| Stopped::Failed(None, error))?;
    }
    for number in 0..statement.asked.sqls.len() {
        run_one(session, statement, number).await?;
    }
    // A TRUNCATE may have ended the transaction before (§2.2).
    if session.in_transaction() {
        cancellable(session, statement, None, async |session| session.commit().await).await?;
    }
    Ok(())
}

async fn run_one(session: &mut Session, statement: &Statement, number: usize) -> Result<(), Stopped> {
    let query_id = session.next_query_id();
    {
        let mut state = statement.state();
        state.whole.query_id = query_id;
        state.parts[number].query_id = query_id;
        state.parts[number].go_to(Status::Started);
    }
    let ran = match ready(statement, number) {
        Ok(sql) => {
            let run = async |session: &mut Session| session.run(&sql).await.and_then(fits);
            cancellable(session, statement, Some(number), run).await
        }
        Err(error) => Err(Stopped::Failed(Some(number), error)),
    };
    let mut state = statement.state();
    let part = &mut state.parts[number];
    match ran {
        Ok(outcome) => {
            part.outcome = Some(Arc::new(outcome));
            part.go_to(Status::Finished);
            Ok(())
        }
        Err(stopped) => {
            if let Stopped::Failed(_, error) = &stopped {
                part.error = Some(error.to_string());
                part.go_to(Status::Failed);
            }
            Err(stopped)
        }
    }
}

/// The statement's text with its parameters. A batch that is a transaction has no transaction
/// statements of its own: unconfirmed, so refused.
fn ready(statement: &Statement, number: usize) -> Result<String, SqlError> {
    let asked = &statement.asked;
    let text = &asked.sqls[number];
    if asked.is_transaction() && sql::controls_transaction(text)? {
        let text = "transaction statements are not allowed in a batch that is a transaction";
        return Err(SqlError::new("25001", text));
    }
    sql::bind(text, &asked.parameters)
}

/// Does this unless it is cancelled; what was done when the request came stays done.
async fn cancellable<T>(
    session: &mut Session,
    statement: &Statement,
    number: Option<usize>,
    work: impl AsyncFnOnce(&mut Session) -> Result<T, SqlError>,
) -> Result<T, Stopped> {
    match unless(session, statement.cancelled(), work).await {
        Ended::Done(done) => done.map_err(|error| Stopped::Failed(number, error)),
        Ended::AfterAll(done) => done.map_err(|_| Stopped::Cancelled),
        Ended::Left => Err(Stopped::Cancelled),
    }
}

/// Limits of results: a statement that is over them fails (unconfirmed for a row).
fn fits(outcome: Outcome) -> Result<Outcome, SqlError> {
    if outcome.longest_row_bytes() > MOST_ROW_BYTES {
        return Err(SqlError::new("54000", "Row size exceeds the limit of 64 KB of the Data API"));
    }
    if outcome.size_bytes() > MOST_RESULT_BYTES {
        return Err(SqlError::new("54000", "Result size exceeds the limit of 500 MB of the Data API"));
    }
    Ok(outcome)
}
