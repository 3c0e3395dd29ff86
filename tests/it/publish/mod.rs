//! Publishing to a real Postgres.

mod ledger;
mod swap;
