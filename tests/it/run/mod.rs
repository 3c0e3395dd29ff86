//! Whole runs of the built binary: standby → stage → warehouse.

mod crash;
mod increments;
mod random;
mod verify;
mod whole;
