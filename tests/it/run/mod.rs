//! Whole runs of the built binary: standby → stage → warehouse.

mod adopt;
mod crash;
mod increments;
mod nothing_lost;
mod random;
mod restore;
mod restore_crash;
mod schema_changes;
mod verify;
mod whole;
