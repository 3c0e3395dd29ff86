//! Where records stand in a body, and values in a record.
//!
//! A path of names and numbers is followed through text that is not decoded, so that numbers stay as they are
//! written. Any other one (RFC 9535) is asked of the whole document, and what it finds is then followed in the text.

use serde_json::{Value, value::RawValue};
use serde_json_path::{JsonPath, PathElement};

use super::{RecordsError, json};
use crate::error::{Class, Fault};

/// One step into JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(String),
    Index(usize),
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

/// Why nothing is known of the value at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    #[error("is in what is no JSON")]
    NoJson,
    #[error("is not to be found: the record has a number that no double holds, or more than 127 levels")]
    Unfollowed,
    #[error("is at several places in the record")]
    Several,
}

/// Where a value stands in a record, or in a body.
#[derive(Debug, Clone)]
pub struct ValuePath {
    text: String,
    pub(super) how: How,
}

#[derive(Debug, Clone)]
pub(super) enum How {
    Steps(Vec<Step>),
    Any(Box<JsonPath>),
}

/// Where records stand in a body.
#[derive(Debug, Clone)]
pub struct RecordsPath {
    text: String,
    pub(super) how: How,
    /// What is there is a list, whose elements are the records.
    pub(super) is_list: bool,
    /// The plain steps that any other path begins with: they lead to something in each answer that is one.
    pub(super) begins: Vec<Step>,
}

impl ValuePath {
    /// Reads one.
    pub fn read(text: &str) -> Result<Self, PathError> {
        Ok(Self { text: text.to_owned(), how: how(text)? })
    }

    /// The field of this name.
    pub fn field(name: &str) -> Self {
        Self { text: format!("$.{name}"), how: How::Steps(vec![Step::Name(name.to_owned())]) }
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The field that it begins with, where it begins with one.
    pub fn first_name(&self) -> Option<&str> {
        match &self.how {
            How::Steps(steps) => match steps.first() {
                Some(Step::Name(name)) => Some(name),
                _ => None,
            },
            How::Any(_) => None,
        }
    }

    /// The steps from there on.
    pub(super) fn below(&self) -> Option<&[Step]> {
        match &self.how {
            How::Steps(steps) => match steps.as_slice() {
                [Step::Name(_), below @ ..] => Some(below),
                _ => None,
            },
            How::Any(_) => None,
        }
    }

    /// What is at it in a record, which is JSON.
    pub(crate) fn of<'a>(&self, record: &'a str) -> Result<Option<&'a str>, Unclear> {
        match &self.how {
            How::Steps(steps) => Ok(json::walk(record, steps)),
            How::Any(path) => match located(path, record).ok_or(Unclear::Unfollowed)?.as_slice() {
                [] => Ok(None),
                [steps] => Ok(json::walk(record, steps)),
                _ => Err(Unclear::Several),
            },
        }
    }

    /// Whether anything is at it in a record or a body, which is JSON: null, false and what is empty are nothing.
    pub(crate) fn has_something(&self, text: &str) -> Result<bool, Unclear> {
        match &self.how {
            How::Steps(steps) => Ok(json::walk(text, steps).is_some_and(json::is_something)),
            How::Any(path) => {
                let places = located(path, text).ok_or(Unclear::Unfollowed)?;
                Ok(places.iter().filter_map(|steps| json::walk(text, steps)).any(json::is_something))
            }
        }
    }

    /// What is at it in a body, which may be anything.
    pub(crate) fn of_body<'a>(&self, body: &'a [u8]) -> Result<Option<&'a str>, Unclear> {
        let text = json::text(body).map_err(|_| Unclear::NoJson)?;
        match &self.how {
            How::Steps(steps) => json::walk_whole(text, steps).map_err(|_| Unclear::NoJson),
            How::Any(_) => self.of(raw(text).map_err(|_| Unclear::NoJson)?),
        }
    }
}

