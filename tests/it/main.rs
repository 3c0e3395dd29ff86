//! The integration tests: one binary, one link. They need the servers that `make test` starts.

#![expect(clippy::disallowed_methods, reason = "the addresses of the servers are in the environment")]
#![expect(clippy::unwrap_used, reason = "a test that meets an error it does not expect has failed")]
#![expect(clippy::print_stderr, reason = "what the binary said is shown where a test fails")]

mod alert;
mod arrival;
mod checks;
mod cli;
mod compare;
mod control;
mod graph;
mod http;
mod increments;
mod logins;
mod pgbench;
mod publish;
mod redshift;
mod run;
mod security;
mod serve;
mod source;
mod stage;
mod support;
mod surroundings;
mod warehouse;
