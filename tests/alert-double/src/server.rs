//! The HTTP server: which path is what.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::{
    knobs::{Fault, Kept, Knobs, State},
    pagerduty, slack,
};

/// The token that Slack's double knows.
const TOKEN: &str = "xoxb-double";

/// The double, at work on a loopback port until it is dropped.
pub struct AlertDouble {
    address: SocketAddr,
    knobs: Arc<Knobs>,
    server: AbortHandle,
}

impl AlertDouble {
    /// Starts it on a free port.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_on(0).await
    }

    /// Starts it on a port.
    pub async fn start_on(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let (address, knobs) = (listener.local_addr()?, Arc::<Knobs>::default());
        let server = tokio::spawn(serve(listener, knobs.clone())).abort_handle();
        Ok(Self { address, knobs, server })
    }

    /// What it has kept, and what it is to do wrong.
    pub fn knobs(&self) -> &Arc<Knobs> {
        &self.knobs
    }

    /// Slack's Web API.
    pub fn slack_api(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// The token of its bot.
    pub fn slack_token(&self) -> &'static str {
        TOKEN
    }

    /// A webhook of Slack; each name is another channel's.
    pub fn slack_webhook(&self, name: &str) -> String {
        format!("http://{}/services/T0/B0/{name}", self.address)
    }

    /// PagerDuty's events.
    pub fn pagerduty(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Anybody's webhook.
    pub fn webhook(&self) -> String {
        format!("http://{}/webhook", self.address)
    }

    /// A heartbeat.
    pub fn heartbeat(&self) -> String {
        format!("http://{}/heartbeat", self.address)
    }
}

impl Drop for AlertDouble {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, knobs: Arc<Knobs>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let knobs = knobs.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let knobs = knobs.clone();
                async move { answer(request, &knobs).await }
            });
            // A connection that is cut on purpose is no error.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// An error here closes the connection without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}

type Answer = Response<Full<Bytes>>;

async fn answer(request: Request<Incoming>, knobs: &Knobs) -> Result<Answer, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let path = parts.uri.path();
    let service = match path.split('/').nth(1) {
        Some("api" | "services") => "slack",
        Some("v2") => "pagerduty",
        Some("webhook") => "webhook",
        Some("heartbeat") => "heartbeat",
        _ => return Ok(plain(404, "not found")),
    };
    let fault = knobs.fault(service);
    match fault {
        Some(Fault::Down) => return Ok(plain(503, "down")),
        Some(Fault::Throttle(seconds)) => return Ok(throttled(seconds)),
        Some(Fault::Cut) => return Err(Cut),
        Some(Fault::DoAndCut) | None => {}
    }
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let bearer = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let is_known = bearer == Some(&format!("Bearer {TOKEN}"));
    let mut state = knobs.state();
    let answer = match (service, path) {
        ("slack", path) if path.starts_with("/services/") => by_webhook(&mut state, path, json),
        ("slack", _) if !is_known => refused("invalid_auth"),
        ("slack", "/api/chat.postMessage") => post(&mut state, json),
        ("slack", "/api/chat.update") => update(&mut state, json),
        ("slack", "/api/conversations.history" | "/api/conversations.replies")
            if parts.method == Method::GET =>
        {
            listed(&state, parts.uri.query().unwrap_or_default())
        }
        ("pagerduty", "/v2/enqueue") => enqueue(&mut state, json),
        ("webhook" | "heartbeat", path) => {
            keep(&mut state, service, path, json);
            plain(200, "ok")
        }
        _ => plain(404, "unknown_method"),
    };
    drop(state);
    if fault == Some(Fault::DoAndCut) { Err(Cut) } else { Ok(answer) }
}

/// Slack takes one message a second and channel.
const PAUSE: Duration = Duration::from_secs(1);

fn by_webhook(state: &mut State, path: &str, body: Value) -> Answer {
    if !body.is_object() {
        return plain(400, "invalid_payload");
    }
    if let Some(why) = slack::refuses(&body) {
        state.refused.push(why.clone());
        return plain(400, why.split(':').next().unwrap_or_default());
    }
    if state.is_too_early(path, PAUSE) {
        return throttled(1);
    }
    keep(state, "slack", path, body);
    plain(200, "ok")
}

