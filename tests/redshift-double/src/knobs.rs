//! Faults, planned by the test; and what was asked of the double so far.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::engine::error::SqlError;

/// A call of the Data API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// One statement.
    ExecuteStatement,
    /// Up to 40 of them.
    BatchExecuteStatement,
    /// How it stands with one.
    DescribeStatement,
    /// Its rows.
    GetStatementResult,
    /// Its end.
    CancelStatement,
    /// Those of the caller.
    ListStatements,
    /// Any of them: only to plan faults.
    Any,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// `ThrottlingException`; nothing is done.
    Throttle,
    /// `ExpiredTokenException`; nothing is done.
    ExpiredCredentials,
    /// `AccessDeniedException`; nothing is done.
    Deny,
    /// `InvalidSignatureException`, as for a caller whose clock is wrong; nothing is done.
    ClockSkew,
    /// `ResourceNotFoundException`, as for a statement of more than a day ago.
    Forget,
    /// HTTP 500, `InternalServerException`; nothing is done.
    Refuse,
    /// What was asked is done, and the answer is HTTP 500.
    DoAndRefuse,
    /// The connection ends before anything is done.
    Cut,
    /// What was asked is done, and the connection ends without an answer.
    DoAndCut,
    /// No answer comes, for an hour; nothing is done.
    Stall,
}

/// What goes wrong with a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementFault {
    /// It fails with this error before it did anything.
    Fail(SqlError),
    /// It is done, and fails with this error then.
    DoAndFail(SqlError),
    /// It runs until somebody cancels it.
    Hang,
    /// It rests as `SUBMITTED` for this long; the statement's time is not spent on Postgres.
    SlowStart(Duration),
    /// It waits for this long before it runs, as behind a lock or in a queue: `STARTED`.
    Wait(Duration),
    /// Somebody else cancels it before it runs: `ABORTED`.
    Abort,
    /// A COPY that skips this many rows and says nothing: fewer are loaded, and counted.
    LoseRows(u64),
    /// It is done, and the session's connection is lost then: autocommitted work stays, a transaction
    /// is rolled back (§1.7).
    Disconnect,
    /// The session's connection is lost before anything is done; a transaction is rolled back.
    Cut,
    /// By wire only: it is done, and nothing is heard any more, for an hour, though the connection stands.
    Silence,
}

/// What goes wrong with a login by wire.
#[derive(Debug, Clone, PartialEq)]
pub enum LoginFault {
    /// It is refused with this error.
    Refuse(SqlError),
    /// It takes so long.
    Wait(Duration),
    /// The connection ends.
    Cut,
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The operation's name, as it was sent.
    pub operation: String,
    /// The request's members.
    pub input: serde_json::Value,
}

#[derive(Default)]
struct Planned {
    calls: Vec<(Operation, CallFault, u32)>,
    statements: Vec<(String, StatementFault, u32)>,
    logins: Vec<(LoginFault, u32)>,
    seen_calls: Vec<Call>,
    seen_statements: Vec<String>,
}

/// The faults to come, and what was seen; clones are the same knobs.
#[derive(Clone, Default)]
pub struct Knobs(Arc<Mutex<Planned>>, Arc<Notify>);

impl Knobs {
    fn planned(&self) -> MutexGuard<'_, Planned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next `times` calls of this operation go wrong so.
    pub fn on_call(&self, operation: Operation, fault: CallFault, times: u32) {
        self.planned().calls.push((operation, fault, times));
    }

    /// The next `times` statements whose text has `part` in it, whatever the case of its letters, go
    /// wrong so.
    pub fn on_statement(&self, part: &str, fault: StatementFault, times: u32) {
        self.planned().statements.push((part.to_lowercase(), fault, times));
    }

    /// The next `times` logins by wire go wrong so.
    pub fn on_login(&self, fault: LoginFault, times: u32) {
        self.planned().logins.push((fault, times));
    }

    /// Ends the sessions by wire that are at rest, without a word to their clients.
    pub fn end_idle(&self) {
        self.1.notify_waiters();
    }

    pub(crate) async fn idle_ends(&self) {
        self.1.notified().await;
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        let mut planned = self.planned();
        planned.calls.clear();
        planned.statements.clear();
        planned.logins.clear();
    }

    /// How many planned faults have not happened.
    pub fn left(&self) -> u32 {
        let planned = self.planned();
        let calls = planned.calls.iter().map(|(_, _, times)| times);
        let logins = planned.logins.iter().map(|(_, times)| times);
        calls.chain(planned.statements.iter().map(|(_, _, times)| times)).chain(logins).sum()
    }

    /// The requests so far, those that went wrong among them.
    pub fn calls(&self) -> Vec<Call> {
        self.planned().seen_calls.clone()
    }

    /// The statements that were run so far, as they were sent.
    pub fn statements(&self) -> Vec<String> {
        self.planned().seen_statements.clone()
    }

    pub(crate) fn note_call(&self, call: Call) {
        self.planned().seen_calls.push(call);
    }

    pub(crate) fn note_statement(&self, sql: &str) {
        self.planned().seen_statements.push(sql.to_owned());
    }

    pub(crate) fn next_for_call(&self, operation: Operation) -> Option<CallFault> {
        let mut planned = self.planned();
        let of = |on: Operation| on == operation || on == Operation::Any;
        let (_, fault, times) = planned.calls.iter_mut().find(|(on, _, times)| of(*on) && *times > 0)?;
        *times -= 1;
        Some(*fault)
    }

    pub(crate) fn next_for_login(&self) -> Option<LoginFault> {
        let mut planned = self.planned();
        let (fault, times) = planned.logins.iter_mut().find(|(_, times)| *times > 0)?;
        *times -= 1;
        Some(fault.clone())
    }

    /// The fault for this statement, if it is of the kind that `wanted` asks for.
    pub(crate) fn next_for_statement(
        &self,
        sql: &str,
        wanted: impl Fn(&StatementFault) -> bool,
    ) -> Option<StatementFault> {
        let sql = sql.to_lowercase();
        let mut planned = self.planned();
        let (_, fault, times) = planned
            .statements
            .iter_mut()
            .find(|(part, fault, times)| *times > 0 && sql.contains(part.as_str()) && wanted(fault))?;
        *times -= 1;
        Some(fault.clone())
    }
}
