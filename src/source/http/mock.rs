//! Answers from files in the place of a service's: test mode, where a source has `mock`. Asks nobody.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::{Answer, Ask, AskError, Headers, MISSING, Media, Reason, Request, Target};
use crate::{
    clock::{Clock, System},
    error::{Class, Fault},
    event::Tier,
    source::SourceError,
};

/// What is answered, and from where.
#[derive(Debug, Clone)]
pub struct MockSettings {
    /// The source's name.
    pub name: String,
    /// Where the files' names begin.
    pub folder: PathBuf,
    /// How large a file may be.
    pub body_bytes_max: u64,
    /// The files.
    pub files: Vec<MockFile>,
}

/// Which requests a file answers, and which file.
#[derive(Debug, Clone)]
pub struct MockFile {
    /// The path's segments, each of pieces.
    pub segments: Vec<Vec<MockPiece>>,
    /// Parameters that a request has to have, among others.
    pub query: Vec<(String, Vec<MockPiece>)>,
    /// The file's name, with what the pattern's names stood for.
    pub file: Vec<MockPiece>,
}

/// A piece of a pattern or of a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MockPiece {
    /// As it stands.
    Text(String),
    /// In a pattern anything, within its segment; in a file's name what it stood for.
    Name(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MockError {
    /// No pattern fits.
    #[error("{source_name}: `mock` has no file for {method} {path}")]
    NoFile {
        /// The source.
        source_name: String,
        /// The method.
        method: String,
        /// The path, without its parameters.
        path: String,
    },
    /// A next url that is none.
    #[error("{source_name}: a file of `mock` names a next url that is none")]
    NoUrl {
        /// The source.
        source_name: String,
    },
    /// A value that a file's name cannot hold.
    #[error("{source_name}: what {path} has in the place of `{{{name}}}` is no part of a file's name")]
    Name {
        /// The source.
        source_name: String,
        /// The path, without its parameters.
        path: String,
        /// The name in the pattern.
        name: String,
    },
    /// The file cannot be read.
    #[error("{source_name}: {file}, which answers {path}, cannot be read: {what}")]
    Unread {
        /// The source.
        source_name: String,
        /// The file, relative to the project.
        file: String,
        /// The path, without its parameters.
        path: String,
        /// Why.
        what: String,
    },
}

impl Fault for MockError {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoFile { source_name, path, .. } => Some(format!(
                "[sources.{source_name}.mock] \"{path}\" = \"mock/….json\"; without `mock` test mode asks the service"
            )),
            _ => None,
        }
    }
}

/// A service whose answers are files.
pub struct Mock(MockSettings);

/// What names of a pattern stand for.
type Found = BTreeMap<String, String>;

impl Mock {
    /// One with these files.
    pub fn new(settings: MockSettings) -> Self {
        Self(settings)
    }

