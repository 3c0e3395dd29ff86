//! What can go wrong with a channel.

use std::time::Duration;

use crate::{
    error::{Class, Fault},
    http::{Answer, HttpError},
};

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlertError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It takes no more for now.
    #[error("{channel} takes no message for {} s", .wait.as_secs())]
    Throttled {
        /// The channel.
        channel: &'static str,
        /// For how long.
        wait: Duration,
    },
    /// It has a trouble of its own.
    #[error("{channel} is out of order: {said}")]
    Busy {
        /// The channel.
        channel: &'static str,
        /// What it says.
        said: String,
    },
    /// It does not let us in, or not there.
    #[error("{channel} refuses: {said}")]
    Denied {
        /// The channel.
        channel: &'static str,
        /// What it says.
        said: String,
    },
    /// It will never take this message.
    #[error("{channel} cannot take the message: {said}")]
    Unfit {
        /// The channel.
        channel: &'static str,
        /// What it says.
        said: String,
    },
}

impl AlertError {
    /// What an answer means that is none of success.
    pub(super) fn of(channel: &'static str, answer: &Answer, said: String) -> Self {
        match answer.status {
            429 => Self::Throttled { channel, wait: answer.retry_after.unwrap_or(WAIT) },
            408 | 500.. => Self::Busy { channel, said },
            300..=399 | 401 | 403 | 404 | 405 | 410 => Self::Denied { channel, said },
            _ => Self::Unfit { channel, said },
        }
    }

    /// Whether it may have been taken all the same.
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::Http(HttpError::Unanswered { .. }) | Self::Busy { .. })
    }
}

/// How long a channel is left alone that does not say for how long.
const WAIT: Duration = Duration::from_secs(30);

impl Fault for AlertError {
    fn class(&self) -> Class {
        match self {
            Self::Http(error) => error.class(),
            Self::Throttled { .. } | Self::Busy { .. } => Class::Passing,
            Self::Denied { .. } | Self::Unfit { .. } => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Http(error) => error.hint(),
            Self::Denied { channel: "Slack", said } => slack_hint(said).map(str::to_owned),
            Self::Denied { channel: "PagerDuty", .. } => {
                Some("pagerduty.key is the integration's key of an Events API v2 integration".to_owned())
            }
            _ => None,
        }
    }
}

fn slack_hint(said: &str) -> Option<&'static str> {
    Some(match said {
        "not_in_channel" | "channel_not_found" => {
            "invite the bot to the channel: `/invite @barncat`; slack.channel is the channel's id, or its name"
        }
        "missing_scope" => "the bot needs the scope chat:write, and channels:history to send nothing twice",
        "invalid_auth" | "not_authed" | "token_revoked" | "account_inactive" => {
            "slack.token is the bot's token; it begins with `xoxb-`"
        }
        "no_service" | "no_team" | "invalid_token" => "the webhook is no longer there: make another one",
        "is_archived" | "channel_is_archived" => "the channel is archived",
        _ => return None,
    })
}
