//! SQL as text: quoting and names. Never talks to a database.

mod ident;

pub use ident::{Dialect, TableName, quote_ident, quote_literal};
