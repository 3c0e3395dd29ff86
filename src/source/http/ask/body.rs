//! Whether a body is whole, and what was asked for.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use serde::de::IgnoredAny;

use super::error::Reason;
use crate::source::http::{Headers, Media, records::ValuePath, says_nothing};

/// How a gzip stream begins; no text does.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// What is expected of a body.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) status: u16,
    pub(super) media: Media,
    pub(super) bytes_max: u64,
    pub(super) error_when: Option<ValuePath>,
}

impl Expected {
    /// Looks at what the headers say, before anything of the body is read.
    pub(super) fn look(&self, headers: &Headers) -> Result<(), Reason> {
        let status = self.status;
        for encoding in headers.all("content-encoding") {
            if !matches!(encoding.trim().to_ascii_lowercase().as_str(), "gzip" | "x-gzip" | "identity" | "") {
                return Err(Reason::Encoding { status, found: shown(encoding) });
            }
        }
        if let Some(length) =
            headers.get("content-length").and_then(|length| length.trim().parse::<u64>().ok())
            && length > self.bytes_max
        {
            return Err(Reason::TooLarge { status, bytes_max: self.bytes_max, decompressed: false });
        }
        let Some(text) = headers.get("content-type") else { return Ok(()) };
        let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
        let found = parts.next().unwrap_or_default();
        if matches!(found.as_str(), "text/html" | "application/xhtml+xml") {
            return Err(Reason::Page { status });
        }
        let charset = parts
            .find_map(|part| part.strip_prefix("charset=").map(|name| name.trim_matches('"').to_owned()));
        let is_utf8 =
            charset.is_none_or(|name| matches!(name.as_str(), "utf-8" | "utf8" | "us-ascii" | "ascii"));
        if !is_utf8 || !fits(self.media, &found) {
            return Err(Reason::Media { status, found: shown(text), wanted: wanted(self.media) });
        }
        Ok(())
    }

    /// Decompresses a body and looks whether it is what was asked for.
    pub(super) fn read(&self, headers: &Headers, body: Bytes) -> Result<Bytes, Reason> {
        let mut body = body;
        if headers.all("content-encoding").any(|encoding| encoding.to_ascii_lowercase().contains("gzip")) {
            body = self.decompress(&body)?;
        }
        // A file of .gz, or a service that compresses and does not say so.
        if body.starts_with(GZIP) {
            body = self.decompress(&body)?;
        }
        if body.starts_with(b"\xef\xbb\xbf") {
            body = body.slice(3..);
        }
        let begins = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        if begins == Some(b'<') {
            return Err(Reason::Page { status: self.status });
        }
        match (self.media, begins) {
            // Nothing, and said so.
            _ if says_nothing(self.status, &body) => {}
            (Media::Json, _) => self.look_at_one(&body, 1)?,
            (Media::Ndjson, _) => self.look_at_lines(&body)?,
            // JSON instead of rows is how services say what is wrong.
            (Media::Csv, Some(b'{')) => {
                return Err(Reason::Media {
                    status: self.status,
                    found: "JSON".to_owned(),
                    wanted: wanted(Media::Csv),
                });
            }
            (Media::Csv, _) => {}
        }
        Ok(body)
    }

    fn decompress(&self, body: &[u8]) -> Result<Bytes, Reason> {
        let broken = |what| Reason::Gzip { status: self.status, what };
        let mut whole = Vec::new();
        let mut rest = body;
        // Streams may follow each other, and nothing else may.
        while !rest.is_empty() {
            if !rest.starts_with(GZIP) {
                return Err(broken(if whole.is_empty() {
                    "it does not begin as gzip does"
                } else {
                    "more follows it"
                }));
            }
            let mut decoder = GzDecoder::new(rest);
            let room = self.bytes_max.saturating_sub(whole.len() as u64) + 1;
            let read = decoder.by_ref().take(room).read_to_end(&mut whole);
            match read {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(broken("it ends too early"));
                }
                Err(_) => return Err(broken("it is damaged")),
                Ok(_) if whole.len() as u64 > self.bytes_max => {
                    return Err(Reason::TooLarge {
                        status: self.status,
                        bytes_max: self.bytes_max,
                        decompressed: true,
                    });
                }
                Ok(_) => {}
            }
            rest = decoder.into_inner();
        }
        if body.is_empty() {
            return Err(broken("there is nothing"));
        }
        Ok(whole.into())
    }

    fn look_at_lines(&self, body: &[u8]) -> Result<(), Reason> {
        let lines = body.split(|byte| *byte == b'\n').enumerate();
        let mut written = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
        written.try_for_each(|(nth, line)| self.look_at_one(line, nth + 1))
    }

    /// Whether it is JSON, and no error. Numbers that no double holds are JSON too.
    fn look_at_one(&self, text: &[u8], line: usize) -> Result<(), Reason> {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|error| self.no_json(&error, line))?;
        let Some(path) = &self.error_when else { return Ok(()) };
        let status = self.status;
        // What is no UTF-8 is told where records are looked for.
        let Ok(text) = std::str::from_utf8(text) else { return Ok(()) };
        match path.has_something(text) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Reason::ErrorBody { status, path: path.text().to_owned() }),
            Err(_) => Err(Reason::Unfollowed { status, path: path.text().to_owned() }),
        }
    }

    fn no_json(&self, error: &serde_json::Error, line: usize) -> Reason {
        if error.is_eof() {
            return Reason::NotWhole { what: "its JSON ends too early" };
        }
        Reason::Malformed { status: self.status, line: line + error.line() - 1, column: error.column() }
    }
}

/// Whether a content type may be what was asked for. Many services say nothing better than text or bytes; then the body itself tells.
fn fits(media: Media, found: &str) -> bool {
    let is_unsaid = matches!(
        found,
        "" | "text/plain"
            | "application/octet-stream"
            | "binary/octet-stream"
            | "application/gzip"
            | "application/x-gzip"
    );
    is_unsaid
        || match media {
            Media::Json | Media::Ndjson => found.contains("json") || found.ends_with("/javascript"),
            Media::Csv => {
                found.contains("csv")
                    || matches!(found, "application/vnd.ms-excel" | "text/comma-separated-values")
            }
        }
}

fn wanted(media: Media) -> &'static str {
    match media {
        Media::Json => "JSON in UTF-8",
        Media::Ndjson => "JSON in lines, in UTF-8",
        Media::Csv => "CSV in UTF-8",
    }
}

/// What a service says of itself, short and in plain letters.
fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(60).collect()
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
