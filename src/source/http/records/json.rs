//! JSON, followed through its text: what is not asked for is not decoded.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    RecordsError,
    cell::{NUMERIC_MAX, refuse_digits},
    number::Number,
    path::{How, RecordsPath, Step, located, raw},
};

/// The text of a body, without a byte order mark.
pub(super) fn text(body: &[u8]) -> Result<&str, RecordsError> {
    let text = std::str::from_utf8(body).map_err(|error| RecordsError::Utf8 { byte: error.valid_up_to() })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A mistake in JSON, without what stands there.
pub(super) fn error(error: serde_json::Error) -> RecordsError {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Eof => "it breaks off",
        Category::Syntax if error.to_string().starts_with("trailing characters") => "something follows it",
        Category::Syntax | Category::Data | Category::Io => "it is written wrongly",
    };
    RecordsError::Json { what, line: error.line(), column: error.column() }
}

/// Each record of a JSON text.
pub(super) fn each<E: From<RecordsError>>(
    text: &str,
    path: &RecordsPath,
    each: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    if text.trim().is_empty() {
        return Err(RecordsError::Empty.into());
    }
    // All of it is looked at first: a body that breaks off has no records.
    match &path.how {
        How::Steps(steps) => {
            let not_there = || RecordsError::NotThere { path: path.text().to_owned() };
            let found = walk_whole(text, steps)?.ok_or_else(not_there)?;
            match found.as_bytes().first() {
                Some(b'[') => each_element(found, each),
                Some(b'{') if !path.is_list => each(found),
                // Many services say `null` where there is nothing.
                Some(b'n') => Ok(()),
                _ => {
                    let found = kind(found);
                    Err(RecordsError::NoList { path: path.text().to_owned(), found }.into())
                }
            }
        }
        How::Any(any) => {
            let whole = raw(text)?;
            let unfollowed = || RecordsError::Unfollowed { path: path.text().to_owned() };
            if walk(whole, &path.begins).is_none() {
                return Err(RecordsError::NotThere { path: path.text().to_owned() }.into());
            }
            for steps in located(any, whole).ok_or_else(unfollowed)? {
                if let Some(record) = walk(whole, &steps) {
                    each(record)?;
                }
            }
            Ok(())
        }
    }
}

/// Each record of lines that are JSON; empty ones are none.
pub(super) fn each_line<E: From<RecordsError>>(
    text: &str,
    path: &RecordsPath,
    each: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    for (number, line) in text.split('\n').enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let record = raw(line).map_err(|error| match error {
            RecordsError::Json { what, column, .. } => RecordsError::Json { what, line: number + 1, column },
            error => error,
        })?;
        match &path.how {
            How::Steps(steps) if steps.is_empty() && !path.is_list => each(record)?,
            _ => self::each(record, path, each)?,
        }
    }
    Ok(())
}

/// What kind of value a JSON text is.
pub(super) fn kind(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Whether a value is neither null nor false nor empty.
pub(super) fn is_something(raw: &str) -> bool {
    match raw.as_bytes().first() {
        Some(b'n' | b'f') | None => false,
        Some(b'"') => raw.len() > 2,
        Some(b'[' | b'{') => !raw[1..raw.len() - 1].trim().is_empty(),
        Some(_) => true,
    }
}

/// What is there after some steps into a text, all of which is looked at: one that is no JSON has nothing.
pub(super) fn walk_whole<'a>(text: &'a str, steps: &[Step]) -> Result<Option<&'a str>, RecordsError> {
    // A first step goes through all of it.
    match walk(text, steps).filter(|_| !steps.is_empty()) {
        Some(found) => Ok(Some(found)),
        None => raw(text).map(|whole| steps.is_empty().then_some(whole)),
    }
}

/// What is there after some steps into a valid JSON text. Of a name that is there twice: the last.
pub(super) fn walk<'a>(text: &'a str, steps: &[Step]) -> Option<&'a str> {
    let mut here = text;
    for step in steps {
        let mut found = None;
        match step {
            Step::Name(name) => each_field(here, |key, value| {
                if key == name {
                    found = Some(value);
                }
            })
            .ok()?,
            Step::Index(index) => {
                let mut at = 0;
                let mut look = |value: &'a str| {
                    if at == *index {
                        found = Some(value);
                    }
                    at += 1;
                    Ok::<(), RecordsError>(())
                };
                each_element(here, &mut look).ok()?;
            }
        }
        here = found?;
    }
    Some(here)
}

