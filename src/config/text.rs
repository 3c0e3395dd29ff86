//! One TOML file, with the places in it.

use std::{fs, io, ops::Range, path::Path};

use toml_edit::Document;

use super::mistake::{Collector, Place};

/// A file that has been read and parsed.
pub(super) struct Text {
    /// Relative to the project's folder.
    pub(super) name: String,
    raw: String,
    /// Where each line begins: a place is asked for each row, and a file may have many.
    line_starts: Vec<usize>,
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
            Ok(document) => {
                let line_starts = line_starts(&raw);
                Some(Self { name: name.to_owned(), raw, line_starts, document })
            }
            Err(error) => {
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                mistakes.add(
                    place_of(name, &raw, &line_starts(&raw), error.span()),
                    format!("no TOML: {message}"),
                    None,
                );
                None
            }
        }
    }

    /// The place of a span; the file itself where there is none.
    pub(super) fn place(&self, span: Option<Range<usize>>) -> Place {
        place_of(&self.name, &self.raw, &self.line_starts, span)
    }
}

fn line_starts(raw: &str) -> Vec<usize> {
    std::iter::once(0).chain(raw.match_indices('\n').map(|(end, _)| end + 1)).collect()
}

fn place_of(name: &str, raw: &str, line_starts: &[usize], span: Option<Range<usize>>) -> Place {
    let file = name.to_owned();
    let Some(before) = span.and_then(|span| raw.get(..span.start.min(raw.len()))) else {
        return Place { file, line: 0, column: 0 };
    };
    let line = line_starts.partition_point(|start| *start <= before.len());
    let line_start = line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
    Place { file, line, column: before[line_start..].chars().count() + 1 }
}
