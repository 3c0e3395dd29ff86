//! What a service is asked, and what it answered.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{event::Tier, source::SourceError};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// One JSON text.
    Json,
    /// One JSON text a line.
    Ndjson,
    /// CSV with a line of names.
    Csv,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A path below the source's url, already percent-encoded.
    Path(String),
    /// A whole url, as a service gave it for the next page: held to the same hosts as the source.
    Url(String),
}

/// A request, without who asks: that is added when it is sent, and stands in no stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, or `POST` with a body.
    pub method: String,
    /// Where to.
    pub target: Target,
    /// Parameters of the query, in their order, not yet encoded; added to those that the target has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// Headers of this request alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// How the answer is to be written.
    pub media: Media,
}

impl Request {
    /// A `GET` of a path.
    pub fn get(path: String, media: Media) -> Self {
        Self {
            method: "GET".to_owned(),
            target: Target::Path(path),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            media,
        }
    }
}

/// What a request sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// JSON.
    Json(serde_json::Value),
    /// Form fields.
    Form(Vec<(String, String)>),
}

/// An answer's headers, names in lower case, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first one of a name in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All of a name in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status: 2xx, or 404 where the request takes it.
    pub status: u16,
    /// Its headers.
    pub headers: Headers,
    /// The url that answered, after redirects, without what tells who asked.
    pub url: String,
    /// Its body, decompressed.
    pub body: Bytes,
    /// When the request that was answered was sent, by our clock.
    pub asked_at: Timestamp,
    /// When its last byte came, by our clock.
    pub answered_at: Timestamp,
    /// How often it was sent.
    pub tries: u32,
}

/// Who asks a service. May be used in parallel.
#[async_trait]
pub trait Ask: Send + Sync {
    /// Asks until there is a whole answer, or no further try would help. Waits for the service's allowance and
    /// for a free connection of the source's limit. Dropped, it gives both back.
    async fn ask(&self, request: &Request, tier: Tier) -> Result<Answer, SourceError>;
}
