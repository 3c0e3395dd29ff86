//! Who asks a service, and trusts nothing of what it says.
//!
//! One request is sent until there is a whole answer: each try, and each redirect to the source's own host, within what the
//! service allows and over a connection of the source's limit; bounded in time and in size, packed or not; held against its own
//! length, its checksums and what was asked for. It never tells another host who asks, never connects to an address that is not
//! allowed, and never shows a parameter, a body or a login.

mod address;
mod body;
mod client;
mod connections;
mod diagnose;
mod error;
mod options;
mod place;
mod said;
mod send;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{Client, Method, Url, header::HeaderMap};
use tokio::time::{sleep, timeout};

use self::{
    body::Expected,
    connections::{Connections, InUse},
    error::HeldUp,
    place::Place,
    said::{retry_after, used_up},
    send::{Begun, Sent},
};
pub use self::{
    error::{AskError, Reason, Scope},
    options::{Auth, Options, OptionsError},
};
use super::{
    Answer, Ask, Headers, Request,
    allowance::{Allowance, Permit},
};
use crate::{
    clock::{Clock, System},
    error::Class,
    event::Tier,
    source::{Slots, SourceError},
};

/// More redirects are not followed.
const REDIRECTS_MAX: u32 = 5;

/// A longer pause between two tries nobody needs, unless the service asks for it.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Whoever has a connection and waits for an allowance, or the other way round, gives it back after this time: somebody
/// else may have what is missing.
const HOLDS: Duration = Duration::from_secs(2);

/// An allowance that is older is not used any more: this process stood still, and others may have given it up.
const HELD_MAX: Duration = Duration::from_secs(30);

/// A larger body is decompressed and looked at beside, so that others go on meanwhile.
const LOOKED_AT_HERE: usize = 128 << 10;

/// A service that can be asked. May be used in parallel.
pub struct Asker {
    options: Options,
    place: Place,
    client: Client,
    own_headers: HeaderMap,
    allowance: Arc<dyn Allowance>,
    connections: Arc<Connections>,
    /// The service has taken the login.
    is_taken: AtomicBool,
}

/// Why one try brought nothing.
struct Failed {
    reason: Reason,
    /// After how long the service wants to be asked again.
    again: Option<Duration>,
}

impl From<Reason> for Failed {
    fn from(reason: Reason) -> Self {
        Self { reason, again: None }
    }
}

impl Asker {
    /// One with these settings. It connects when it is first asked.
    pub fn new(
        options: Options,
        allowance: Arc<dyn Allowance>,
        slots: Arc<dyn Slots>,
    ) -> Result<Self, OptionsError> {
        Ok(Self {
            place: Place::of(&options)?,
            client: client::client(&options)?,
            own_headers: client::own_headers(&options)?,
            allowance,
            connections: Connections::new(slots),
            is_taken: AtomicBool::new(false),
            options,
        })
    }

    /// One try: the request, and where redirects lead.
    async fn attempt(&self, request: &Request, first: &Url, tier: Tier) -> Result<Answer, Failed> {
        let mut method = method(request)?;
        let mut url = first.clone();
        for _ in 0..=REDIRECTS_MAX {
            let is_own = self.place.is_own(&url);
            let (connection, permit) = self.turn(tier, is_own).await?;
            let asked_at = System.now();
            let body = request.body.as_ref().filter(|_| method == Method::POST);
            let headers = if is_own { self.headers(request)? } else { HeaderMap::new() };
            let sent = Sent {
                method: method.clone(),
                url: self.place.with_key(&url),
                media: request.media,
                headers,
                body,
            };
            let begun = sent.send(&self.client, &self.options).await;
            let done = match begun {
                Ok(begun) => self.finish(begun, request).await,
                Err(reason) => Err(reason.into()),
            };
            permit.answered().await;
            drop(connection);
            let (status, headers, body) = match done? {
                Done::Whole { status, headers, body } => (status, headers, body),
                Done::Redirected { status, location } => {
                    method = redirected(method, status)?;
                    url = self.place.redirected(&url, &location)?;
                    continue;
                }
            };
            if is_own {
                self.is_taken.store(true, Ordering::Relaxed);
            }
            return Ok(Answer {
                status,
                headers,
                url: url.into(),
                body,
                asked_at,
                answered_at: System.now(),
                tries: 1,
            });
        }
        Err(Reason::Redirects { max: REDIRECTS_MAX }.into())
    }

