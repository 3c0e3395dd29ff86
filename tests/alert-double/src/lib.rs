//! A double of Slack and PagerDuty: answers as they do, refuses what they would refuse, keeps what was sent.
//!
//! It shares no code with barncat. What it holds messages to is what the two publish (docs.slack.dev, "Block Kit",
//! "Formatting message text", "Rate limits", "Sending messages using incoming webhooks"; developer.pagerduty.com,
//! "Events API v2"); where they leave it open, the stricter reading. See its README for what is unconfirmed.

mod knobs;
mod pagerduty;
mod server;
mod shown;
mod slack;

pub use self::{
    knobs::{Fault, Kept, Knobs},
    pagerduty::refuses as pagerduty_refuses,
    server::AlertDouble,
    shown::{line, shown},
    slack::refuses as slack_refuses,
};
