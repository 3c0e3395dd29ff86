//! Mistakes in a project's text.

use std::{cell::RefCell, fmt};

use crate::{
    error::{Class, Fault},
    secret::conceal,
};

/// A place in a project's text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the project's folder.
    pub file: String,
    /// From 1; 0 where the mistake is the file itself.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong: a sentence, lowercase, without a full stop.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  {}", self.message, self.place)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// All mistakes of a project, in the order of their places; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if number == 0 { "" } else { "\n\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl Fault for Mistakes {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// Gathers mistakes while the rest is read on.
#[derive(Debug, Default)]
pub(super) struct Collector(RefCell<Vec<Mistake>>);

impl Collector {
    pub(super) fn add(&self, place: Place, message: impl Into<String>, hint: Option<String>) {
        // A url that stands in the place of another setting is told by it, and not with its password.
        let (message, hint) = (conceal(&message.into()), hint.map(|hint| conceal(&hint)));
        self.0.borrow_mut().push(Mistake { message, place, hint });
    }

    /// `value`, if there was no mistake.
    pub(super) fn into_result<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        let mut mistakes = self.0.into_inner();
        mistakes.sort_by(|a, b| a.place.cmp(&b.place));
        mistakes.dedup();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => Err(Mistakes(mistakes)),
        }
    }
}

/// `did you mean …?`, where a known name is near enough.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|name| format!("did you mean `{name}`?"))
}

/// The known name that is nearest to `word`.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = 1 + word.chars().count() / 3;
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, name)| name)
}
