//! SQL as text: quoting, names, and what a SELECT reads. Never talks to a database.

mod ident;
pub mod refs;

pub use ident::{Dialect, TableName, quote_ident, quote_literal};
pub use refs::{Problem, Query, QueryError, Reference, read};
