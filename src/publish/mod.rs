//! How a table is to be published: decided here, purely, and handed to the warehouse as one value.
//!
//! Loads, models, restores and backfills all decide by [`decide()`]. What a warehouse can carry over
//! it says itself, by [`crate::warehouse::LiveTable::obstacles`].

mod decide;

pub use self::decide::{Choice, Decided, Refusal, broken, decide};
