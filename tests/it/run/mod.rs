//! Whole runs of the built binary: standby → stage → warehouse.

mod crash;
mod random;
mod whole;
