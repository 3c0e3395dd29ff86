//! Slack: an incoming webhook, or a bot, which threads an incident's messages below the first one and changes that
//! one as the incident goes on. Slack's rules for messages are in `text` and `blocks`.

mod blocks;
#[cfg(test)]
pub(super) mod examples;
#[cfg(test)]
pub(crate) mod fuzzed;
mod text;

use async_trait::async_trait;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use self::blocks::Looks;
use super::{
    AlertError, Channel, Message,
    routing::{LOW, MAIN},
};
use crate::{
    config::Mention,
    http::{Answer, Call, Http, Method},
    incident::Telling,
    secret::Secret,
};

/// The channel.
pub(super) struct Slack {
    pub(super) http: Http,
    pub(super) way: Way,
    pub(super) mention: Option<Mention>,
    pub(super) api: String,
    pub(super) dashboard: Option<String>,
}

/// As whom it is written to.
pub(super) enum Way {
    /// By a webhook, which writes to one channel.
    Webhook { url: Secret, low: Option<Secret> },
    /// By a bot.
    Bot { token: Secret, channel: String, low: Option<String> },
}

impl Way {
    pub(super) fn has_low(&self) -> bool {
        match self {
            Self::Webhook { low, .. } => low.is_some(),
            Self::Bot { low, .. } => low.is_some(),
        }
    }
}

const NAME: &str = "Slack";

/// The kind of the note that a bot's message bears, to be found by.
const METADATA: &str = "barncat_message";

#[async_trait]
impl Channel for Slack {
    async fn send(&self, message: &Message<'_>) -> Result<Option<Value>, AlertError> {
        match &self.way {
            Way::Webhook { url, low } => {
                let url = low.as_ref().filter(|_| message.address == LOW).unwrap_or(url);
                self.by_webhook(url, message).await
            }
            Way::Bot { token, channel, low } => {
                let channel = match message.address {
                    MAIN => channel,
                    LOW => low.as_ref().unwrap_or(channel),
                    other => other,
                };
                let bot = Bot { slack: self, token, channel };
                bot.send(message).await
            }
        }
    }
}

impl Slack {
    fn looks(&self, is_threaded: bool) -> Looks<'_> {
        Looks { mention: self.mention.as_ref(), dashboard: self.dashboard.as_deref(), is_threaded }
    }

    async fn by_webhook(&self, url: &Secret, message: &Message<'_>) -> Result<Option<Value>, AlertError> {
        let mut body = blocks::message(message, &self.looks(false));
        let mut answer = self.post(url, None, &body).await?;
        if answer.status == 400 && answer.body.contains("invalid_blocks") {
            // What Slack will not lay out is told all the same.
            drop_blocks(&mut body);
            answer = self.post(url, None, &body).await?;
        }
        match answer.is_done() {
            true => Ok(None),
            false => Err(AlertError::of(NAME, &answer, said(&answer))),
        }
    }

    async fn post(&self, url: &Secret, bearer: Option<&Secret>, body: &Value) -> Result<Answer, AlertError> {
        let call = Call {
            method: Method::POST,
            service: NAME,
            url,
            bearer,
            headers: &[],
            body: Some(body.to_string()),
        };
        Ok(self.http.call(call).await?)
    }
}

fn drop_blocks(body: &mut Value) {
    if let Some(body) = body.as_object_mut() {
        body.remove("blocks");
    }
}

/// A webhook answers in a word.
fn said(answer: &Answer) -> String {
    let word = answer.body.trim();
    let is_word = !word.is_empty()
        && word.len() <= 64
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word { word.to_owned() } else { answer.status_in_words() }
}

/// A bot in one channel.
struct Bot<'a> {
    slack: &'a Slack,
    token: &'a Secret,
    channel: &'a str,
}

/// Where an incident's first message lies.
struct Thread {
    channel: String,
    ts: String,
}

impl Thread {
    fn of(receipt: &Value) -> Option<Self> {
        let text = |key: &str| receipt[key].as_str().map(str::to_owned);
        Some(Self { channel: text("channel")?, ts: text("ts")? })
    }

    fn receipt(&self) -> Value {
        json!({"channel": self.channel, "ts": self.ts})
    }
}

