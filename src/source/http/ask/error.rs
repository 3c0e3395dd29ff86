//! Why there is no answer that could be used.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;

use crate::{
    error::{Class, Fault},
    source::SourceError,
};

/// A request that brought nothing: source, method and path (no parameters, which may hold anything), and why.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {method} {path}: {reason}{}", after(*tries))]
pub struct AskError {
    /// The source.
    pub source_name: String,
    /// The method.
    pub method: String,
    /// The url's path.
    pub path: String,
    /// Why.
    pub reason: Reason,
    /// How often it was sent.
    pub tries: u32,
}

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The target is no url that can be asked.
    #[error("the url is none that can be asked")]
    NoUrl,
    /// A method, a header or a body that cannot be sent.
    #[error("the request cannot be sent: {what}")]
    Unsendable {
        /// What is wrong.
        what: &'static str,
    },
    /// A url, of a redirect or a next page, leads to another host.
    #[error("it leads to another host, {host}")]
    Elsewhere {
        /// Which.
        host: String,
    },
    /// From https to http.
    #[error("it leads from https to http")]
    Downgraded,
    /// Redirects without an end.
    #[error("it is redirected more than {max} times")]
    Redirects {
        /// How many are followed.
        max: u32,
    },
    /// A redirect that would lose the request's body.
    #[error("a POST is redirected by {status}, which would lose what it sends")]
    Moved {
        /// The status.
        status: u16,
    },
    /// The address is one of this machine, a private network or a cloud's metadata.
    #[error("{host} is an address of this machine or of a private network")]
    Private {
        /// The host.
        host: String,
    },
    /// No connection.
    #[error("no connection to {host}: {what}")]
    Unreached {
        /// The host.
        host: String,
        /// Why.
        what: String,
    },
    /// TLS does not believe it.
    #[error("TLS does not believe {host}: {what}")]
    Tls {
        /// The host.
        host: String,
        /// Why.
        what: String,
    },
    /// Nothing came for too long.
    #[error("nothing came for {} s", wait.as_secs_f64())]
    Silent {
        /// `read_timeout`.
        wait: Duration,
    },
    /// It was not whole in time.
    #[error("the answer was not whole after {} s", wait.as_secs_f64())]
    Slow {
        /// `answer_timeout`.
        wait: Duration,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("the answer broke off: {what}")]
    Broken {
        /// How.
        what: String,
    },
    /// What came is shorter or longer than it says itself.
    #[error("the answer is not whole: {what}")]
    NotWhole {
        /// How that is seen.
        what: &'static str,
    },
    /// The service is busy or out of order.
    #[error("{}", in_words(*status))]
    Busy {
        /// The status.
        status: u16,
    },
    /// The service says when to come again, and that is too far off.
    #[error("{}, not to be asked again before {until}", in_words(*status))]
    Later {
        /// The status.
        status: u16,
        /// Until when.
        until: Timestamp,
    },
    /// The service does not take the login.
    #[error("{}", in_words(*status))]
    Login {
        /// The status.
        status: u16,
        /// It took it before.
        was_taken: bool,
    },
    /// The service refuses this request.
    #[error("{}", in_words(*status))]
    Refused {
        /// The status.
        status: u16,
    },
    /// A page for people: a login, a proxy, a network that wants to be paid.
    #[error("{}, with a page of HTML", in_words(*status))]
    Page {
        /// The status.
        status: u16,
    },
    /// Another content type.
    #[error("{}, with {found} instead of {wanted}", in_words(*status))]
    Media {
        /// The status.
        status: u16,
        /// What it says that it is.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// An encoding that nobody asked for.
    #[error("{}, encoded as {found}", in_words(*status))]
    Encoding {
        /// The status.
        status: u16,
        /// As what.
        found: String,
    },
    /// The body cannot be decompressed.
    #[error("{}, with gzip that is broken: {what}", in_words(*status))]
    Gzip {
        /// The status.
        status: u16,
        /// How.
        what: &'static str,
    },
    /// The body is no JSON.
    #[error("{}, with a body that is no JSON (line {line}, column {column})", in_words(*status))]
    Malformed {
        /// The status.
        status: u16,
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// The body is an error.
    #[error("{}, with an error at {path}", in_words(*status))]
    ErrorBody {
        /// The status.
        status: u16,
        /// `error_when`.
        path: String,
    },
    /// Nobody can look whether the body is an error.
    #[error("{}, with a body through which {path} of `error_when` cannot be followed: it has a number that no double holds, or more than 127 levels", in_words(*status))]
    Unfollowed {
        /// The status.
        status: u16,
        /// `error_when`.
        path: String,
    },
    /// The body is too large.
    #[error("{}, with more than {bytes_max} bytes{}", in_words(*status), if *decompressed { " decompressed" } else { "" })]
    TooLarge {
        /// The status.
        status: u16,
        /// How many are taken.
        bytes_max: u64,
        /// Whether that is so only decompressed.
        decompressed: bool,
    },
    /// The control database gave no allowance, or no connection.
    #[error("it may not be sent: {0}")]
    Held(HeldUp),
}

/// A boxed fault: a box of a trait cannot be an error's `source`.
#[derive(Debug, thiserror::Error)]
#[error("{}", crate::error::Failure::of(&*self.0).message)]
pub struct HeldUp(pub SourceError);

/// What an error says something of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This request: the service answered it, and others may well be answered better. It can be kept and asked again.
    Request,
    /// The service, or the way there: no other request would do better now.
    Service,
}

