//! Publishing to a real Postgres.

mod ledger;
mod locks;
mod snapshots;
mod swap;
mod views;
