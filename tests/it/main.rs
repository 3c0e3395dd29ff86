//! The integration tests: one binary, one link. They need the servers that `make test` starts.

#![expect(clippy::disallowed_methods, reason = "the addresses of the servers are in the environment")]

mod arrival;
mod cli;
mod control;
mod pgbench;
mod publish;
mod run;
mod stage;
mod support;
mod surroundings;
