//! How a service is asked.

use std::{path::PathBuf, time::Duration};

use crate::{
    error::{Class, Fault},
    secret::Secret,
    source::http::records::ValuePath,
};

/// A source's settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name in the project.
    pub name: String,
    /// Where its paths begin, with `https://`.
    pub url: Secret,
    /// How it knows who asks.
    pub auth: Auth,
    /// Headers of each request to its own host.
    pub headers: Vec<(String, Secret)>,
    /// How long a connection may take, with its TLS.
    pub connect_timeout: Duration,
    /// How long nothing may come.
    pub read_timeout: Duration,
    /// How long a whole answer may take, from the first byte sent to the last one that comes.
    pub answer_timeout: Duration,
    /// How often a request is sent until it is given up.
    pub attempts: u32,
    /// For how long a request is put off where the service says when to come again; what is longer fails.
    pub patience: Duration,
    /// The first pause between two tries; each one is twice as long, up to 30 s.
    pub pause: Duration,
    /// How long a body may be, as it is sent and decompressed.
    pub response_bytes: u64,
    /// Hosts that a redirect or a next url may lead to beside its own: `cdn.fx.example`, or with a port. They are not told
    /// who asks.
    pub redirects: Vec<String>,
    /// Whether a url may be without TLS.
    pub allow_http: bool,
    /// Whether addresses of this machine, of private networks and of a cloud's metadata may be asked.
    pub allow_private: bool,
    /// Where a body has something there it is an error, whatever the status.
    pub error_when: Option<ValuePath>,
    /// Certificates that are believed, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Who asks, as programs say it.
    pub user_agent: String,
}

/// How a service knows who asks.
#[derive(Debug, Clone)]
pub enum Auth {
    /// It does not.
    None,
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A header of its own.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// A parameter of the query.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: Secret,
    },
}

impl Options {
    /// Those of a service that nothing else is said of.
    pub fn new(name: impl Into<String>, url: Secret) -> Self {
        Self {
            name: name.into(),
            url,
            auth: Auth::None,
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(300),
            attempts: 4,
            patience: Duration::from_secs(300),
            pause: Duration::from_millis(500),
            response_bytes: 8_000_000,
            redirects: Vec::new(),
            allow_http: false,
            allow_private: false,
            error_when: None,
            ca: None,
            user_agent: concat!("barncat/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// How long one try can be under way, with some room: so long a request counts whose process died.
    pub fn longest(&self) -> Duration {
        self.connect_timeout + self.answer_timeout + super::HELD_MAX + Duration::from_secs(5)
    }
}

/// Why a service cannot be asked with these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The url is none.
    #[error("the url of source {source_name} is none that can be asked: {what}")]
    Url {
        /// The source.
        source_name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A header cannot be sent.
    #[error("source {source_name} cannot send its header {header}")]
    Header {
        /// The source.
        source_name: String,
        /// The header's name.
        header: String,
    },
    /// Certificates cannot be used.
    #[error("source {source_name} cannot believe the certificates of {}: {what}", path.display())]
    Ca {
        /// The source.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is no client.
    #[error("source {source_name} has no HTTP client: {what}")]
    Client {
        /// The source.
        source_name: String,
        /// Why.
        what: String,
    },
}

impl Fault for OptionsError {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Url { what, .. } if what.contains("TLS") => {
                Some("write https://, or allow_http = true where nobody else is on the way".to_owned())
            }
            Self::Url { .. } => Some("it is like https://api.fx.example/v1".to_owned()),
            Self::Header { .. } => {
                Some("a header's name is letters, digits and -, its value has no line break".to_owned())
            }
            Self::Ca { .. } => Some("it is a file of certificates in PEM".to_owned()),
            Self::Client { .. } => None,
        }
    }
}
