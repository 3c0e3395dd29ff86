//! What can go wrong with a Postgres server.

use std::{error::Error as _, io, path::PathBuf};

use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::{LoginError, Refusal, sqlstate};
use crate::error::{Class, Failure, Fault};

/// An error of a connection or a statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PgError {
    /// A url that cannot be used. The url itself is not shown: it holds a password.
    #[error("the postgres url is wrong: {what}")]
    Url {
        /// In which way.
        what: String,
    },
    /// Certificates or the handshake.
    #[error("no TLS with {place}")]
    Tls {
        /// Host and port.
        place: String,
        /// Why.
        source: TlsError,
    },
    /// No TCP connection.
    #[error("cannot reach {place}")]
    Reach {
        /// Host, port and database.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// The server refused the login.
    #[error("cannot log in to {place}")]
    Login {
        /// Host, port and database.
        place: String,
        /// Why.
        source: Box<ServerError>,
        /// What that means, where user or password were fetched.
        fetched: Option<Refusal>,
    },
    /// Nobody to log in as: what is asked at each login had no answer.
    #[error("no login for {place}: {}", Failure::of(.fault.as_ref()))]
    NoLogin {
        /// Host, port and database.
        place: String,
        /// Why.
        fault: LoginError,
    },
    /// A statement failed.
    #[error("cannot {doing}")]
    Statement {
        /// What was attempted: an infinitive with its object.
        doing: String,
        /// Why.
        source: Box<ServerError>,
    },
    /// The connection broke while a statement was under way: its outcome is not known.
    #[error("cannot {doing}: the connection to {place} broke")]
    Broken {
        /// What was attempted.
        doing: String,
        /// Host, port and database.
        place: String,
    },
    /// The driver and the server do not understand each other.
    #[error("cannot {doing}: {what}")]
    Driver {
        /// What was attempted.
        doing: String,
        /// What the driver says.
        what: String,
    },
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file of certificates or keys.
    #[error("{} cannot be read: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// A certificate without a key, or a key without one.
    #[error("a client certificate needs its key, and a key its certificate")]
    HalfAPair,
    /// Nobody to trust.
    #[error("no root certificate was found on this system")]
    NoRoots,
    /// rustls refuses.
    #[error("{0}")]
    Config(rustls::Error),
    /// The handshake failed.
    #[error("{0}")]
    Handshake(String),
}

/// What a server said, without what it said of rows: its DETAIL and CONTEXT, and the quoted parts of
/// messages about data, can hold values.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} ({})", code.code())]
pub struct ServerError {
    /// The SQLSTATE.
    pub code: SqlState,
    /// Its message, values cut out; of a COPY with its line and column.
    pub message: String,
    /// The schema that it is about.
    pub schema: Option<String>,
    /// The table that it is about.
    pub table: Option<String>,
    /// The column that it is about.
    pub column: Option<String>,
    /// The constraint that it is about.
    pub constraint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<usize>,
}

impl ServerError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        sqlstate::hint(&self.code).map(str::to_owned)
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        // unique_violation in a catalog: two sessions made something of the same name at once, such as
        // the array types of two long table names that begin alike. The second finds another name.
        if self.code == SqlState::UNIQUE_VIOLATION && self.schema.as_deref() == Some("pg_catalog") {
            return Class::Passing;
        }
        sqlstate::class(&self.code)
    }

    pub(super) fn of(error: &DbError) -> Self {
        let code = error.code().clone();
        let mut message = error.message().to_owned();
        // Class 22 (data exception) quotes values; 23 (constraints) and the rest quote names.
        if code.code().starts_with("22") {
            message = cut_quoted(&message);
        }
        if let Some(place) = error.where_().and_then(copy_place) {
            message = format!("{message}, at {place}");
        }
        Self {
            code,
            message,
            schema: error.schema().map(str::to_owned),
            table: error.table().map(str::to_owned),
            column: error.column().map(str::to_owned),
            constraint: error.constraint().map(str::to_owned),
            position: match error.position() {
                Some(ErrorPosition::Original(position)) => usize::try_from(*position).ok(),
                _ => None,
            },
        }
    }
}

impl ServerError {
    /// The same of a statement that somebody of the project wrote: it may take rows' values for names (`x::regclass`),
    /// and its functions may raise them.
    #[must_use]
    pub fn of_sql(mut self, sql: &str) -> Self {
        self.message = match self.code {
            SqlState::RAISE_EXCEPTION | SqlState::ASSERT_FAILURE => {
                "a function raised an exception".to_owned()
            }
            _ => keep_what_stands_in(sql, &self.message),
        };
        self
    }
}

