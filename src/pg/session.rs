//! The settings that every session has, so that a value is written and read in one way only.

use crate::sql::quote_literal;

/// What a session is for.
#[derive(Debug, Clone)]
pub struct Session {
    /// Shown in `pg_stat_activity`; the server keeps 63 bytes.
    pub application_name: String,
}

/// A server that is at work for a client looks after it from version 14 on, and on Linux; else the statement of a
/// killed process would go on to its end, beside that of the next one.
const SEE_THAT_WE_DIED: &str = "SELECT pg_catalog.set_config('client_connection_check_interval', '10s', false) \
    WHERE pg_catalog.current_setting('server_version_num')::int >= 140000 AND pg_catalog.version() LIKE '%linux%'";

/// A server has it from version 17 on.
const NO_TRANSACTION_TIMEOUT: &str = "SELECT pg_catalog.set_config('transaction_timeout', '0', false) \
    WHERE pg_catalog.current_setting('server_version_num')::int >= 170000";

impl Session {
    /// A session that tells what it is for: `barncat 01JD3… public.orders`.
    pub fn new(application_name: impl Into<String>) -> Self {
        Self { application_name: application_name.into() }
    }

    /// The statements that fix it. COPY's text and CSV depend on all of these (PostgreSQL's
    /// documentation of COPY, "File Formats"). `lc_monetary` stays the server's own: it says how
    /// many digits of a `money` follow the point, see `schema::arrival`. With an empty
    /// `search_path` types and tables are written with their schema. A time limit set for the role
    /// must not end a long COPY. Keepalives free the locks of a client that vanished after about a
    /// minute; one that was killed is noticed in the middle of a statement too.
    pub(super) fn statements(&self) -> String {
        format!(
            "{}; SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, YMD'; \
             SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 3; \
             SET bytea_output = 'hex'; SET xmloption = 'content'; \
             SET search_path = ''; SET row_security = off; SET statement_timeout = 0; \
             SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
             SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
             {SEE_THAT_WE_DIED}; {NO_TRANSACTION_TIMEOUT}",
            set_application_name(&self.application_name)
        )
    }

    /// The statements that make a session as new that was used before, but for its prepared statements: what
    /// `DISCARD ALL` does without `DEALLOCATE ALL`. No transaction may be open: one that is is rolled back,
    /// and one that has failed makes them fail.
    pub fn renew(&self) -> String {
        format!(
            "BEGIN; ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
             SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; {}",
            self.statements()
        )
    }
}

/// For a transaction whose locks others wait for: a process that stands still, or a machine that hangs, keeps its
/// connections, and a server that hears nothing for so long ends the session. Where
/// a service hangs, another one leads after as long at most.
pub const END_IF_SILENT: &str = "SET LOCAL idle_in_transaction_session_timeout = '15s'";

/// The statement that says in `pg_stat_activity` what a session is for. The server keeps 63 bytes.
pub fn set_application_name(name: &str) -> String {
    let mut name = name.to_owned();
    while name.len() > 63 {
        name.pop();
    }
    format!("SET application_name = {}", quote_literal(&name))
}
