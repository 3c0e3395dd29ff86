//! Publishing to a real Postgres.

mod belongings;
mod commit;
mod faults;
mod ledger;
mod locks;
mod obstacles;
mod readers;
mod replace;
mod snapshots;
mod swap;
mod vacuum;
mod views;