    /// The request's url, as if its paths were below the root.
    fn url(&self, request: &Request) -> Result<Url, MockError> {
        let no_url = || MockError::NoUrl { source_name: self.0.name.clone() };
        let base = Url::parse("https://mock.invalid/").map_err(|_| no_url())?;
        let target = match &request.target {
            Target::Path(path) | Target::Url(path) => path,
        };
        let mut url = base.join(target).map_err(|_| no_url())?;
        if !request.query.is_empty() {
            let mut pairs = url.query_pairs_mut();
            pairs.extend_pairs(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        Ok(url)
    }

    /// The file that fits best: by the most parameters, then by the fewest names.
    fn file(&self, url: &Url) -> Option<(&MockFile, Found)> {
        let fits = self.0.files.iter().filter_map(|file| Some((file, file.fits(url)?)));
        fits.max_by_key(|(file, found)| (file.query.len(), file.segments.len(), usize::MAX - found.len()))
    }

    /// A file's name, with what the pattern's names stand for.
    fn name_of(&self, file: &MockFile, found: &Found, path: &str) -> Result<String, MockError> {
        let mut text = String::new();
        for piece in &file.file {
            match piece {
                MockPiece::Text(plain) => text.push_str(plain),
                MockPiece::Name(name) => {
                    let value = found.get(name).map(String::as_str).unwrap_or_default();
                    if !is_part_of_a_name(value) {
                        let (source_name, path) = (self.0.name.clone(), path.to_owned());
                        return Err(MockError::Name { source_name, path, name: name.clone() });
                    }
                    text.push_str(value);
                }
            }
        }
        Ok(text)
    }

    async fn read(&self, name: &str, path: &str) -> Result<Option<Bytes>, MockError> {
        let unread = |what: String| MockError::Unread {
            source_name: self.0.name.clone(),
            file: name.to_owned(),
            path: path.to_owned(),
            what,
        };
        let body = match tokio::fs::read(self.0.folder.join(Path::new(name))).await {
            Ok(body) => body,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(error.to_string())),
        };
        if body.len() as u64 > self.0.body_bytes_max {
            return Err(unread(format!("it has more than {} bytes", self.0.body_bytes_max)));
        }
        Ok(Some(Bytes::from(body)))
    }
}

#[async_trait]
impl Ask for Mock {
    async fn ask(&self, request: &Request, _: Tier) -> Result<Answer, SourceError> {
        let asked_at = System.now();
        let url = self.url(request).map_err(boxed)?;
        let path = url.path().to_owned();
        let Some((file, found)) = self.file(&url) else {
            let (source_name, method) = (self.0.name.clone(), request.method.clone());
            return Err(boxed(MockError::NoFile { source_name, method, path }));
        };
        let name = self.name_of(file, &found, &path).map_err(boxed)?;
        let Some(body) = self.read(&name, &path).await.map_err(boxed)? else {
            // As of a service that knows nothing of it.
            return Err(Box::new(AskError {
                source_name: format!("{} (there is no file {name})", self.0.name),
                method: request.method.clone(),
                path,
                reason: Reason::Refused { status: MISSING },
                tries: 1,
            }));
        };
        let media = match request.media {
            Media::Json => "application/json",
            Media::Ndjson => "application/x-ndjson",
            Media::Csv => "text/csv",
        };
        Ok(Answer {
            status: 200,
            headers: Headers(vec![("content-type".to_owned(), media.to_owned())]),
            url: url.into(),
            body,
            asked_at,
            answered_at: System.now(),
            tries: 1,
        })
    }
}

fn boxed(error: MockError) -> SourceError {
    Box::new(error)
}

/// What does not lead out of the folder, and hides nothing.
fn is_part_of_a_name(value: &str) -> bool {
    !value.is_empty() && !value.starts_with('.') && !value.contains(['/', '\\', '\0'])
}

impl MockFile {
    /// What the pattern's names stand for, where it fits.
    fn fits(&self, url: &Url) -> Option<Found> {
        let mut found = Found::new();
        let segments: Vec<String> = url.path_segments()?.map(decoded).collect();
        if segments.len() != self.segments.len() {
            return None;
        }
        for (pieces, segment) in self.segments.iter().zip(&segments) {
            take(pieces, segment, &mut found).then_some(())?;
        }
        for (name, pieces) in &self.query {
            let (_, value) = url.query_pairs().find(|(other, _)| other == name)?;
            take(pieces, &value, &mut found).then_some(())?;
        }
        Some(found)
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Whether a text is made of these pieces; a name takes as little as goes, and twice the same.
fn take(pieces: &[MockPiece], text: &str, found: &mut Found) -> bool {
    match pieces.split_first() {
        None => text.is_empty(),
        Some((MockPiece::Text(plain), others)) => {
            text.strip_prefix(plain.as_str()).is_some_and(|rest| take(others, rest, found))
        }
        Some((MockPiece::Name(name), others)) => {
            let known = found.get(name).cloned();
            let ends = text.char_indices().map(|(at, _)| at).skip(1).chain(std::iter::once(text.len()));
            for end in ends.filter(|end| *end > 0) {
                let (value, rest) = text.split_at(end);
                if known.as_deref().is_some_and(|known| known != value) {
                    continue;
                }
                let mut tried = found.clone();
                tried.insert(name.clone(), value.to_owned());
                if take(others, rest, &mut tried) {
                    *found = tried;
                    return true;
                }
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn text(text: &str) -> MockPiece {
        MockPiece::Text(text.to_owned())
    }

    fn name(name: &str) -> MockPiece {
        MockPiece::Name(name.to_owned())
    }

    fn mock(folder: &Path) -> Mock {
        let file = |segments: Vec<Vec<MockPiece>>, query, file| MockFile { segments, query, file };
        let items = vec![vec![text("items")]];
        Mock::new(MockSettings {
            name: "fx".to_owned(),
            folder: folder.to_owned(),
            body_bytes_max: 20,
            files: vec![
                file(items.clone(), Vec::new(), vec![text("items-1.json")]),
                file(items, vec![("page".to_owned(), vec![text("2")])], vec![text("items-2.json")]),
                file(
                    vec![vec![text("rates")], vec![name("day"), text(".json")]],
                    Vec::new(),
                    vec![text("rates-"), name("day"), text(".json")],
                ),
            ],
        })
    }

    async fn asked(mock: &Mock, request: &Request) -> Result<(u16, String), String> {
        let answer = mock.ask(request, Tier::Optional).await.map_err(|error| error.to_string())?;
        Ok((answer.status, String::from_utf8(answer.body.to_vec()).expect("it is UTF-8")))
    }

    #[tokio::test]
    async fn the_file_whose_pattern_fits_best_is_the_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, body) in
            [("items-1.json", "one"), ("items-2.json", "two"), ("rates-2026-01-02.json", "day")]
        {
            fs::write(folder.path().join(name), body).expect("it is written");
        }
        let mock = mock(folder.path());
        let get = |path: &str| Request::get(path.to_owned(), Media::Json);
        assert_eq!(asked(&mock, &get("/items")).await, Ok((200, "one".to_owned())));
        let second = Request { query: vec![("page".to_owned(), "2".to_owned())], ..get("/items") };
        assert_eq!(asked(&mock, &second).await, Ok((200, "two".to_owned())));
        let next = Request { target: Target::Url("?page=2&x=1".to_owned()), ..get("/") };
        assert!(asked(&mock, &next).await.is_err(), "it is not below /items");
        let day = asked(&mock, &get("/rates/2026%2D01-02.json")).await;
        assert_eq!(day, Ok((200, "day".to_owned())));
    }

    #[tokio::test]
    async fn what_has_no_file_is_told_or_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("items-1.json"), "more than there may be").expect("it is written");
        let mock = mock(folder.path());
        let get = |path: &str| Request::get(path.to_owned(), Media::Json);
        let none = asked(&mock, &get("/other?key=1")).await;
        assert_eq!(none, Err("fx: `mock` has no file for GET /other".to_owned()));
        let large = asked(&mock, &get("/items")).await.expect_err("it is too large");
        assert!(large.ends_with("it has more than 20 bytes"), "{large}");
        let missing = get("/rates/2026-01-03.json");
        let told = mock.ask(&missing, Tier::Optional).await.expect_err("there is no file");
        assert_eq!(AskError::of(&told).and_then(AskError::status), Some(404));
        assert!(told.to_string().contains("(there is no file rates-2026-01-03.json)"), "{told}");
        let elsewhere = asked(&mock, &get("/rates/..%2Fsecret.json")).await.expect_err("it leads out");
        assert!(elsewhere.ends_with("in the place of `{day}` is no part of a file's name"), "{elsewhere}");
    }
}
