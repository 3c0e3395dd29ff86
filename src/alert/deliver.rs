//! From the outbox to the channels.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{AlertError, Channels, Message};
use crate::{
    control::{Claimed, Control, ControlError, Next},
    error::Failure,
    fail_point,
};

/// What one look at the outbox did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// A message was sent.
    Sent,
    /// One was not taken; it is tried again later, or given up.
    Failed,
    /// Nothing can be done for this long.
    Wait(Duration),
    /// Nothing waits.
    Nothing,
}

/// What a delivery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that were sent.
    pub sent: u32,
    /// Times that one was not taken.
    pub failed: u32,
}

/// Older messages are of no use to anybody.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The pause after a first failure that passes; it doubles.
const PASSING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10 * 60));

/// The same of one that somebody has to mend.
const LASTING: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(60 * 60));

/// Sends what is due, in its order, for at most `limit`; comes back earlier when nothing is left that falls due
/// within it.
pub async fn deliver(
    control: &Control,
    channels: &Channels,
    limit: Duration,
) -> Result<Delivered, ControlError> {
    let end = Instant::now() + limit;
    let mut delivered = Delivered::default();
    if channels.names().is_empty() {
        return Ok(delivered);
    }
    control.give_old_messages_up(&channels.project, KEPT).await?;
    loop {
        match deliver_next(control, channels).await? {
            Did::Sent => delivered.sent += 1,
            Did::Failed => delivered.failed += 1,
            Did::Wait(wait) if Instant::now() + wait < end => sleep(wait).await,
            Did::Wait(_) | Did::Nothing => return Ok(delivered),
        }
        if Instant::now() >= end {
            return Ok(delivered);
        }
    }
}

/// Sends the next message that is due, if there is one.
pub async fn deliver_next(control: &Control, channels: &Channels) -> Result<Did, ControlError> {
    let claimed = match control.claim_message(&channels.project, &channels.names()).await? {
        Next::Send(claimed) => claimed,
        Next::Wait(wait) => return Ok(Did::Wait(wait)),
        Next::Done => return Ok(Did::Nothing),
    };
    let Some(channel) = channels.get(&claimed.channel) else { return Ok(Did::Nothing) };
    let mark = format!("{}/{}", channels.project, claimed.messages.first().copied().unwrap_or_default());
    let message = Message {
        notices: &claimed.notices,
        address: &claimed.address,
        loud: claimed.loud,
        thread: claimed.thread.as_ref(),
        doubtful: claimed.doubtful,
        mark: &mark,
    };
    fail_point!("alert.send.before");
    let sent = channel.send(&message).await;
    fail_point!("alert.send.after");
    match sent {
        Ok(receipt) => {
            control.message_sent(&claimed.messages, receipt.as_ref()).await?;
            Ok(Did::Sent)
        }
        Err(error) => {
            not_sent(control, &channels.project, &claimed, &error).await?;
            Ok(Did::Failed)
        }
    }
}

async fn not_sent(
    control: &Control,
    project: &str,
    claimed: &Claimed,
    error: &AlertError,
) -> Result<(), ControlError> {
    let why = Failure::of(error).message;
    tracing::warn!(channel = claimed.channel, error = why, "an alert was not sent");
    let (messages, doubtful) = (&claimed.messages, error.is_doubtful());
    match error {
        AlertError::Unfit { .. } => control.give_message_up(messages, &why).await,
        AlertError::Throttled { wait, .. } => {
            control.pause_place(project, &claimed.channel, &claimed.address, *wait).await?;
            control.put_message_off(messages, *wait, &why, doubtful).await
        }
        AlertError::Denied { .. } => {
            control.put_message_off(messages, pause(LASTING, claimed.tries), &why, doubtful).await
        }
        AlertError::Http(_) | AlertError::Busy { .. } => {
            control.put_message_off(messages, pause(PASSING, claimed.tries), &why, doubtful).await
        }
    }
}

fn pause((first, most): (Duration, Duration), tries: u32) -> Duration {
    first.saturating_mul(1 << tries.min(20)).min(most)
}
