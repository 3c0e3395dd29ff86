//! Telling people: which channel is told what, and the channels.
//!
//! What is told stands in the control database's outbox ([`deliver()`] takes it from there), so that a channel that
//! is down loses nothing and two processes send nothing twice. A channel that fails never fails a run: nothing here
//! is an error of one.

mod channels;
mod deliver;
mod error;
mod heartbeat;
mod pagerduty;
mod routing;
mod slack;
mod webhook;

use async_trait::async_trait;

#[cfg(test)]
pub(crate) use self::slack::fuzzed;
pub use self::{
    channels::{Channels, Off},
    deliver::{Delivered, Did, deliver, deliver_next},
    error::AlertError,
    heartbeat::Heartbeat,
    routing::Router,
};
use crate::incident::Notice;

/// What is to be told, and where.
#[derive(Debug)]
pub struct Message<'a> {
    /// One notice, or several that are told as one.
    pub notices: &'a [Notice],
    /// Which of the channel's places: as the router named it.
    pub address: &'a str,
    /// Whether somebody is called by name.
    pub loud: bool,
    /// What the first message about the incident was answered with in this place.
    pub thread: Option<&'a serde_json::Value>,
    /// It may have been sent before: no answer came, or whoever sent it died.
    pub doubtful: bool,
    /// A text that no other message has, and that stays the same however often this one is sent.
    pub mark: &'a str,
}

/// Somewhere to tell things.
///
/// Calls for different places may run in parallel; those for one incident and place come one after the other, in
/// the order of what happened. After `Ok` the message has been taken, and the answer (where there is one) is what
/// later messages about the incident get as their `thread`. After `Err` it has not been taken, but for
/// [`AlertError::is_doubtful`]: then nobody knows, and the next call says so by `doubtful`. A channel that can look
/// whether it was, or by its nature takes a message once, makes no second one of it; another one tells it twice:
/// that is better than not at all.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Tells it.
    async fn send(&self, message: &Message<'_>) -> Result<Option<serde_json::Value>, AlertError>;
}
