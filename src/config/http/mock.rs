//! `[sources.NAME.mock]`: answers from files, for test mode.

use std::path::{Path, PathBuf};

use crate::config::{Collector, Keys, Place};

/// Which requests a file answers, and which file.
#[derive(Debug, Clone)]
pub struct MockFile {
    /// The requests.
    pub pattern: MockPattern,
    /// The file's name, relative to the project, with what the pattern's names stood for.
    pub file: Vec<MockPiece>,
    /// Where it is written.
    pub place: Place,
}

/// Requests by path and parameters: `/rates/{date}`, `/items?page=2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockPattern {
    /// As it is written.
    pub text: String,
    /// The path's segments, each of pieces.
    pub segments: Vec<Vec<MockPiece>>,
    /// Parameters that the request has to have, among others.
    pub query: Vec<(String, Vec<MockPiece>)>,
}

/// A piece of a pattern or of a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MockPiece {
    /// As it stands.
    Text(String),
    /// `{name}`: in a pattern anything, within its segment; in a file's name what it stood for.
    Name(String),
}

/// Reads `mock`; `None` where it is not there.
pub(super) fn read(keys: &Keys<'_>) -> Option<Vec<MockFile>> {
    let named = keys.named("mock");
    if !keys.has("mock") {
        return None;
    }
    let mut files = Vec::new();
    for (pattern, place, item) in named {
        let wrong = |message: String| {
            keys.mistakes.add(
                place.clone(),
                message,
                Some("\"/rates/{date}\" = \"mock/rates-{date}.json\"".to_owned()),
            );
        };
        let Some(file) = item.as_str() else {
            wrong(format!("`mock` has no file under `{pattern}`"));
            continue;
        };
        match (parse(&pattern), pieces(file)) {
            (Ok(pattern), Ok(file)) => {
                let known = pattern.names();
                let unknown = file.iter().find_map(|piece| match piece {
                    MockPiece::Name(name) if !known.contains(&name.as_str()) => Some(name.clone()),
                    _ => None,
                });
                match unknown {
                    Some(name) => wrong(format!("`{{{name}}}` of the file stands not in `{}`", pattern.text)),
                    None => files.push(MockFile { pattern, file, place: place.clone() }),
                }
            }
            (Err(what), _) => wrong(format!("`{pattern}` of `mock` {what}")),
            (_, Err(what)) => wrong(format!("the file of `{pattern}` {what}")),
        }
    }
    Some(files)
}

/// Files that are not there, as far as that can be known before anybody asks.
pub(in crate::config) fn check(dir: &Path, files: &[MockFile], mistakes: &Collector) {
    for file in files {
        let plain = |piece: &MockPiece| match piece {
            MockPiece::Text(text) => Some(text.clone()),
            MockPiece::Name(_) => None,
        };
        let Some(name) = file.file.iter().map(plain).collect::<Option<String>>() else { continue };
        if !dir.join(PathBuf::from(&name)).is_file() {
            let message = format!("there is no file {name}, from which `{}` is answered", file.pattern.text);
            mistakes.add(file.place.clone(), message, None);
        }
    }
}

impl MockPattern {
    /// The names in it.
    fn names(&self) -> Vec<&str> {
        let all = self.segments.iter().chain(self.query.iter().map(|(_, pieces)| pieces)).flatten();
        all.filter_map(|piece| match piece {
            MockPiece::Name(name) => Some(name.as_str()),
            MockPiece::Text(_) => None,
        })
        .collect()
    }
}

fn parse(text: &str) -> Result<MockPattern, String> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(path) = path.strip_prefix('/') else { return Err("does not begin with `/`".to_owned()) };
    let segments = path.split('/').map(pieces).collect::<Result<_, _>>()?;
    let parameter = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), pieces(value)?)),
        _ => Err("has a parameter without `=`".to_owned()),
    };
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect::<Result<_, _>>()?;
    Ok(MockPattern { text: text.to_owned(), segments, query })
}

fn pieces(text: &str) -> Result<Vec<MockPiece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else {
            return Err("has a `{` without its `}`".to_owned());
        };
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(format!("has `{{{name}}}`, which is no name"));
        }
        if before.is_empty() && matches!(pieces.last(), Some(MockPiece::Name(_))) {
            return Err("has two names without anything between them".to_owned());
        }
        if !before.is_empty() {
            pieces.push(MockPiece::Text(before.to_owned()));
        }
        pieces.push(MockPiece::Name(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(MockPiece::Text(rest.to_owned()));
    }
    Ok(pieces)
}
