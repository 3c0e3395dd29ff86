//! A double of Amazon Redshift: it speaks Redshift's protocols in front of a real Postgres database,
//! and behaves as Redshift does where that differs from Postgres. It shares no code with barncat.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use redshift_double::{CallFault, Double, Operation, Settings, StatementFault, faults};
//!
//! // A database of its own, by a superuser's address: the double makes the schema `redshift_double` in it.
//! let settings = Settings::new("postgres://postgres:…@127.0.0.1:5432/mine")
//!     .s3("http://127.0.0.1:9000", "key", "secret")
//!     .bucket("stage", "eu-west-2")
//!     .role("arn:aws:iam::111122223333:role/copy");
//! let double = Double::start(settings).await?;
//! let _endpoint = double.url(); // http://127.0.0.1:…, the Data API; `endpoint_url` of the client
//! // Then: cluster "double" or workgroup "double", database "dev", any credentials.
//!
//! double.knobs().on_call(Operation::ExecuteStatement, CallFault::Throttle, 3);
//! double.knobs().on_statement("copy ", StatementFault::Fail(faults::serializable_violation(100_017)), 1);
//! // … let the loader work …
//! assert_eq!(double.knobs().left(), 0);
//! # Ok(()) }
//! ```
//!
//! [`Knobs::statements`] has every statement that was run, [`Knobs::calls`] every request. A test may look
//! into the database behind, and fill `redshift_double.svv_datashare_objects`, `svv_rls_attached_policy` and
//! `svv_attached_masking_policy` there. Values of SUPER and VARBYTE are domains over jsonb and bytea behind.
//!
//! The parts: [`engine`](crate) runs one statement of one session after another on Postgres, whatever
//! asked for it; `data_api` is a front, with the life of statements; `sql` reads statements. Every
//! behaviour names the section of the facts (`§`) it comes from; what nobody could confirm is listed in
//! the README, and is always the harsher of the possibilities.

mod clock;
mod data_api;
mod double;
mod engine;
mod knobs;
mod logins;
mod record;
mod settings;
mod sql;
mod wire;

pub use double::{Double, StartError};
pub use engine::error::{SqlError, faults};
pub use knobs::{Call, CallFault, Knobs, LoginFault, Operation, StatementFault};
pub use settings::{Bucket, Isolation, Settings};
