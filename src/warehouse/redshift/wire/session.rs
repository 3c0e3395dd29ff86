//! One session by wire: how it is opened, what it is asked, what its errors mean.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

use super::super::{RedshiftError, error::wire_message, transport::Answer};
use crate::pg::{self, Connection, Endpoint, PgError};

/// How long a session that rested may take to say that it is alive, and one that ends to say so.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// How long a COMMIT may take: behind many others it waits in Redshift's queue of commits.
const COMMIT_WITHIN: Duration = Duration::from_secs(300);

/// What every session is told. A limit that is set for the user must not end a long COPY, and quoted names
/// are folded as by the Data API, whatever the cluster's parameter group says.
const SETTINGS: [&str; 2] = ["SET statement_timeout TO 0", "SET enable_case_sensitive_identifier TO false"];

/// A session, and the number by which the server knows it.
pub(super) struct Session {
    connection: Connection,
    pid: String,
    place: String,
}

/// Why there is no answer.
pub(super) enum Failed {
    /// The server refused the statement and goes on.
    Refused {
        /// The SQLSTATE.
        code: String,
        /// The server's words, without values.
        message: String,
    },
    /// Nothing more will be heard of it.
    Lost,
}

impl Session {
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, PgError> {
        let connection = pg::connect_bare(endpoint).await?;
        let place = endpoint.place();
        let failed = |error| PgError::of("set up the session", &place, &error);
        for setting in SETTINGS {
            connection.simple_query(setting).await.map_err(failed)?;
        }
        let found = connection.simple_query("SELECT pg_backend_pid()").await.map_err(failed)?;
        let pid = answer(&found).text().unwrap_or_default().to_owned();
        Ok(Self { connection, pid, place })
    }

    /// Its process, as `pg_terminate_backend` takes it.
    pub(super) fn pid(&self) -> &str {
        &self.pid
    }

    /// Whether its end has been heard of.
    pub(super) fn has_ended(&self) -> bool {
        self.connection.is_closed()
    }

    /// Whether it is still there. Asked before a batch, never in the midst of one.
    pub(super) async fn is_alive(&self) -> bool {
        !self.has_ended()
            && matches!(timeout(ALIVE_WITHIN, self.connection.simple_query("SELECT 1")).await, Ok(Ok(_)))
    }

    /// Asks one statement. Dropped, it is cancelled on the server, and the session ends.
    pub(super) async fn ask(&self, sql: &str) -> Result<Answer, Failed> {
        self.connection.set_busy(true);
        let asked = self.connection.simple_query(sql).await;
        self.connection.set_busy(false);
        asked.map(|messages| answer(&messages)).map_err(|error| failed(&error))
    }

    /// The same within a time; past it the statement is cancelled, which is an answer like any other.
    pub(super) async fn ask_within(&self, sql: &str, limit: Duration) -> Result<Answer, Failed> {
        let asked = self.ask(sql);
        tokio::pin!(asked);
        if let Ok(answer) = timeout(limit, &mut asked).await {
            return answer;
        }
        // If it cannot be reached, or has just been done, what is below tells.
        let _ = timeout(ALIVE_WITHIN, self.connection.cancel_handle().fire()).await;
        match timeout(ALIVE_WITHIN, asked).await {
            Ok(Err(failed)) => Err(failed),
            Ok(Ok(_)) => Err(Failed::Refused { code: "57014".to_owned(), message: CANCELLED.to_owned() }),
            Err(_) => Err(Failed::Lost),
        }
    }

    /// Asks for the end of a transaction. A server that says nothing for so long is one whose answer was lost.
    pub(super) async fn commit(&self) -> Result<Answer, Failed> {
        timeout(COMMIT_WITHIN, self.ask("COMMIT")).await.unwrap_or(Err(Failed::Lost))
    }

    /// Gives a transaction up; whether the session can be used on.
    pub(super) async fn roll_back(&self) -> bool {
        !self.has_ended() && matches!(timeout(ALIVE_WITHIN, self.ask("ROLLBACK")).await, Ok(Ok(_)))
    }

    /// Where it leads, for people.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

/// What the server says of a statement that was cancelled.
const CANCELLED: &str = "ERROR: canceled on user's request";

/// Nothing of an error is taken for an answer that may have been the last word of a session that ended.
fn failed(error: &tokio_postgres::Error) -> Failed {
    match error.as_db_error() {
        Some(error) if error.severity() == "ERROR" => {
            Failed::Refused { code: error.code().code().to_owned(), message: wire_message(error) }
        }
        _ => Failed::Lost,
    }
}

impl Failed {
    /// As an error of a statement that did nothing.
    pub(super) fn statement(self, doing: &str, place: &str) -> RedshiftError {
        let doing = doing.to_owned();
        match self {
            Self::Refused { code, message } => RedshiftError::Statement { doing, message, code: Some(code) },
            Self::Lost => RedshiftError::Lost { doing, place: place.to_owned() },
        }
    }

    /// As an error of a statement that may have been done.
    pub(super) fn perhaps_done(self, doing: &str, place: &str) -> RedshiftError {
        match self {
            // connection_exception: by its words the server does not know either.
            Self::Refused { code, .. } if code.starts_with("08") => unknown(doing, place),
            Self::Refused { .. } => self.statement(doing, place),
            Self::Lost => unknown(doing, place),
        }
    }
}

fn unknown(doing: &str, place: &str) -> RedshiftError {
    RedshiftError::Unknown { doing: doing.to_owned(), place: place.to_owned() }
}

fn answer(messages: &[SimpleQueryMessage]) -> Answer {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|place| row.get(place).map(str::to_owned)).collect())
        }
        _ => None,
    };
    Answer { rows: messages.iter().filter_map(row).collect() }
}
