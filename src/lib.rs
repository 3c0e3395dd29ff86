//! barncat, the working cat of a warehouse: copies tables from a Postgres read replica to a stage
//! (S3 or a folder) and from there into a warehouse, and publishes each of them atomically.
//!
//! The modules; which of them may import from which, docs/ARCHITECTURE.md says:
//!
//! | module | is for |
//! | --- | --- |
//! | [`error`], [`secret`], [`clock`], [`fingerprint`], [`mod@fail`] | classes of error; redacted strings; injected time; fingerprints of settings; fail points |
//! | [`incident`] | what is wrong, told once: alarms, and what becomes of them |
//! | [`event`], [`diagnosis`] | what happened in a run, and what a test of the surroundings found, as plain data |
//! | [`sql`] | quoting, names |
//! | [`pg`] | the only place that opens a Postgres connection |
//! | [`http`] | the one HTTP client beside AWS' |
//! | [`aws`] | the clients of AWS, and logins by it |
//! | [`config`] | a project's text, every mistake at once |
//! | [`dag`] | which tasks a selection means |
//! | [`schema`] | what a table looks like: canonical form, hash, difference, type mapping |
//! | [`mod@compare`] | whether two tables hold the same rows, and which ones differ |
//! | [`stage`] | the object store between source and warehouse, and the manifest |
//! | [`source`] | where rows come from: snapshots, parts, streams |
//! | [`warehouse`] | where tables are published, and the ledger |
//! | [`control`] | the control database: runs, attempts, locks, history |
//! | [`alert`] | which channel is told what, and the channels |
//! | [`publish`] | swap, replace, or not at all |
//! | [`load`] | one attempt at one table |
//! | [`mod@check`] | a query whose rows are failures |
//! | [`model`] | one attempt at one model: a table or view made in the warehouse |
//! | [`run`] | which tasks, in which order, how often |
//! | [`serve`] | the service: schedules, health, what can be seen over HTTP |
//! | [`cli`] | the command line: the only place that prints |

pub mod alert;
pub mod aws;
pub mod check;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod config;
pub mod control;
pub mod dag;
pub mod diagnosis;
pub mod error;
pub mod event;
pub mod fail;
pub mod fingerprint;
#[cfg(test)]
mod fuzz;
pub mod http;
pub mod incident;
pub mod load;
pub mod model;
pub mod pg;
pub mod publish;
mod quantity;
#[cfg(test)]
mod reference;
pub mod run;
pub mod schema;
pub mod secret;
pub mod serve;
pub mod source;
pub mod sql;
pub mod stage;
pub mod warehouse;
