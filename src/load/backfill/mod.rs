//! Bringing a range of a table's cursor again, chunk by chunk.
//!
//! [`plan_backfill`] cuts the range in one snapshot of the source. Each chunk is then a load of its own:
//! it reads one slice from a newer snapshot, by way of the stage, merges it into the table and takes
//! away what the source has no more. What the next load must remember stays as the last load left it: the
//! table as a whole shows no later moment than before.

mod chunk;
mod error;
mod pace;
mod plan;

use std::sync::Arc;

pub(super) use self::chunk::Piece;
pub use self::{
    chunk::Chunk,
    error::BackfillError,
    pace::Pace,
    plan::{BackfillPlan, Wish, plan_backfill, refuse_if_changed},
};
use super::{Attempt, LoadError, Loaded, Workshop, load};

/// Makes one attempt at one chunk. After `Ok` it is published, after `Err` the table is as it was.
pub async fn load_chunk(
    workshop: &Workshop,
    attempt: &Attempt,
    chunk: Arc<Chunk>,
) -> Result<Loaded, LoadError> {
    load(workshop, &Attempt { chunk: Some(chunk), ..attempt.clone() }).await
}
