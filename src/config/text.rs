//! One TOML file, with the places in it.

use std::{fs, io, ops::Range, path::Path};

use toml_edit::Document;

use super::mistake::{Collector, Place};

/// A file that has been read and parsed.
pub(super) struct Text {
    /// Relative to the project's folder.
    pub(super) name: String,
    raw: String,
    pub(super) document: Document<String>,
}

impl Text {
    /// Reads `dir/name`; a mistake is written down where it cannot be.
    pub(super) fn read(dir: &Path, name: &str, hint: Option<&str>, mistakes: &Collector) -> Option<Self> {
        let whole = |message: String| {
            let place = Place { file: name.to_owned(), line: 0, column: 0 };
            mistakes.add(place, message, hint.map(str::to_owned));
        };
        let raw = match fs::read(dir.join(name)).map(String::from_utf8) {
            Ok(Ok(raw)) => raw,
            Ok(Err(_)) => {
                whole("the file is not UTF-8".to_owned());
                return None;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                whole("there is no such file".to_owned());
                return None;
            }
            Err(error) => {
                whole(format!("the file cannot be read: {error}"));
                return None;
            }
        };
        Self::parse(name, raw, mistakes)
    }

    /// Parses a file's text.
    pub(super) fn parse(name: &str, raw: String, mistakes: &Collector) -> Option<Self> {
        match Document::parse(raw.clone()) {
            Ok(document) => Some(Self { name: name.to_owned(), raw, document }),
            Err(error) => {
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                mistakes.add(place_of(name, &raw, error.span()), format!("no TOML: {message}"), None);
                None
            }
        }
    }

    /// The place of a span; the file itself where there is none.
    pub(super) fn place(&self, span: Option<Range<usize>>) -> Place {
        place_of(&self.name, &self.raw, span)
    }
}

fn place_of(name: &str, raw: &str, span: Option<Range<usize>>) -> Place {
    let file = name.to_owned();
    let Some(before) = span.and_then(|span| raw.get(..span.start.min(raw.len()))) else {
        return Place { file, line: 0, column: 0 };
    };
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Place { file, line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}
