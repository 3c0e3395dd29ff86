//! The one HTTP client, for everything that is neither Postgres nor AWS: time limits, our TLS, what an answer
//! means for another try.
//!
//! Addresses are secrets here (a webhook's url is all that it takes to write to it): no error shows one.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{Client, StatusCode, header, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{
    clock::{Clock, System},
    error::{Class, Fault},
    secret::Secret,
};

/// How long a service is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the whole of an answer.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(10) }
    }
}

/// The client. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Http(Client);

pub use reqwest::Method;

/// A request.
#[derive(Debug)]
pub struct Call<'a> {
    /// What is asked for.
    pub method: Method,
    /// Whose address it is, for errors: `Slack`.
    pub service: &'static str,
    /// Where to. Never shown.
    pub url: &'a Secret,
    /// Who asks: `Authorization: Bearer …`.
    pub bearer: Option<&'a Secret>,
    /// More headers.
    pub headers: &'a [(&'static str, &'a str)],
    /// JSON to send.
    pub body: Option<String>,
}

/// What a service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long it does not want to be asked again.
    pub retry_after: Option<Duration>,
    /// The beginning of its text.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address cannot be one.
    #[error("the address of {service} is no http url")]
    NoUrl {
        /// Whose.
        service: &'static str,
    },
    /// Nothing was sent.
    #[error("cannot reach {service}: {what}")]
    Unreached {
        /// Whom.
        service: &'static str,
        /// Why.
        what: String,
    },
    /// It was sent, or a part of it: nobody knows what became of it.
    #[error("{service} gave no answer: {what}")]
    Unanswered {
        /// Who.
        service: &'static str,
        /// Why.
        what: String,
    },
}

impl Fault for HttpError {
    fn class(&self) -> Class {
        match self {
            Self::NoUrl { .. } => Class::Lasting,
            Self::Unreached { .. } | Self::Unanswered { .. } => Class::Passing,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoUrl { .. } => Some("it begins with `https://`".to_owned()),
            _ => None,
        }
    }
}

/// More of an answer is not read.
const BODY_BYTES_MAX: usize = 256 << 10;

/// A service that asks for more patience is asked again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

impl Http {
    /// The client; it connects when it is first used.
    pub fn new(patience: Patience) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            // A message must not go where nobody said.
            .redirect(redirect::Policy::none())
            .connect_timeout(patience.connect)
            .timeout(patience.answer)
            .user_agent(concat!("barncat/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("a client with these settings can be made");
        Self(client)
    }

    /// Sends a request and reads its answer, whatever the status.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, HttpError> {
        let service = call.service;
        let url = reqwest::Url::parse(call.url.expose()).map_err(|_| HttpError::NoUrl { service })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HttpError::NoUrl { service });
        }
        let mut request = self.0.request(call.method, url);
        if let Some(bearer) = call.bearer {
            request = request.bearer_auth(bearer.expose());
        }
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = call.body {
            request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8").body(body);
        }
        let answer = request.send().await.map_err(|error| no_answer(service, &error))?;
        let (status, retry_after) = (answer.status(), retry_after(&answer));
        let body = body(service, answer).await?;
        Ok(Answer { status: status.as_u16(), retry_after, body })
    }
}

async fn body(service: &'static str, mut answer: reqwest::Response) -> Result<String, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| no_answer(service, &error))? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_BYTES_MAX {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Seconds, or a date.
fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let text = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(at.duration_since(System.now())).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The causes alone: what stands above them names the address.
fn no_answer(service: &'static str, error: &reqwest::Error) -> HttpError {
    let mut what = match error.is_timeout() {
        true => "it took too long".to_owned(),
        false => String::new(),
    };
    let mut cause = std::error::Error::source(error).filter(|_| what.is_empty());
    while let Some(error) = cause {
        if !what.is_empty() {
            what.push_str(": ");
        }
        what.push_str(&error.to_string());
        cause = error.source();
    }
    if what.is_empty() {
        what.push_str("the request could not be made");
    }
    match error.is_connect() || error.is_builder() {
        true => HttpError::Unreached { service, what },
        false => HttpError::Unanswered { service, what },
    }
}

impl Answer {
    /// Whether what was asked for was done.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The status in words: `429 Too Many Requests`.
    pub fn status_in_words(&self) -> String {
        StatusCode::from_u16(self.status)
            .map_or_else(|_| self.status.to_string(), |status| status.to_string())
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};

    use super::*;

    async fn ask(answer: &'static str) -> Result<Answer, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Secret::new(format!("http://{}/hunter2", listener.local_addr().unwrap()));
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut seen = [0; 4096];
            let _ = socket.read(&mut seen).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        call(&url).await
    }

    async fn call(url: &Secret) -> Result<Answer, HttpError> {
        let patience = Patience { connect: Duration::from_secs(5), answer: Duration::from_secs(5) };
        let call = Call {
            method: Method::POST,
            service: "Slack",
            url,
            bearer: None,
            headers: &[],
            body: Some("{}".to_owned()),
        };
        Http::new(patience).call(call).await
    }

    #[tokio::test]
    async fn an_answer_says_when_to_ask_again() {
        let answer = ask("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 2\r\n\r\nno");
        let answer = answer.await.unwrap();
        assert_eq!(
            (answer.status, answer.retry_after, answer.body.as_str()),
            (429, Some(Duration::from_secs(30)), "no")
        );
        assert!(!answer.is_done());
    }

    #[tokio::test]
    async fn no_redirect_is_followed() {
        let answer = ask("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer.await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn no_error_shows_the_address() {
        let cut = ask("").await.unwrap_err();
        assert!(matches!(cut, HttpError::Unanswered { .. }), "{cut}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let refused = call(&Secret::new(format!("http://127.0.0.1:{port}/hunter2"))).await.unwrap_err();
        assert!(matches!(refused, HttpError::Unreached { .. }), "{refused}");
        let unknown = call(&Secret::new("http://nowhere.invalid/hunter2")).await.unwrap_err();
        let no_url = call(&Secret::new("hunter2")).await.unwrap_err();
        for error in [cut, refused, unknown, no_url] {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
