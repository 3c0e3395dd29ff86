//! Loads into the double of Redshift, by the built binary.

mod faults;
mod loads;