/// The elements of a list, as they are written.
fn each_element<'a, E: From<RecordsError>>(
    text: &'a str,
    each: &mut dyn FnMut(&'a str) -> Result<(), E>,
) -> Result<(), E> {
    struct List<'f, 'a, E> {
        each: &'f mut dyn FnMut(&'a str) -> Result<(), E>,
        failed: &'f mut Option<E>,
    }
    impl<'de, E> Visitor<'de> for List<'_, 'de, E> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            while let Some(element) = list.next_element::<&'de RawValue>()? {
                if let Err(error) = (self.each)(element.get()) {
                    *self.failed = Some(error);
                    // The rest is of no interest.
                    while list.next_element::<IgnoredAny>()?.is_some() {}
                }
            }
            Ok(())
        }
    }
    let mut failed = None;
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_seq(List { each, failed: &mut failed }).and_then(|()| json.end()).map_err(error)?;
    failed.map_or(Ok(()), Err)
}

/// The fields of an object, as they are written.
pub(super) fn each_field<'a>(text: &'a str, each: impl FnMut(&str, &'a str)) -> Result<(), RecordsError> {
    struct Object<F>(F);
    impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Object<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
                let value = map.next_value::<&'de RawValue>()?;
                (self.0)(&name, value.get());
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Object(each)).and_then(|()| json.end()).map_err(error)
}

/// A field's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A string's text.
pub(in crate::source::http) fn string(raw: &str) -> Result<Cow<'_, str>, RecordsError> {
    serde_json::from_str::<Name<'_>>(raw).map(|Name(text)| text).map_err(error)
}

/// Why no warehouse holds this JSON as it is written; `None`: it does.
pub(super) fn unfit(raw: &str) -> Option<&'static str> {
    const DEPTH_MAX: usize = 200;
    let bytes = raw.as_bytes();
    let (mut at, mut depth, mut in_string) = (0, 0_usize, false);
    while let Some(byte) = bytes.get(at) {
        match (in_string, byte) {
            (true, b'\\') => {
                if bytes.get(at + 1) == Some(&b'u') {
                    match unit(bytes, at) {
                        Some(0) => return Some("holds JSON with \\u0000"),
                        Some(0xD800..0xDC00) => match unit(bytes, at + 6) {
                            Some(0xDC00..0xE000) if bytes.get(at + 6) == Some(&b'\\') => at += 6,
                            _ => return Some("holds JSON with half a surrogate pair"),
                        },
                        Some(0xDC00..0xE000) => return Some("holds JSON with half a surrogate pair"),
                        _ => {}
                    }
                }
                at += 1;
            }
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some("holds JSON that is more than 200 levels deep");
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    unfit_value(raw)
}

/// The same of names and numbers: nobody says twice what is to be there once, and Postgres holds numbers in `numeric`.
fn unfit_value(raw: &str) -> Option<&'static str> {
    let mut found = None;
    match raw.as_bytes().first() {
        Some(b'{') => {
            let mut names = HashSet::new();
            let read = each_field(raw, |name, value| {
                if !names.insert(name.to_owned()) {
                    found = Some("holds JSON with a name twice in one object");
                }
                found = found.or_else(|| unfit_value(value));
            });
            read.err().map(|_| "holds JSON with a name that is no text").or(found)
        }
        Some(b'[') => {
            let read = each_element(raw, &mut |value| {
                found = found.or_else(|| unfit_value(value));
                Ok::<(), RecordsError>(())
            });
            read.err().map(|_| "holds JSON that is written wrongly").or(found)
        }
        Some(b'-' | b'0'..=b'9') => {
            let fits =
                Number::read(raw).is_some_and(|number| refuse_digits(&number, Some(NUMERIC_MAX)).is_ok());
            (!fits).then_some("holds JSON with a number of more digits than a warehouse holds")
        }
        _ => None,
    }
}

