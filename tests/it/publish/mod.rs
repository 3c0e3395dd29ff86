//! Publishing to a real Postgres.

mod ledger;
mod locks;
mod swap;
mod views;