    /// Reads the rest of an answer, and says what it means.
    async fn finish(&self, begun: Begun, request: &Request) -> Result<Done, Failed> {
        let (status, headers) = (begun.status, begun.headers.clone());
        let now = System.now();
        let again = match status {
            429 => retry_after(&headers, now).or_else(|| used_up(&headers, now)),
            202 | 408 | 425 | 500..=599 => retry_after(&headers, now),
            _ => None,
        };
        // What the service says of when to come again is so for all who ask it.
        let pause = if matches!(status, 429 | 503) { again } else { used_up(&headers, now) };
        self.pause(pause).await;
        // A part is no answer, and what is accepted is not done.
        if matches!(status, 200..=299) && !matches!(status, 202 | 206) {
            let expected = Expected {
                status,
                media: request.media,
                bytes_max: self.options.response_bytes,
                error_when: self.options.error_when.clone(),
            };
            expected.look(&headers)?;
            let body = begun.body(self.options.response_bytes).await?;
            let body = look(expected, headers.clone(), body).await?;
            return Ok(Done::Whole { status, headers, body });
        }
        begun.drain().await;
        let location = headers.get("location").map(str::to_owned);
        let reason = match (status, location) {
            (301 | 302 | 303 | 307 | 308, Some(location)) => {
                return Ok(Done::Redirected { status, location });
            }
            (401 | 403 | 407, _) => {
                Reason::Login { status, was_taken: self.is_taken.load(Ordering::Relaxed) }
            }
            (202 | 408 | 425 | 429 | 500..=599, _) => Reason::Busy { status },
            _ => Reason::Refused { status },
        };
        Err(Failed { reason, again })
    }

    async fn pause(&self, wait: Option<Duration>) {
        let Some(wait) = wait.filter(|wait| !wait.is_zero()) else { return };
        if let Err(error) = self.allowance.pause(wait).await {
            let error = crate::error::Failure::of(&*error).message;
            tracing::warn!(
                source = self.options.name,
                error,
                "other processes are not told that the service pauses"
            );
        }
    }

    /// Waits for a connection and for an allowance, and holds neither for long while the other one is missing.
    async fn turn(&self, tier: Tier, is_own: bool) -> Result<(InUse, Permit), Reason> {
        let held = |error: SourceError| Reason::Held(HeldUp(error));
        loop {
            let connection = self.connections.take(tier).await.map_err(held)?;
            // Other hosts do not count what they are asked.
            if !is_own {
                return Ok((connection, Permit::free()));
            }
            let mut take = self.allowance.take(tier);
            let (connection, permit) = match timeout(HOLDS, &mut take).await {
                Ok(permit) => (connection, permit.map_err(held)?),
                Err(_) => {
                    drop(connection);
                    let permit = take.await.map_err(held)?;
                    match timeout(HOLDS, self.connections.take(tier)).await {
                        Ok(connection) => (connection.map_err(held)?, permit),
                        Err(_) => {
                            permit.unused().await;
                            continue;
                        }
                    }
                }
            };
            if permit.age() < HELD_MAX {
                return Ok((connection, permit));
            }
            permit.unused().await;
        }
    }

    /// What the source's own host is told.
    fn headers(&self, request: &Request) -> Result<HeaderMap, Reason> {
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let unsendable = Reason::Unsendable { what: "a header has characters that none may have" };
            match (name.parse::<reqwest::header::HeaderName>(), value.parse()) {
                (Ok(name), Ok(value)) => headers.insert(name, value),
                _ => return Err(unsendable),
            };
        }
        // Who asks is the source's affair, whatever a request says.
        headers.extend(self.own_headers.clone());
        Ok(headers)
    }
}

