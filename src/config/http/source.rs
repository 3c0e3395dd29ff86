//! `[sources.NAME]` with `kind = "http"`.

use std::{path::PathBuf, time::Duration};

use super::{HttpAuth, HttpLimits, MockFile, auth, limits, mock};
use crate::config::{Keys, Template};

/// A service that answers over HTTP.
#[derive(Debug, Clone)]
pub struct HttpSource {
    /// What paths are below of.
    pub url: Template,
    /// Who asks.
    pub auth: Option<HttpAuth>,
    /// Headers of each request, names in lower case.
    pub headers: Vec<(String, Template)>,
    /// How often it may be asked.
    pub limits: HttpLimits,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long nothing may come.
    pub read_timeout: Duration,
    /// How long a whole answer may take.
    pub answer_timeout: Duration,
    /// How often one request is sent at most.
    pub attempts: u32,
    /// The size of an answer at most, as it is sent and decompressed; in bytes.
    pub response_limit: u64,
    /// Hosts that a redirect may lead to, beside its own.
    pub redirects: Vec<String>,
    /// Whether it may be asked without TLS.
    pub allow_http: bool,
    /// Whether it may have an address that is not public.
    pub allow_private: bool,
    /// A JSONPath: an answer in which it finds something is an error.
    pub error_when: Option<String>,
    /// For how long after its last answer a collection that was cut off is gone on with.
    pub resume_for: Duration,
    /// Certificates that are trusted instead of the system's, as PEM; relative to the project.
    pub ca: Option<PathBuf>,
    /// A path that `doctor` may ask.
    pub probe: Option<String>,
    /// In test mode: answers from files. `None`: the service is asked in test mode, too.
    pub mock: Option<Vec<MockFile>>,
}

/// The size of an answer, where nothing is said.
const RESPONSE_LIMIT: u64 = 8 << 20;

/// The greatest one that may be said: an answer is whole in memory.
const RESPONSE_LIMIT_MOST: u64 = 64 << 20;

/// How many requests at once, over all processes.
pub(in crate::config) fn connections(keys: &Keys<'_>) -> u32 {
    keys.number("connections", 1..=10_000).unwrap_or(4)
}

/// Reads the keys of a service but for `connections`.
pub(in crate::config) fn read(keys: &Keys<'_>) -> Option<HttpSource> {
    let url = keys.template("url");
    if !keys.has("url") {
        keys.missing("url", "url = \"https://api.fx.example/v1\"");
    }
    let allow_http = keys.boolean("allow_http").unwrap_or(false);
    if let Some(url) = &url {
        refuse_url(keys, url, allow_http);
    }
    let timeout = |key, seconds| {
        let span = keys.duration(key).unwrap_or(Duration::from_secs(seconds));
        if span.is_zero() {
            keys.wrong(key, "is no time at all");
        }
        span
    };
    let connect_timeout = timeout("connect_timeout", 5);
    let read_timeout = timeout("read_timeout", 30);
    let answer_timeout = timeout("answer_timeout", 300);
    if answer_timeout < read_timeout && (keys.has("answer_timeout") || keys.has("read_timeout")) {
        match keys.has("answer_timeout") {
            true => keys.wrong("answer_timeout", "is shorter than `read_timeout`: it is of a whole answer"),
            false => {
                keys.wrong("read_timeout", "is longer than `answer_timeout`, which is of a whole answer")
            }
        }
    }
    let source = HttpSource {
        url: url?,
        auth: auth::read(keys),
        headers: headers(keys),
        limits: limits::read(keys),
        connect_timeout,
        read_timeout,
        answer_timeout,
        attempts: keys.number("attempts", 1..=20).unwrap_or(4),
        response_limit: response_limit(keys),
        redirects: redirects(keys),
        allow_http,
        allow_private: keys.boolean("allow_private").unwrap_or(false),
        error_when: super::json_path(keys, "error_when"),
        resume_for: keys.duration("resume_for").unwrap_or(Duration::from_secs(3600)),
        ca: ca(keys),
        probe: probe(keys),
        mock: mock::read(keys),
    };
    Some(source)
}

/// What can be seen of a url before its variables are known.
fn refuse_url(keys: &Keys<'_>, url: &Template, allow_http: bool) {
    let Some(text) = url.as_far_as_known() else { return };
    if let Some(what) = super::wrong_url(text.expose(), allow_http) {
        let hint = "url = \"https://api.fx.example/v1\"; who asks is said by `auth`".to_owned();
        keys.wrong_with_hint("url", what, hint);
    }
}

fn headers(keys: &Keys<'_>) -> Vec<(String, Template)> {
    let mut headers = Vec::new();
    for (name, template) in keys.templates("headers") {
        refuse_header(keys, "headers", &name);
        headers.push((name.to_ascii_lowercase(), template));
    }
    headers
}

/// Headers that are none, or not anybody's to set.
pub(super) fn refuse_header(keys: &Keys<'_>, key: &str, name: &str) {
    const OURS: [&str; 9] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "transfer-encoding",
    ];
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        keys.wrong(key, format_args!("has `{name}`, which no header is called"));
    } else if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        keys.wrong(key, format_args!("has `{name}`, which is set by what is sent"));
    }
}

fn response_limit(keys: &Keys<'_>) -> u64 {
    let limit = keys.size("response_limit").unwrap_or(RESPONSE_LIMIT);
    if !(1024..=RESPONSE_LIMIT_MOST).contains(&limit) {
        let hint = "an answer is whole in memory: ask for smaller pages".to_owned();
        keys.wrong_with_hint("response_limit", "is not from 1 kB to 64 MB", hint);
    }
    limit
}

fn redirects(keys: &Keys<'_>) -> Vec<String> {
    let hosts = keys.strings("redirects");
    let is_host = |host: &String| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        !host.is_empty() && host.chars().all(is_allowed)
    };
    if let Some(host) = hosts.iter().find(|host| !is_host(host)) {
        keys.wrong("redirects", format_args!("has `{host}`, which is no host's name like `cdn.fx.example`"));
    }
    hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
}

/// `tls = { ca }`: a service proves who it is, always, and there are no certificates of our own yet.
fn ca(keys: &Keys<'_>) -> Option<PathBuf> {
    let tls = keys.table("tls")?;
    let ca = tls.string("ca").map(PathBuf::from);
    tls.finish();
    ca
}

fn probe(keys: &Keys<'_>) -> Option<String> {
    let path = keys.string("probe")?;
    if !path.starts_with('/') {
        keys.wrong("probe", "is no path: it does not begin with `/`");
    }
    Some(path)
}
