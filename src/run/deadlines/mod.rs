//! Deadlines: when each task is done by what tasks usually take, whether that is too late, and what people are told.
//!
//! All but `live` and `look` is pure: a picture of a run and a moment in, words out. Nothing here starts, stops or
//! hurries a task.

mod culprit;
mod follow;
mod forecast;
mod idle;
mod judge;
mod left;
mod live;
mod look;
mod watch;
mod words;

#[cfg(test)]
mod mornings;

pub use self::{
    culprit::Delay,
    forecast::{Fate, Forecast, Picture, Span, Standing, forecast},
    judge::{Judged, Outlook},
    look::{DeadlineState, Foreseen, Shown, deadlines},
    watch::{Say, Watch},
};
pub(super) use self::{
    live::{Attempts, Deadlines, Known},
    look::{Outside, foresee, tell_idle},
};
