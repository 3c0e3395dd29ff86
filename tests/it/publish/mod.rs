//! Publishing to a real Postgres.

mod belongings;
mod ledger;
mod locks;
mod snapshots;
mod swap;
mod views;
