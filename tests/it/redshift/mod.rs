//! Loads into the double of Redshift, by the built binary.

mod compared;
mod doctor;
mod faults;
mod live;
mod loads;
mod logins;
mod parts;
mod probes;
mod wire;
