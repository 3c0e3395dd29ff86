//! Loads into the double of Redshift, by the built binary.

mod bound;
mod by_hand;
mod columns;
mod compared;
mod doctor;
mod faults;
mod hostile_names;
mod layout;
mod live;
mod loads;
mod logins;
mod marks;
mod obstacles;
mod parts;
mod probes;
mod refused_row;
mod values;
mod wire;
