//! Whole runs of the built binary: standby → stage → warehouse.

pub(crate) mod adopt;
pub(crate) mod backfill;
mod by_hand_crash;
mod connections;
mod crash;
mod increments;
mod made_anew;
pub(crate) mod marks;
mod mended;
pub(crate) mod random;
pub(crate) mod restore;
mod restore_crash;
mod side_by_side;
mod silent;
mod stopped;
mod time_limits;
mod verify;
mod verify_large;
mod whole;