/// `404 Not Found`.
fn in_words(status: u16) -> String {
    StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
}

fn after(tries: u32) -> String {
    if tries > 1 { format!(" (after {tries} tries)") } else { String::new() }
}

impl AskError {
    /// Finds it in a source's error.
    pub fn of(error: &SourceError) -> Option<&Self> {
        let error: &(dyn std::error::Error + 'static) = &**error;
        error.downcast_ref()
    }

    /// Whether other requests would do better.
    pub fn scope(&self) -> Scope {
        self.reason.scope()
    }

    /// What the service answered this request with; `None` where there was no answer.
    pub fn status(&self) -> Option<u16> {
        self.reason.status()
    }
}

impl Reason {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Moved { status }
            | Self::Busy { status }
            | Self::Later { status, .. }
            | Self::Login { status, .. }
            | Self::Refused { status }
            | Self::Page { status }
            | Self::Media { status, .. }
            | Self::Encoding { status, .. }
            | Self::Gzip { status, .. }
            | Self::Malformed { status, .. }
            | Self::ErrorBody { status, .. }
            | Self::Unfollowed { status, .. }
            | Self::TooLarge { status, .. } => Some(*status),
            _ => None,
        }
    }

    fn scope(&self) -> Scope {
        match self {
            Self::Refused { .. }
            | Self::Moved { .. }
            | Self::NoUrl
            | Self::Unsendable { .. }
            | Self::Redirects { .. }
            | Self::Media { .. }
            | Self::Encoding { .. }
            | Self::Gzip { .. }
            | Self::Malformed { .. }
            | Self::ErrorBody { .. }
            | Self::Unfollowed { .. }
            | Self::NotWhole { .. }
            | Self::TooLarge { .. }
            | Self::Busy { status: 202 | 425 | 500 } => Scope::Request,
            _ => Scope::Service,
        }
    }

    pub(super) fn class(&self) -> Class {
        match self {
            Self::Unreached { .. }
            | Self::Silent { .. }
            | Self::Slow { .. }
            | Self::Broken { .. }
            | Self::NotWhole { .. }
            | Self::Gzip { .. }
            | Self::Busy { .. }
            | Self::Later { .. } => Class::Passing,
            Self::Held(HeldUp(error)) => error.class(),
            _ => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Elsewhere { host } => {
                return Some(format!(
                    "if that host is meant, write redirects = [\"{host}\"]; it is not told who asks"
                ));
            }
            Self::Downgraded => {
                "nobody is asked without TLS who can be asked with it; give the url that is meant"
            }
            Self::Redirects { .. } | Self::Moved { .. } => "give the url to which it leads in the end",
            Self::Private { .. } => "if it is meant, write allow_private = true",
            Self::Tls { .. } => {
                "if its certificate is of an authority of your own, write tls = { ca = \"…\" }"
            }
            Self::Slow { .. } => "ask for less at once, or raise `answer_timeout`",
            Self::Silent { .. } => "if it needs longer to answer, raise `read_timeout`",
            // Another path may be allowed that this one is not.
            Self::Login { status: 403, was_taken: true } => {
                "see whether it may read this path; where it could before, it has expired or was taken back"
            }
            Self::Login { was_taken: true, .. } => {
                "it was taken before: the token has expired or was taken back; give a new one and run it again"
            }
            Self::Login { was_taken: false, .. } => {
                "see whether the token of `auth` is right, and what it may read"
            }
            Self::Refused { status: 400 | 422 } => "see whether its parameters are what the service takes",
            Self::Refused { status: 404 | 410 } => "see whether its path is right, and `url`",
            Self::Page { .. } => "see whether `url` is that of the API, and whether a proxy stands before it",
            Self::Media { .. } => "see whether `format` is what the service answers with",
            Self::Encoding { .. } => "it was asked for gzip or nothing",
            Self::TooLarge { .. } => "ask for smaller pages, or raise `response_limit`",
            Self::ErrorBody { .. } => {
                "ask the service itself by curl what it says; `error_when` names the place"
            }
            Self::Unfollowed { .. } => {
                "a path of plain names, as `$.error.code`, is followed through all that is JSON"
            }
            Self::Held(HeldUp(error)) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl Fault for AskError {
    fn class(&self) -> Class {
        self.reason.class()
    }

    fn hint(&self) -> Option<String> {
        self.reason.hint()
    }
}

impl From<AskError> for SourceError {
    fn from(error: AskError) -> Self {
        Box::new(error)
    }
}
