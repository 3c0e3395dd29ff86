//! One request sent, and one answer read, within their times.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, Method, RequestBuilder, Response, Url, header};
use tokio::time::{Instant, timeout};

use super::{client::reason, error::Reason, options::Options};
use crate::source::http::{Body, Headers, Media};

/// What is sent, to any host.
pub(super) struct Sent<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) media: Media,
    pub(super) headers: header::HeaderMap,
    pub(super) body: Option<&'a Body>,
}

/// The head of an answer, whose body is still to be read.
pub(super) struct Begun {
    pub(super) status: u16,
    pub(super) headers: Headers,
    response: Response,
    host: String,
    deadline: Instant,
    limits: Patience,
}

#[derive(Clone, Copy)]
struct Patience {
    read: Duration,
    answer: Duration,
}

/// A body that nobody needs is read up to here, so that its connection can be used again.
const DRAINED_BYTES: usize = 64 << 10;

/// And for so long.
const DRAINED_FOR: Duration = Duration::from_millis(500);

impl Sent<'_> {
    /// Sends it, and waits for the head of the answer.
    pub(super) async fn send(self, client: &Client, options: &Options) -> Result<Begun, Reason> {
        let limits = Patience { read: options.read_timeout, answer: options.answer_timeout };
        let deadline = Instant::now() + limits.answer;
        let host = self.url.host_str().unwrap_or_default().to_owned();
        let until = deadline.min(Instant::now() + options.connect_timeout + limits.read);
        let sent = tokio::time::timeout_at(until, self.request(client).send()).await;
        let response = match sent {
            Ok(response) => response.map_err(|error| reason(&error, &host))?,
            Err(_) => return Err(limits.over(deadline)),
        };
        let headers = headers(&response);
        Ok(Begun { status: response.status().as_u16(), headers, response, host, deadline, limits })
    }

    fn request(self, client: &Client) -> RequestBuilder {
        let accept = match self.media {
            Media::Json => "application/json",
            Media::Ndjson => "application/x-ndjson, application/jsonl, application/json",
            Media::Csv => "text/csv",
        };
        let mut request = client
            .request(self.method, self.url)
            .header(header::ACCEPT, accept)
            .header(header::ACCEPT_ENCODING, "gzip")
            .headers(self.headers);
        match self.body {
            None => {}
            Some(Body::Json(value)) => {
                request = request.header(header::CONTENT_TYPE, "application/json").body(value.to_string());
            }
            Some(Body::Form(fields)) => request = request.form(fields),
        }
        request
    }
}

impl Patience {
    fn over(self, deadline: Instant) -> Reason {
        match Instant::now() >= deadline {
            true => Reason::Slow { wait: self.answer },
            false => Reason::Silent { wait: self.read },
        }
    }
}

impl Begun {
    /// Reads the body, as it was sent, if it is no longer than it may be.
    pub(super) async fn body(mut self, bytes_max: u64) -> Result<Bytes, Reason> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if (body.len() + chunk.len()) as u64 > bytes_max {
                return Err(Reason::TooLarge { status: self.status, bytes_max, decompressed: false });
            }
            body.extend_from_slice(&chunk);
        }
        let said = self.headers.get("content-length").and_then(|length| length.trim().parse::<u64>().ok());
        match said.is_none_or(|said| said == body.len() as u64) {
            true => Ok(body.freeze()),
            false => Err(Reason::NotWhole { what: "its length is not the one that it says" }),
        }
    }

    /// Reads what nobody needs, if it is little.
    pub(super) async fn drain(mut self) {
        let read = async {
            let mut read = 0;
            while let Ok(Some(chunk)) = self.response.chunk().await {
                read += chunk.len();
                if read > DRAINED_BYTES {
                    break;
                }
            }
        };
        // What is not read in time goes with its connection.
        let _ = timeout(DRAINED_FOR, read).await;
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Reason> {
        let until = self.deadline.min(Instant::now() + self.limits.read);
        match tokio::time::timeout_at(until, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| reason(&error, &self.host)),
            Err(_) => Err(self.limits.over(self.deadline)),
        }
    }
}

/// An answer's headers. A cookie may be as good as a login: none is kept.
fn headers(response: &Response) -> Headers {
    let all = response.headers().iter().filter(|(name, _)| *name != header::SET_COOKIE);
    Headers(
        all.map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect(),
    )
}
