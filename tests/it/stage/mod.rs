//! The stage: what every stage promises, kept by a folder and by a real S3 server.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it stands on")]

mod contract;
mod faults;
mod folder;
mod parts;
mod place;
mod run;
mod uploads;
