//! Loads of new rows while the source does not hold still: nothing is lost, whatever commits late, is
//! killed, or changes its shape.

mod killed;
mod nothing_lost;
mod readers;
mod schema_changes;
mod trial;
mod writers;
