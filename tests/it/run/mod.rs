//! Whole runs of the built binary: standby → stage → warehouse.

mod adopt;
mod backfill;
mod by_hand_crash;
mod crash;
mod increments;
mod made_anew;
mod marks;
mod mended;
mod random;
mod restore;
mod restore_crash;
mod verify;
mod verify_large;
mod whole;
