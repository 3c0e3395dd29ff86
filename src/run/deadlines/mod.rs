//! Deadlines: when each task is done by what tasks usually take, whether that is too late, and what people are told.
//!
//! Pure: a picture of a run and a moment in, words out. Nothing here starts, stops or
//! hurries a task.

mod culprit;
mod forecast;
mod judge;
mod watch;

#[cfg(test)]
mod mornings;

pub use self::{
    culprit::Delay,
    forecast::{Fate, Forecast, Picture, Span, Standing, forecast},
    judge::{Judged, Outlook},
    watch::{Say, Watch},
};
