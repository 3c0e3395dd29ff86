//! What is wrong, told once: alarms, and what becomes of them. Pure.
//!
//! An [`Alarm`] is what some part of barncat sees; each has a cause, and a cause has at most one open
//! [`Incident`]. [`step`] says what an incident is after something was seen, and whether people are told.
//! Nothing here connects; `control` keeps incidents, `alert` tells them.

mod alarm;
mod notice;
mod step;

pub use self::{
    alarm::{Affected, Alarm, AlarmKind, Effect},
    notice::{Notice, Telling},
    step::{FLAPPING, Incident, REOPENED_WITHIN, STEADY, Seen, State, settle, step},
};
