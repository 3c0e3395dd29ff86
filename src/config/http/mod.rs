//! Services that answer over HTTP: `[sources.NAME]` with `kind = "http"`.
//!
//! Knows text alone: nothing here asks anybody, and a token is a `Template` until somebody needs it.

mod auth;
mod columns;
mod limits;
mod mock;
mod paging;
mod pattern;
mod refused;
mod settings;
mod source;
mod table;
mod together;
mod windows;
mod work;

pub use self::{
    auth::HttpAuth,
    columns::{HttpColumn, HttpType, HttpValue},
    limits::HttpLimits,
    mock::{MockFile, MockPattern, MockPiece},
    paging::{HttpPageSize, HttpPages, HttpPaging},
    pattern::{HttpPattern, HttpPiece, HttpTime},
    source::HttpSource,
    table::{
        Duplicates, HttpBody, HttpFormat, HttpJson, HttpMethod, HttpRequest, HttpTable, OnBadRecord,
        OnNotFound,
    },
    windows::HttpWindows,
    work::HttpWork,
};
pub(super) use self::{
    mock::check as check_mock,
    refused::{refuse_in_file, refuse_in_row},
    settings::HttpSettings,
    source::{connections, read as source},
};

use serde_json_path::JsonPath;

use super::Keys;

/// Reads a key that holds a JSONPath.
fn json_path(keys: &Keys<'_>, key: &'static str) -> Option<String> {
    let text = keys.json_path(key)?;
    match wrong_json_path(&text) {
        None => Some(text),
        Some(what) => {
            keys.wrong(key, what);
            None
        }
    }
}

/// What is wrong with a JSONPath.
fn wrong_json_path(text: &str) -> Option<String> {
    if !text.starts_with('$') {
        return Some("does not begin with `$`, as a JSONPath like `$.data[*]` does".to_owned());
    }
    let error = JsonPath::parse(text).err()?;
    Some(format!(
        "is no JSONPath like `$.data[*]`: {}, at its character {}",
        error.message(),
        error.position() + 1
    ))
}

/// What is wrong with a service's url. Also asked once its variables are known.
pub fn wrong_url(text: &str, allow_http: bool) -> Option<&'static str> {
    let Ok(url) = reqwest::Url::parse(text) else { return Some("is no url") };
    match url.scheme() {
        "https" => {}
        "http" if allow_http => {}
        "http" => {
            return Some(
                "leads there without TLS, which takes `allow_http = true` (and in a network of one's own `allow_private = true`)",
            );
        }
        _ => return Some("starts neither with `https://` nor with `http://`"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("holds who asks");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("has a `?` or a `#`: paths are put behind it");
    }
    None
}

#[cfg(test)]
mod tests;
