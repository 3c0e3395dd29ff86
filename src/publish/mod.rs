//! How a table is to be published: decided here, purely, and handed to the warehouse as one value.
//!
//! Loads, models, restores and backfills all decide by [`decide()`] and publish by [`hand_over()`]. What a
//! warehouse can carry over it says itself, by [`crate::warehouse::LiveTable::obstacles`].

mod deadline;
mod decide;
mod hand_over;

pub use self::{
    deadline::is_near,
    decide::{Choice, Decided, Refusal, broken, decide},
    hand_over::{Ready, hand_over},
};
