//! Loads into the double of Redshift, by the built binary.

mod by_hand;
mod columns;
mod compared;
mod doctor;
mod faults;
mod live;
mod loads;
mod logins;
mod marks;
mod parts;
mod probes;
mod values;
mod wire;
