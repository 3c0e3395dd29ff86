//! A webhook of one's own: it gets each notice as JSON, as the event stream has it.

use async_trait::async_trait;

use super::{AlertError, Channel, Message};
use crate::{
    http::{Call, Http, Method},
    secret::Secret,
};

/// The channel.
pub(super) struct Webhook {
    pub(super) http: Http,
    pub(super) url: Secret,
}

const NAME: &str = "the webhook";

#[async_trait]
impl Channel for Webhook {
    /// Who listens tells by the header `Idempotency-Key` whether a message came before.
    async fn send(&self, message: &Message<'_>) -> Result<Option<serde_json::Value>, AlertError> {
        for notice in message.notices {
            let body = serde_json::to_string(notice).expect("plain data is JSON");
            let headers = &[("Idempotency-Key", message.mark)];
            let call = Call {
                method: Method::POST,
                service: NAME,
                url: &self.url,
                bearer: None,
                headers,
                body: Some(body),
            };
            let answer = self.http.call(call).await?;
            if !answer.is_done() {
                return Err(AlertError::of(NAME, &answer, answer.status_in_words()));
            }
        }
        Ok(None)
    }
}