/// Replaces what stands between quotes by `…`, unless the statement has all of it too.
pub fn keep_what_stands_in(sql: &str, message: &str) -> String {
    let sql = sql.to_lowercase();
    let stands = |quoted: &str| quoted.split('.').all(|name| sql.contains(&name.to_lowercase()));
    match message.split('"').skip(1).step_by(2).all(stands) {
        true => message.to_owned(),
        // A value may have quotes of its own: nobody knows which part is one.
        false => cut_quoted(message),
    }
}

/// `COPY orders, line 5, column fee: "abc"` → `line 5, column fee`.
fn copy_place(context: &str) -> Option<String> {
    let line = context.lines().find(|line| line.starts_with("COPY "))?;
    let place = line.get(line.find(", line ")? + 2..)?;
    // What follows the first colon is the value.
    Some(place.split(": ").next().unwrap_or(place).to_owned())
}

/// Replaces what stands between quotes by `…`.
fn cut_quoted(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if last > first => {
            format!("{}\"…\"{}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}

impl PgError {
    /// The error of a statement. `doing` is an infinitive with its object: `copy public.orders`.
    pub fn of(doing: impl Into<String>, place: &str, error: &tokio_postgres::Error) -> Self {
        let doing = doing.into();
        if let Some(error) = error.as_db_error() {
            return Self::Statement { doing, source: Box::new(ServerError::of(error)) };
        }
        let cause = error.source();
        if error.is_closed() || cause.is_some_and(<dyn std::error::Error>::is::<io::Error>) {
            return Self::Broken { doing, place: place.to_owned() };
        }
        let what = match cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        Self::Driver { doing, what }
    }

    /// The server's own error, where there is one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Login { source, .. } | Self::Statement { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether the server refused user and password, and not something else of a login.
    pub(super) fn is_refused_login(&self) -> bool {
        matches!(self, Self::Login { source, .. } if source.code.code().starts_with("28"))
    }

    /// The same of a login that was fetched, after all that was tried.
    pub(super) fn of_fetched_login(self, refusal: Refusal) -> Self {
        match self {
            Self::Login { place, source, .. } if source.code.code().starts_with("28") => {
                Self::Login { place, source, fetched: Some(refusal) }
            }
            error => error,
        }
    }

    /// The SQLSTATE, where the server gave one.
    pub fn code(&self) -> Option<&str> {
        self.server().map(|error| error.code.code())
    }
}

impl Fault for PgError {
    fn class(&self) -> Class {
        match self {
            Self::Url { .. } => Class::Usage,
            Self::Tls { .. } => Class::Lasting,
            Self::Reach { .. } | Self::Broken { .. } => Class::Passing,
            Self::NoLogin { fault, .. } => fault.class(),
            Self::Login { fetched: Some(refusal), .. } => refusal.class,
            Self::Login { source, .. } | Self::Statement { source, .. } => source.class(),
            Self::Driver { .. } => Class::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Url { .. } => {
                "it is written postgres://user:password@host:5432/database?sslmode=verify-full"
            }
            Self::Tls { source: TlsError::Handshake(_), .. } => {
                "`tls.ca` names the root certificates to trust; sslmode=disable turns TLS off"
            }
            Self::Reach { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
                "is the server running, and does it listen on that port?"
            }
            Self::Reach { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
                "does a firewall or security group let this machine in?"
            }
            Self::NoLogin { fault, .. } => return fault.hint(),
            Self::Login { fetched: Some(refusal), .. } => refusal.hint,
            Self::Login { source, .. } | Self::Statement { source, .. } => {
                return source.hint();
            }
            Self::Broken { .. } => "the server was restarted, or the network between was cut",
            Self::Tls { .. } | Self::Reach { .. } | Self::Driver { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_place_keeps_no_value() {
        let place = |context| copy_place(context);
        assert_eq!(place("COPY orders, line 5, column fee: \"abc\"").as_deref(), Some("line 5, column fee"));
        assert_eq!(place("COPY t, line 7: \"1,secret: x, line 3\"").as_deref(), Some("line 7"));
        assert_eq!(place("COPY t, line 7, column c").as_deref(), Some("line 7, column c"));
        assert_eq!(place("PL/pgSQL function f()"), None);
    }

    #[test]
    fn of_a_projects_sql_only_its_own_names_are_kept() {
        let sql = "SELECT Id FROM raw.F WHERE secret::regclass IS NULL";
        let kept = |message| keep_what_stands_in(sql, message);
        assert_eq!(kept("relation \"raw.f\" does not exist"), "relation \"raw.f\" does not exist");
        assert_eq!(kept("relation \"value1\" does not exist"), "relation \"…\" does not exist");
        assert_eq!(kept("column \"x\"y\" of \"id\" is none"), "column \"…\" is none");
        assert_eq!(kept("division by zero"), "division by zero");
    }

    #[test]
    fn quoted_values_are_cut_out() {
        assert_eq!(cut_quoted("invalid input syntax: \"4\"2\""), "invalid input syntax: \"…\"");
        assert_eq!(cut_quoted("division by zero"), "division by zero");
    }
}
