//! The only place that opens a Postgres connection: endpoint, TLS, session settings, classes of
//! errors.
//!
//! Knows nothing of tables. Every error that leaves here has been stripped of what the server says
//! about rows' values; see [`ServerError`].

mod connect;
mod endpoint;
mod error;
mod login;
mod pool;
mod pooler;
mod session;
mod settle;
mod sqlstate;
mod tag;
mod tls;

pub use connect::{Cancel, Connection, connect, connect_bare};
pub use endpoint::{Endpoint, TlsMode, TlsSettings, Url};
pub use error::{PgError, ServerError, TlsError, keep_what_stands_in};
pub use login::{Login, LoginError, Logins, Refusal};
pub use pool::{Pool, Pooled};
pub use pooler::sessions_are_shared;
pub use session::{END_IF_SILENT, Session, set_application_name};
pub use settle::settle;
pub use sqlstate::class;
