//! The stage: what every stage promises, kept by a folder and by a real S3 server.

mod contract;
mod faults;
mod folder;
mod parts;
mod place;
mod run;
mod uploads;