/// What came of one request.
enum Done {
    Whole { status: u16, headers: Headers, body: Bytes },
    Redirected { status: u16, location: String },
}

async fn look(expected: Expected, headers: Headers, body: Bytes) -> Result<Bytes, Reason> {
    if body.len() <= LOOKED_AT_HERE
        && !headers.all("content-encoding").any(|encoding| encoding.contains("gzip"))
    {
        return expected.read(&headers, body);
    }
    let looked = tokio::task::spawn_blocking(move || expected.read(&headers, body)).await;
    looked.unwrap_or(Err(Reason::Broken { what: "the process is ending".to_owned() }))
}

fn method(request: &Request) -> Result<Method, Reason> {
    match (request.method.as_str(), &request.body) {
        ("GET", None) => Ok(Method::GET),
        ("GET", Some(_)) => Err(Reason::Unsendable { what: "a GET sends no body" }),
        ("POST", _) => Ok(Method::POST),
        _ => Err(Reason::Unsendable { what: "only GET and POST are sent" }),
    }
}

/// The method with which a redirect goes on. What a POST sends goes along where the status says so, and is never lost.
fn redirected(method: Method, status: u16) -> Result<Method, Reason> {
    match status {
        303 => Ok(Method::GET),
        301 | 302 if method == Method::POST => Err(Reason::Moved { status }),
        _ => Ok(method),
    }
}

#[async_trait]
impl Ask for Asker {
    async fn ask(&self, request: &Request, tier: Tier) -> Result<Answer, SourceError> {
        let options = &self.options;
        let error = |path: &str, reason, tries| AskError {
            source_name: options.name.clone(),
            method: request.method.clone(),
            path: path.to_owned(),
            reason,
            tries,
        };
        let url = self.place.url(request).map_err(|reason| error(shown_path(request), reason, 0))?;
        let mut pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(options.pause)
            .with_max_delay(PAUSE_MAX)
            .without_max_times()
            .build();
        let mut tries = 0;
        loop {
            tries += 1;
            let Failed { mut reason, again } = match Box::pin(self.attempt(request, &url, tier)).await {
                Ok(answer) => {
                    let (source, path, status) = (options.name.as_str(), url.path(), answer.status);
                    let (bytes, took) =
                        (answer.body.len(), answer.answered_at.duration_since(answer.asked_at));
                    tracing::debug!(
                        source,
                        path,
                        status,
                        bytes,
                        took_ms = took.as_millis(),
                        tries,
                        "answered"
                    );
                    return Ok(Answer { tries, ..answer });
                }
                Err(failed) => failed,
            };
            if let (Reason::Busy { status }, Some(wait)) =
                (&reason, again.filter(|wait| *wait > options.patience))
            {
                let until = later(wait);
                reason = Reason::Later { status: *status, until };
            }
            let is_held = matches!(reason, Reason::Held(_) | Reason::Later { .. });
            if is_held || reason.class() != Class::Passing || tries >= options.attempts {
                return Err(error(url.path(), reason, tries).into());
            }
            let pause = pauses.next().unwrap_or(PAUSE_MAX).max(again.unwrap_or_default());
            let (source, path) = (options.name.as_str(), url.path());
            tracing::debug!(source, path, %reason, tries, pause_ms = pause.as_millis(), "a request is sent again");
            sleep(pause).await;
        }
    }
}

fn later(wait: Duration) -> Timestamp {
    let until = System.now().checked_add(wait).unwrap_or(Timestamp::MAX);
    until.round(jiff::Unit::Second).unwrap_or(until)
}

/// The path of a request that has no url.
fn shown_path(request: &Request) -> &str {
    match &request.target {
        super::Target::Path(path) => path.split_once('?').map_or(path.as_str(), |(path, _)| path),
        super::Target::Url(_) => "(a next page)",
    }
}
