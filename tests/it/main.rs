//! The integration tests: one binary, one link. They need the servers that `make test` starts.

mod advice;
mod cli;
mod control;
mod support;
