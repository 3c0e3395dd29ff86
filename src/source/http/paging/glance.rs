//! Single values of a JSON body, found without taking the whole of it apart.

use crate::source::http::records::{PathError, Unclear, ValuePath, json_text};

/// A JSON path (RFC 9535) into a body.
#[derive(Debug, Clone)]
pub struct Path(ValuePath);

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// There is no such field.
    Missing,
    /// Null.
    Null,
    /// A text, or a number as it is written.
    One { text: String, is_number: bool },
    /// `true` or `false`.
    Flag(bool),
    /// Anything else.
    Other(&'static str),
}

impl Path {
    /// Reads one.
    pub fn read(text: &str) -> Result<Self, PathError> {
        ValuePath::read(text).map(Self)
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// What is at it; `None` where nothing can be looked for in the body.
    pub(super) fn of(&self, body: &[u8]) -> Option<Found> {
        match self.0.of_body(body) {
            Ok(raw) => Some(raw.map_or(Found::Missing, found)),
            Err(Unclear::Several) => Some(Found::Other("several values")),
            Err(Unclear::NoJson | Unclear::Unfollowed) => None,
        }
    }
}

fn found(raw: &str) -> Found {
    match raw.as_bytes().first() {
        Some(b'"') => match json_text(raw) {
            Ok(text) => Found::One { text: text.into_owned(), is_number: false },
            Err(_) => Found::Other("no text"),
        },
        Some(b'{') => Found::Other("an object"),
        Some(b'[') => Found::Other("an array"),
        Some(b'n') => Found::Null,
        Some(b't') => Found::Flag(true),
        Some(b'f') => Found::Flag(false),
        // As it is written: no digit is lost.
        _ => Found::One { text: raw.to_owned(), is_number: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, body: &str) -> Option<Found> {
        Path::read(path).expect("it is a path").of(body.as_bytes())
    }

    fn text(text: &str) -> Option<Found> {
        Some(Found::One { text: text.to_owned(), is_number: false })
    }

    #[test]
    fn a_value_is_found_by_names_and_by_any_other_path() {
        let body =
            r#"{"data": [{"id": 7}, {"id": 9}], "meta": {"next": "a\"b", "total": 12345678901234567890123}}"#;
        assert_eq!(at("$.meta.next", body), text("a\"b"));
        assert_eq!(at("$['meta'].next", body), text("a\"b"));
        let exact = Found::One { text: "12345678901234567890123".to_owned(), is_number: true };
        assert_eq!(at("$.meta.total", body), Some(exact), "beyond what a double holds");
        assert_eq!(at("$.data[-1].id", body), Some(Found::One { text: "9".to_owned(), is_number: true }));
        assert_eq!(at("$.data[*].id", body), Some(Found::Other("several values")));
        assert_eq!(at("$.data", body), Some(Found::Other("an array")));
    }

    #[test]
    fn what_is_absent_is_another_thing_than_null_and_no_json_is_told() {
        assert_eq!(at("$.next", r#"{"next": null}"#), Some(Found::Null));
        assert_eq!(at("$.a.next", r#"{"a": [1]}"#), Some(Found::Missing));
        assert_eq!(at("$.next", "<html>"), None);
        assert_eq!(at("$.next", r#"{"next": 1"#), None);
        assert_eq!(at("$.more", r#"{"more": false}"#), Some(Found::Flag(false)));
        assert!(Path::read("data.next").is_err());
    }
}