/// The UTF-16 unit of an escape `\uXXXX` at a place.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(at + 2..at + 6)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, path: &str) -> Result<Vec<String>, RecordsError> {
        let (mut found, path) = (Vec::new(), RecordsPath::read(path).expect("a path"));
        each(text, &path, &mut |record| {
            found.push(record.to_owned());
            Ok::<(), RecordsError>(())
        })?;
        Ok(found)
    }

    #[test]
    fn records_are_found_where_the_path_says() {
        let body = r#" {"data": {"items": [ {"a":1} , {"a": 2.50} ]}, "one": {"a": 3}, "none": null} "#;
        assert_eq!(records(body, "$.data.items[*]").unwrap(), [r#"{"a":1}"#, r#"{"a": 2.50}"#]);
        assert_eq!(records(body, "$.data.items").unwrap().len(), 2);
        assert_eq!(records(body, "$.one").unwrap(), [r#"{"a": 3}"#]);
        assert_eq!(records(body, "$.none[*]").unwrap(), Vec::<String>::new());
        assert_eq!(records(body, "$.data.items[?@.a > 1]").unwrap(), [r#"{"a": 2.50}"#]);
        let far = RecordsError::Unfollowed { path: "$[?@.a > 1]".into() };
        assert_eq!(
            records(r#"[{"a": 2}, {"b": 1e999}]"#, "$[?@.a > 1]").unwrap_err(),
            far,
            "none is no answer"
        );
        assert_eq!(records("[{},{}]", "$").unwrap().len(), 2);
        assert_eq!(records("[]", "$[*]").unwrap().len(), 0);
        let not_there = RecordsError::NotThere { path: "$.no[*]".into() };
        assert_eq!(records(body, "$.no[*]").unwrap_err(), not_there);
        assert!(matches!(records(body, "$.one[*]"), Err(RecordsError::NoList { found: "an object", .. })));
        assert!(matches!(records("\"hi\"", "$"), Err(RecordsError::NoList { found: "a string", .. })));
    }

    #[test]
    fn a_body_that_is_no_json_has_no_records_and_says_where() {
        for (body, says) in [
            ("", "no body"),
            ("  ", "no body"),
            (r#"[{"a": 1}, {"a": "#, "breaks off at line 1"),
            ("[{\"a\": 1},\n {\"a\" 2}]", "written wrongly at line 2"),
            ("[] []", "something follows it"),
            ("<html>", "written wrongly"),
            ("[01]", "written wrongly"),
        ] {
            let error = records(body, "$[*]").unwrap_err().to_string();
            assert!(error.contains(says), "{body}: {error}");
        }
        assert_eq!(text(b"\xef\xbb\xbf[]").unwrap(), "[]");
        assert!(matches!(text(b"ab\xff"), Err(RecordsError::Utf8 { byte: 2 })));
        // Deep JSON is walked without a stack.
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(records(&deep, "$").is_ok());
    }

    #[test]
    fn lines_are_records_and_a_wrong_one_is_named() {
        let lines = |text: &str| {
            let mut found = Vec::new();
            each_line(text, &RecordsPath::default(), &mut |record| {
                found.push(record.to_owned());
                Ok::<(), RecordsError>(())
            })
            .map(|()| found)
        };
        assert_eq!(lines("{\"a\":1}\r\n\n{\"a\":2}").unwrap(), ["{\"a\":1}", "{\"a\":2}"]);
        assert!(matches!(lines("{}\n{\"a\":"), Err(RecordsError::Json { line: 2, .. })));
    }

    #[test]
    fn json_that_no_warehouse_holds_is_known() {
        for good in [r#"{"a": "\ud83d\ude00 \\u0000 \\ud800"}"#, r#"["]]]]", "\""]"#, "1"] {
            assert_eq!(unfit(good), None, "{good}");
        }
        for bad in [r#""\u0000""#, r#"["\ud83d"]"#, r#""\ude00""#, r#""\ud83dx\ude00""#] {
            assert!(unfit(bad).is_some(), "{bad}");
        }
        assert!(unfit(&format!("{}{}", "[".repeat(201), "]".repeat(201))).is_some());
        assert_eq!(unfit(r#"{"a": {"b": [1e10, -0.5]}, "b": {}}"#), None);
        for bad in [r#"[{"a": 1, "\u0061": 2}]"#, r#"{"a": [1e999999999]}"#, "1e-20000"] {
            assert!(unfit(bad).is_some(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_service_says_is_records_or_an_error(text in ".{0,200}", at in 0_usize..80, with in ".{0,3}") {
            let _ = records(&text, "$.data[*]");
            let mut body = r#"{"data": [{"id": 1, "s": "\u00e4\"", "n": 1e5}, {"id": 2, "l": [null, {}]}]}"#.to_owned();
            let at = (0..=at.min(body.len())).rfind(|at| body.is_char_boundary(*at)).unwrap_or(0);
            body.insert_str(at, &with);
            let _ = records(&body, "$.data[*]");
            let _ = records(&body, "$..id");
            let _ = unfit(&body);
        }
    }
}
