//! The tests of the double, on a real Postgres server, by a client nobody here wrote.

mod behaves;
mod catalog;
mod conflicts;
mod copy;
mod data_api;
mod refused;
mod s3;
mod support;
mod wire;