impl RecordsPath {
    /// Reads one. One that ends in `[*]` means the elements of a list; any other one of names alone means the list, or
    /// the one record.
    pub fn read(text: &str) -> Result<Self, PathError> {
        let text = text.trim();
        let (before, is_list) = match text.strip_suffix("[*]") {
            Some(before) => (before, true),
            None => (text, false),
        };
        let how = match (how(before)?, is_list) {
            (How::Steps(steps), _) => How::Steps(steps),
            (How::Any(_), _) => self::how(text)?,
        };
        let begins = match how {
            How::Steps(_) => Vec::new(),
            How::Any(_) => beginning(text),
        };
        Ok(Self { text: text.to_owned(), is_list, how, begins })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Default for RecordsPath {
    /// The whole body: a list of records, or one record.
    fn default() -> Self {
        Self { text: "$".to_owned(), how: How::Steps(Vec::new()), is_list: false, begins: Vec::new() }
    }
}

/// `$.orders` of `$.orders[*].lines[*]`.
fn beginning(text: &str) -> Vec<Step> {
    let ends = text.match_indices(['.', '[']).map(|(at, _)| at);
    ends.filter_map(|at| steps(&text[..at])).next_back().unwrap_or_default()
}

fn how(text: &str) -> Result<How, PathError> {
    let path = JsonPath::parse(text)
        .map_err(|error| PathError { text: text.to_owned(), what: error.to_string() })?;
    Ok(steps(text).map_or_else(|| How::Any(Box::new(path)), How::Steps))
}

/// The steps of a path of plain names and numbers.
fn steps(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.trim().strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('.') {
            let end = inside.find(['.', '[']).unwrap_or(inside.len());
            let name = &inside[..end];
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
            if name.is_empty() || !name.bytes().all(is_plain) {
                return None;
            }
            steps.push(Step::Name(name.to_owned()));
            rest = &inside[end..];
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            let name = |quote: char| inside.strip_prefix(quote)?.strip_suffix(quote);
            match name('\'').or_else(|| name('"')) {
                Some(name) if !name.contains(['\\', '\'', '"']) => steps.push(Step::Name(name.to_owned())),
                Some(_) => return None,
                None => steps.push(Step::Index(inside.parse().ok()?)),
            }
            rest = after;
        }
    }
    Some(steps)
}

/// Where a path leads to in a text that is JSON; `None`: nobody knows, because it has a number that no double holds, or
/// too many levels.
pub(super) fn located(path: &JsonPath, text: &str) -> Option<Vec<Vec<Step>>> {
    let document = serde_json::from_str::<Value>(text).ok()?;
    let step = |element: &PathElement<'_>| match element {
        PathElement::Name(name) => Step::Name((*name).to_owned()),
        PathElement::Index(index) => Step::Index(*index),
    };
    let nodes = path.query_located(&document);
    Some(nodes.locations().map(|location| location.iter().map(step).collect()).collect())
}

/// The text of a value that lies in another text.
pub(super) fn raw<'a>(text: &'a str) -> Result<&'a str, RecordsError> {
    let raw: &'a RawValue = serde_json::from_str(text).map_err(json::error)?;
    Ok(raw.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_steps_and_all_else_is_asked_of_the_document() {
        let name = |name: &str| Step::Name(name.to_owned());
        assert_eq!(steps("$"), Some(vec![]));
        assert_eq!(steps("$.a.b[0]"), Some(vec![name("a"), name("b"), Step::Index(0)]));
        assert_eq!(steps("$['a b'][\"ü\"]"), Some(vec![name("a b"), name("ü")]));
        for other in ["$..a", "$.a[*].b", "$.a[?@.b]", "$.*", "$[-1]", "$['a\\'b']", "$.a[0:2]"] {
            assert_eq!(steps(other), None, "{other}");
        }
        assert!(RecordsPath::read("$.a[").is_err() && ValuePath::read("a.b").is_err());
        assert!(RecordsPath::read("$.data[*]").expect("it is one").is_list);
        assert_eq!(beginning("$.a.b[*].c[*]"), [name("a"), name("b")]);
        assert_eq!(beginning("$..a"), []);
        assert_eq!(beginning("$['x.y'][?@.b].c"), [name("x.y")]);
    }

    #[test]
    fn a_value_is_found_by_any_path_and_stays_as_it_is_written() {
        let record =
            r#"{"a": {"b": [1, 12345678901234567890.10]}, "c": [{"k": "x", "v": 9007199254740993}]}"#;
        let of = |path: &str| ValuePath::read(path).expect("a path").of(record);
        assert_eq!(of("$.a.b[1]"), Ok(Some("12345678901234567890.10")));
        assert_eq!(of("$.c[?@.k == 'x'].v"), Ok(Some("9007199254740993")));
        assert_eq!(of("$.nothing.here"), Ok(None));
        assert_eq!(of("$.a.b[*]"), Err(Unclear::Several));
        // What cannot be looked through is no record without the value.
        let far = ValuePath::read("$.a[?@ > 0]").expect("a path").of(r#"{"a": [1], "b": 1e999}"#);
        assert_eq!(far, Err(Unclear::Unfollowed));
    }
}
