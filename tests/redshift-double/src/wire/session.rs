//! A session by wire: who it is, what it asks, what it is told.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::Notify,
};

use super::{
    Wire,
    messages::{self, Out},
};
use crate::{
    engine::{
        cancel::{Ended, unless},
        error::SqlError,
        outcome::Outcome,
        session::Session,
    },
    knobs::{LoginFault, StatementFault},
    logins::Login,
};

/// The longest statement (§6.1).
const STATEMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a session is told of the server (§6.1).
const PARAMETERS: &[(&str, &str)] = &[
    ("server_version", "8.0.2"),
    ("server_encoding", "UNICODE"),
    ("client_encoding", "UNICODE"),
    ("DateStyle", "ISO, MDY"),
    ("integer_datetimes", "on"),
    ("TimeZone", "UTC"),
    ("padb_version", "Double"),
];

/// A session with its client.
struct Serving<'a, S> {
    wire: &'a Wire,
    stream: S,
    session: Session,
    /// Whether its transaction met an error.
    has_failed: bool,
    cancelled: Arc<Notify>,
}

/// Serves one until it ends. `Ok`: nothing is left to say.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &Wire,
    mut stream: S,
    parameters: &HashMap<String, String>,
) -> io::Result<()> {
    let session = match log_in(wire, &mut stream, parameters).await? {
        Ok(session) => session,
        Err(error) => {
            let mut out = Out::default();
            out.error("FATAL", &error);
            stream.write_all(&out.0).await?;
            return stream.shutdown().await;
        }
    };
    let (pid, secret) = (session.pid(), i32::from_be_bytes(salt()));
    let cancelled = Arc::new(Notify::new());
    let key = (secret, Arc::clone(&cancelled));
    wire.cancels.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, key);
    let mut out = Out::default();
    out.welcome();
    for (name, value) in PARAMETERS {
        out.parameter(name, value);
    }
    out.key(pid, secret);
    out.ready(b'I');
    stream.write_all(&out.0).await?;
    let served = Serving { wire, stream, session, has_failed: false, cancelled }.serve().await;
    wire.cancels.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    served
}

/// Four bytes that nobody guesses.
fn salt() -> [u8; 4] {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// Who is there, by a password. The error is one for the client.
async fn log_in(
    wire: &Wire,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    parameters: &HashMap<String, String>,
) -> io::Result<Result<Session, SqlError>> {
    let user = parameters.get("user").map_or("", String::as_str);
    let database = parameters.get("database").map_or(user, String::as_str);
    let salt = salt();
    let mut out = Out::default();
    out.ask_for_md5(salt);
    stream.write_all(&out.0).await?;
    let answer = messages::read(stream).await?;
    match wire.engine.knobs().next_for_login() {
        Some(LoginFault::Refuse(error)) => return Ok(Err(error)),
        Some(LoginFault::Wait(time)) => tokio::time::sleep(time).await,
        Some(LoginFault::Cut) => return Err(io::ErrorKind::ConnectionAborted.into()),
        None => {}
    }
    let given = messages::text(&answer.body);
    let is_right = |login: &Login| {
        let right =
            postgres_protocol::authentication::md5_hash(user.as_bytes(), login.password.as_bytes(), salt);
        answer.kind == b'p' && right == given
    };
    let Some(login) = wire.logins.find(user, is_right) else {
        let text = format!("password authentication failed for user \"{user}\"");
        return Ok(Err(SqlError::new("28000", text)));
    };
    if database != wire.engine.settings().database {
        return Ok(Err(SqlError::new("3D000", format!("database \"{database}\" does not exist"))));
    }
    Ok(Session::open(&wire.engine, login.role.as_deref(), false).await)
}

/// What follows an answer.
enum Next {
    Goes,
    Ends,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Serving<'_, S> {
    async fn serve(mut self) -> io::Result<()> {
        loop {
            let message = tokio::select! {
                message = messages::read(&mut self.stream) => message?,
                // At rest, it is ended without a word.
                () = self.wire.engine.knobs().idle_ends() => return Ok(()),
            };
            let next = match message.kind {
                b'Q' => self.query(&messages::text(&message.body)).await?,
                b'X' => Next::Ends,
                b'P' | b'B' | b'C' | b'D' | b'E' | b'H' | b'F' => self.refuse_extended().await?,
                _ => Next::Goes,
            };
            if matches!(next, Next::Ends) {
                return Ok(());
            }
        }
    }

    async fn query(&mut self, sql: &str) -> io::Result<Next> {
        let mut out = Out::default();
        if sql.trim().is_empty() {
            out.empty();
            return self.ready(out).await;
        }
        self.session.next_query_id();
        match self.run(sql).await {
            Ok(outcome) => {
                self.has_failed &= self.session.in_transaction();
                out.outcome(&outcome, &tag(sql, &outcome));
            }
            // Nothing is left to talk to: the client sees the connection end.
            Err(error) if error.code.starts_with("08") || error.code == "57P01" => return Ok(Next::Ends),
            Err(error) => {
                self.has_failed = self.session.in_transaction();
                out.error("ERROR", &error);
            }
        }
        let silent = |fault: &StatementFault| matches!(fault, StatementFault::Silence);
        if self.wire.engine.knobs().next_for_statement(sql, silent).is_some() {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            return Ok(Next::Ends);
        }
        self.ready(out).await
    }

    async fn run(&mut self, sql: &str) -> Result<Outcome, SqlError> {
        if sql.len() > STATEMENT_BYTES_MAX {
            let text = "Statement is too large. Statement Size: over 16777216 bytes. Maximum Allowed: 16777216 bytes";
            return Err(SqlError::new("54001", text));
        }
        // A request that came too late is for nobody.
        let _ = tokio::time::timeout(Duration::ZERO, self.cancelled.notified()).await;
        let cancelled = Arc::clone(&self.cancelled);
        let run = async |session: &mut Session| session.run(sql).await;
        match unless(&mut self.session, cancelled.notified(), run).await {
            Ended::Done(done) | Ended::AfterAll(done) => done,
            Ended::Left => {
                if self.session.in_transaction() {
                    self.session.abort_block().await;
                }
                Err(SqlError::new("57014", "Query canceled on user's request"))
            }
        }
    }

    async fn ready(&mut self, mut out: Out) -> io::Result<Next> {
        out.ready(match (self.session.in_transaction(), self.has_failed) {
            (false, _) => b'I',
            (true, false) => b'T',
            (true, true) => b'E',
        });
        self.stream.write_all(&out.0).await?;
        Ok(Next::Goes)
    }

    /// Everything until the client waits for an answer.
    async fn refuse_extended(&mut self) -> io::Result<Next> {
        while messages::read(&mut self.stream).await?.kind != b'S' {}
        let mut out = Out::default();
        out.error("ERROR", &SqlError::new("0A000", "the double has no extended protocol"));
        self.ready(out).await
    }
}

/// What was done, as the server tells it.
fn tag(sql: &str, outcome: &Outcome) -> String {
    let first = sql.split_whitespace().next().unwrap_or_default().to_uppercase();
    match (first.as_str(), outcome.affected) {
        ("INSERT", Some(rows)) => format!("INSERT 0 {rows}"),
        (_, Some(rows)) => format!("{first} {rows}"),
        (_, None) => first,
    }
}
