//! Whole runs of the built binary: standby → stage → warehouse.

mod crash;
mod increments;
mod nothing_lost;
mod random;
mod verify;
mod whole;
