//! Publishing to a real Postgres.

mod belongings;
mod ledger;
mod locks;
mod obstacles;
mod readers;
mod snapshots;
mod swap;
mod views;
