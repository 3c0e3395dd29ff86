//! Single values of a JSON body, found without taking the whole of it apart.
//!
//! A page has thousands of records and one cursor. A path of names alone is followed through text that is not
//! decoded; any other one is asked of the whole document.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use serde_json_path::JsonPath;

use crate::error::{Class, Fault};

/// A JSON path (RFC 9535).
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Names(Vec<String>),
    Any(JsonPath),
}

/// A text that is no JSON path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no JSON path: {what}")]
pub struct PathError {
    /// As it is written.
    pub text: String,
    /// Why.
    pub what: String,
}

impl Fault for PathError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or null.
    Nothing,
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
        let parsed = JsonPath::parse(text);
        let parsed = parsed.map_err(|error| PathError { text: text.to_owned(), what: error.to_string() })?;
        let how = names(text).map_or(How::Any(parsed), How::Names);
        Ok(Self { text: text.to_owned(), how })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is at it; `None` where the body is no JSON.
    pub(super) fn of(&self, body: &[u8]) -> Option<Found> {
        match &self.how {
            How::Names(names) => {
                let mut raw: &RawValue = serde_json::from_slice(body).ok()?;
                for name in names {
                    match field(raw, name) {
                        Some(inside) => raw = inside,
                        None => return Some(Found::Nothing),
                    }
                }
                Some(found(raw))
            }
            How::Any(path) => {
                let document: Value = serde_json::from_slice(body).ok()?;
                let nodes = path.query(&document).all();
                Some(match nodes.as_slice() {
                    [] => Found::Nothing,
                    [one] => of_value(one),
                    _ => Found::Other("several values"),
                })
            }
        }
    }
}

/// `$.a.b` as its names; `None` for any other form.
fn names(text: &str) -> Option<Vec<String>> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let names: Vec<String> = text.strip_prefix("$.")?.split('.').map(str::to_owned).collect();
    names.iter().all(|name| is_name(name)).then_some(names)
}

/// A field of an object; the last one of its name, as JSON's readers take it.
fn field<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    #[derive(Deserialize)]
    struct Fields<'a>(#[serde(borrow)] HashMap<std::borrow::Cow<'a, str>, &'a RawValue>);
    let Fields(fields) = serde_json::from_str(object.get()).ok()?;
    fields.get(name).copied()
}

fn found(raw: &RawValue) -> Found {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => match serde_json::from_str(text) {
            Ok(text) => Found::One { text, is_number: false },
            Err(_) => Found::Other("no text"),
        },
        Some(b'{') => Found::Other("an object"),
        Some(b'[') => Found::Other("an array"),
        Some(b'n') => Found::Nothing,
        Some(b't') => Found::Flag(true),
        Some(b'f') => Found::Flag(false),
        // As it is written: no digit is lost.
        _ => Found::One { text: text.to_owned(), is_number: true },
    }
}

fn of_value(value: &Value) -> Found {
    match value {
        Value::Null => Found::Nothing,
        Value::Bool(flag) => Found::Flag(*flag),
        Value::Number(number) => Found::One { text: number.to_string(), is_number: true },
        Value::String(text) => Found::One { text: text.clone(), is_number: false },
        Value::Array(_) => Found::Other("an array"),
        Value::Object(_) => Found::Other("an object"),
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
    fn what_is_absent_or_null_is_nothing_and_no_json_is_told() {
        assert_eq!(at("$.next", r#"{"next": null}"#), Some(Found::Nothing));
        assert_eq!(at("$.a.next", r#"{"a": [1]}"#), Some(Found::Nothing));
        assert_eq!(at("$.next", "<html>"), None);
        assert_eq!(at("$.next", r#"{"next": 1"#), None);
        assert_eq!(at("$.more", r#"{"more": false}"#), Some(Found::Flag(false)));
        assert!(Path::read("data.next").is_err());
    }
}
