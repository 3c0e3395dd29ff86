//! Publishing to a real Postgres: what tests/it/warehouse does not ask of every warehouse.

mod belongings;
mod commit;
mod faults;
mod locks;
mod obstacles;
mod readers;
mod replace;
mod sessions;
mod snapshots;
mod vacuum;
mod views;