impl Bot<'_> {
    async fn send(&self, message: &Message<'_>) -> Result<Option<Value>, AlertError> {
        let thread = message.thread.and_then(Thread::of).filter(|_| message.notices.len() == 1);
        if message.doubtful
            && let Some(found) = self.look_for(message, thread.as_ref()).await?
        {
            let is_one = message.notices.len() == 1;
            return Ok(is_one.then(|| thread.unwrap_or(found).receipt()));
        }
        let mut body = blocks::message(message, &self.slack.looks(thread.is_some()));
        body["channel"] = json!(self.channel);
        body["metadata"] = json!({"event_type": METADATA, "event_payload": {"message": message.mark}});
        let Some(thread) = thread else {
            let first = self.first(body).await?;
            // Below a message about many, and in its place, none of them is told on.
            return Ok((message.notices.len() == 1).then(|| first.receipt()));
        };
        // Changing it twice is the same as once; so that comes first.
        if self.change(&thread, message).await? == Changed::Gone {
            return Ok(Some(self.first(body).await?.receipt()));
        }
        body["channel"] = json!(thread.channel);
        body["thread_ts"] = json!(thread.ts);
        let rings = |notice: &crate::incident::Notice| {
            matches!(notice.event, Telling::Reopened | Telling::Updated | Telling::Flapping)
        };
        if message.notices.iter().any(rings) {
            body["reply_broadcast"] = json!(true);
        }
        self.post("chat.postMessage", body).await?;
        Ok(Some(thread.receipt()))
    }

    async fn first(&self, body: Value) -> Result<Thread, AlertError> {
        let answer = self.post("chat.postMessage", body).await?;
        Thread::of(&answer)
            .ok_or_else(|| AlertError::Busy { channel: NAME, said: "its answer has no ts".to_owned() })
    }

    /// Makes the incident's first message say how it stands now.
    async fn change(&self, thread: &Thread, message: &Message<'_>) -> Result<Changed, AlertError> {
        let quiet = Message { loud: false, ..*message };
        let mut body = blocks::message(&quiet, &self.slack.looks(false));
        body["channel"] = json!(thread.channel);
        body["ts"] = json!(thread.ts);
        match self.post("chat.update", body).await {
            Ok(_) => Ok(Changed::Done),
            Err(AlertError::Denied { said, .. }) if said == "message_not_found" => Ok(Changed::Gone),
            // Some workspaces let nothing be changed after a time: the thread tells it.
            Err(AlertError::Denied { said, .. } | AlertError::Unfit { said, .. }) => {
                tracing::debug!(said, "a message in Slack was not changed");
                Ok(Changed::Done)
            }
            Err(error) => Err(error),
        }
    }

    /// A message that may have been sent before. Without the right to look it is sent again.
    async fn look_for(
        &self,
        message: &Message<'_>,
        thread: Option<&Thread>,
    ) -> Result<Option<Thread>, AlertError> {
        let oldest = message.notices.first().map_or(0, |notice| notice.at.as_second());
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (channel, method, of_thread) = match thread {
            Some(thread) => {
                (thread.channel.as_str(), "conversations.replies", format!("&ts={}", encode(&thread.ts)))
            }
            None => (self.channel, "conversations.history", String::new()),
        };
        let url = Secret::new(format!(
            "{}/{method}?channel={}&oldest={oldest}&include_all_metadata=true&limit=200{of_thread}",
            self.slack.api,
            encode(channel)
        ));
        let call = Call {
            method: Method::GET,
            service: NAME,
            url: &url,
            bearer: Some(self.token),
            headers: &[],
            body: None,
        };
        let answer = match answer(&self.slack.http.call(call).await?) {
            Ok(answer) => answer,
            Err(AlertError::Denied { said, .. } | AlertError::Unfit { said, .. }) => {
                tracing::warn!(said, "cannot look whether Slack has a message already; it is sent again");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let is_it = |found: &&Value| {
            found["metadata"]["event_type"] == METADATA
                && found["metadata"]["event_payload"]["message"] == message.mark
        };
        let found = answer["messages"].as_array().into_iter().flatten().find(is_it);
        let ts = found.and_then(|found| found["ts"].as_str());
        Ok(ts.map(|ts| Thread { channel: channel.to_owned(), ts: ts.to_owned() }))
    }

    async fn post(&self, method: &str, mut body: Value) -> Result<Value, AlertError> {
        let url = Secret::new(format!("{}/{method}", self.slack.api));
        let sent = answer(&self.slack.post(&url, Some(self.token), &body).await?);
        match sent {
            Err(AlertError::Unfit { said, .. }) if said == "invalid_blocks" => {
                drop_blocks(&mut body);
                answer(&self.slack.post(&url, Some(self.token), &body).await?)
            }
            sent => sent,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Changed {
    Done,
    /// Somebody deleted it.
    Gone,
}

/// `{"ok": true, …}`, or `{"ok": false, "error": "…"}`, also with the status 200.
fn answer(answer: &Answer) -> Result<Value, AlertError> {
    let value: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if answer.is_done() && value["ok"] == true {
        return Ok(value);
    }
    let said = value["error"].as_str().map_or_else(|| answer.status_in_words(), str::to_owned);
    if !answer.is_done() {
        return Err(AlertError::of(NAME, answer, said));
    }
    Err(match said.as_str() {
        "ratelimited" | "rate_limited" => {
            AlertError::of(NAME, &Answer { status: 429, ..answer.clone() }, said)
        }
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => AlertError::Busy { channel: NAME, said },
        "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_too_long"
        | "no_text"
        | "invalid_arguments"
        | "metadata_too_large"
        | "invalid_json" => AlertError::Unfit { channel: NAME, said },
        // Whatever else it is: somebody can mend it, and nothing is lost until then.
        _ => AlertError::Denied { channel: NAME, said },
    })
}
