//! Answers of a service, brought into the stage as they came.
//!
//! A collection is the answers to one question: some queries, each with its pages. Its objects are the question,
//! one object an answer (an envelope and the body), and the manifest, which is written last. A collection that
//! was cut off is gone on with: what lies there is given to the same walk through the pages again, and what that one
//! asks next is asked. So no answer that is whole in the stage is asked for twice.
//!
//! Knows nothing of rows but how many records an answer has, and of no warehouse; who may collect for a table is
//! decided by whoever holds its lock.

mod answers;
mod envelope;
mod error;
mod manifest;
mod queries;
mod question;

use async_trait::async_trait;

pub use self::{
    answers::read_answer,
    envelope::Envelope,
    error::CollectError,
    manifest::{AnswerPart, CollectionManifest, Failed},
    question::{Query, Question},
};
use super::{Ask, Media, paging::Paging};
use crate::{
    event::Tier,
    source::SourceError,
    stage::{CollectionPrefix, SharedStage},
};

/// Tells how many records there are in a body.
pub type Count<'a> = dyn Fn(&[u8], Media) -> Result<u64, SourceError> + Send + Sync + 'a;

/// Hears of each answer that is whole in the stage. Nothing fails by it.
#[async_trait]
pub trait Watch: Send + Sync {
    /// So many records more, in so many bytes.
    async fn came(&self, records: u64, bytes: u64);
}

/// How a question is asked.
pub struct Collect<'a> {
    /// Where answers go.
    pub stage: &'a SharedStage,
    /// Under which keys.
    pub prefix: &'a CollectionPrefix,
    /// Who asks.
    pub ask: &'a dyn Ask,
    /// What leads from one page to the next.
    pub paging: &'a Paging,
    /// How records are counted.
    pub count: &'a Count<'a>,
    /// Of the task that asks.
    pub tier: Tier,
    /// How many queries are asked side by side.
    pub at_once: usize,
    /// How large a body may be.
    pub body_bytes_max: u64,
    /// After so many records no more is asked.
    pub records_enough: Option<u64>,
    /// A query that fails for good is noted, and the others go on.
    pub keeps_failed: bool,
    /// Headers of each request beside those of the source.
    pub headers: &'a [(String, String)],
    /// How many records there are in an answer 404; `None`: it is an error.
    pub records_of_missing: Option<u64>,
    /// Who hears of it.
    pub watch: &'a dyn Watch,
}