fn post(state: &mut State, body: Value) -> Answer {
    let Some(channel) = channel(&body) else { return refused("channel_not_found") };
    if let Some(why) = slack::refuses(&body) {
        state.refused.push(why.clone());
        return refused(why.split(':').next().unwrap_or_default());
    }
    if state.is_too_early(&channel, PAUSE) {
        return throttled(1);
    }
    let thread_ts = body["thread_ts"].as_str().map(str::to_owned);
    let is_there =
        |ts: &String| state.kept.iter().any(|kept| kept.place == channel && kept.ts.as_ref() == Some(ts));
    if thread_ts.as_ref().is_some_and(|ts| !is_there(ts)) {
        return refused("thread_not_found");
    }
    // Unlike all others, and later than the notice that it tells.
    #[expect(clippy::disallowed_methods, reason = "barncat's clock is not the double's")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let ts = format!("{}.{:06}", now.as_secs(), state.kept.len());
    let message = json!({"ok": true, "channel": channel, "ts": ts});
    state.kept.push(Kept {
        service: "slack",
        place: channel,
        ts: Some(ts),
        thread_ts,
        body,
        before: Vec::new(),
        at: Instant::now(),
    });
    json_answer(200, &message)
}

fn update(state: &mut State, body: Value) -> Answer {
    if let Some(why) = slack::refuses(&body) {
        state.refused.push(why.clone());
        return refused(why.split(':').next().unwrap_or_default());
    }
    let (channel, ts) = (channel(&body), body["ts"].as_str().map(str::to_owned));
    let is_it = |kept: &&mut Kept| Some(&kept.place) == channel.as_ref() && kept.ts == ts;
    let Some(kept) = state.kept.iter_mut().find(is_it) else { return refused("message_not_found") };
    kept.before.push(std::mem::replace(&mut kept.body, body));
    json_answer(200, &json!({"ok": true, "channel": channel, "ts": ts}))
}

/// The id of a channel: a message is posted by name too, and answered with the id.
fn channel(body: &Value) -> Option<String> {
    let channel = body["channel"].as_str().filter(|name| !name.is_empty())?;
    Some(
        channel
            .strip_prefix('#')
            .map_or_else(|| channel.to_owned(), |name| format!("C{}", name.to_uppercase())),
    )
}

/// The messages of a channel, or of a thread, the latest first; they are asked for by the channel's id.
fn listed(state: &State, query: &str) -> Answer {
    let value = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.map(|text| text.replace("%2E", "."))
    };
    let Some(channel) = value("channel").filter(|id| id.starts_with('C')) else {
        return refused("channel_not_found");
    };
    let thread = value("ts");
    let is_listed = |kept: &&Kept| {
        kept.service == "slack"
            && kept.place == channel
            && (thread.is_none() || kept.thread_ts == thread || kept.ts == thread)
    };
    let message = |kept: &Kept| {
        let mut message = kept.body.clone();
        message["ts"] = json!(kept.ts);
        if value("include_all_metadata").as_deref() != Some("true") {
            message["metadata"] = Value::Null;
        }
        message
    };
    let messages: Vec<Value> = state.kept.iter().rev().filter(is_listed).map(message).collect();
    json_answer(200, &json!({"ok": true, "messages": messages, "has_more": false}))
}

fn enqueue(state: &mut State, body: Value) -> Answer {
    if let Some(why) = pagerduty::refuses(&body) {
        state.refused.push(why.clone());
        let answer =
            json!({"status": "invalid event", "message": "Event object is invalid", "errors": [why]});
        return json_answer(400, &answer);
    }
    let answer = json!({"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]});
    keep(state, "pagerduty", "/v2/enqueue", body);
    json_answer(202, &answer)
}

fn keep(state: &mut State, service: &'static str, place: &str, body: Value) {
    let place = place.to_owned();
    let at = Instant::now();
    state.kept.push(Kept { service, place, ts: None, thread_ts: None, body, before: Vec::new(), at });
}

fn refused(error: &str) -> Answer {
    json_answer(200, &json!({"ok": false, "error": error}))
}

fn throttled(seconds: u64) -> Answer {
    let mut answer = json_answer(429, &json!({"ok": false, "error": "ratelimited"}));
    answer.headers_mut().insert("retry-after", seconds.into());
    answer
}

fn json_answer(status: u16, value: &Value) -> Answer {
    plain(status, &value.to_string())
}

fn plain(status: u16, text: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text.to_owned())));
    *answer.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer
}
