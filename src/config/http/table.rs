//! A table of a service: what is asked, and what becomes of the answers.

use jiff::Timestamp;

use super::{HttpColumn, HttpPaging, HttpPattern, HttpWindows, HttpWork};
use crate::config::Template;

/// A table of a service.
#[derive(Debug, Clone)]
pub struct HttpTable {
    /// What is asked.
    pub request: HttpRequest,
    /// How answers are written.
    pub format: HttpFormat,
    /// A JSONPath: the records of an answer. Of CSV and NDJSON each line is one.
    pub records: String,
    /// Its columns, in their order.
    pub columns: Vec<HttpColumn>,
    /// What leads from page to page.
    pub paging: HttpPaging,
    /// How time is cut.
    pub windows: Option<HttpWindows>,
    /// From when on rows are asked for, where there is no watermark.
    pub from: Option<Timestamp>,
    /// The work that is asked about, one request a row.
    pub work: Option<HttpWork>,
    /// What becomes of a record that is not as the columns say.
    pub on_bad_record: OnBadRecord,
    /// What becomes of records of one key that differ.
    pub duplicates: Duplicates,
    /// What an answer 404 means.
    pub on_not_found: OnNotFound,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// `GET`, or `POST` with a body.
    pub method: HttpMethod,
    /// Below the source's url; begins with `/`. What is put into it is percent-encoded.
    pub path: HttpPattern,
    /// Parameters of the query, in their order.
    pub parameters: Vec<(String, HttpPattern)>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, Template)>,
    /// What is sent.
    pub body: Option<HttpBody>,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    /// `GET`.
    Get,
    /// `POST`: of something that only reads, as a search does; a request is sent again after a failure.
    Post,
}

impl HttpMethod {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What a request sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpBody {
    /// JSON.
    Json(HttpJson),
    /// Form fields.
    Form(Vec<(String, HttpPattern)>),
}

/// JSON with names in braces in its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpJson {
    /// A text.
    Text(HttpPattern),
    /// A number, `true`, `false`.
    Plain(serde_json::Value),
    /// A list.
    List(Vec<Self>),
    /// An object, its fields in their order.
    Object(Vec<(String, Self)>),
}

impl HttpBody {
    /// All texts in it.
    pub(super) fn patterns(&self) -> Vec<&HttpPattern> {
        match self {
            Self::Json(json) => json.patterns(),
            Self::Form(fields) => fields.iter().map(|(_, pattern)| pattern).collect(),
        }
    }
}

impl HttpJson {
    fn patterns(&self) -> Vec<&HttpPattern> {
        match self {
            Self::Text(pattern) => vec![pattern],
            Self::Plain(_) => Vec::new(),
            Self::List(items) => items.iter().flat_map(Self::patterns).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, json)| json.patterns()).collect(),
        }
    }
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpFormat {
    /// One JSON text.
    #[default]
    Json,
    /// One JSON text a line.
    Ndjson,
    /// CSV with a line of names.
    Csv,
}

/// What becomes of a record that is not as the columns say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBadRecord {
    /// The load fails.
    #[default]
    Fail,
    /// It is left out, and kept with why.
    Reject,
}

/// What becomes of records of one key that differ; those that are the same count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// The load fails.
    #[default]
    Fail,
    /// The last one counts.
    Last,
}

/// What an answer 404 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnNotFound {
    /// The load fails.
    #[default]
    Fail,
    /// There are no records.
    Empty,
    /// There is one record, of the columns that come from the request; the others are NULL.
    Row,
}
