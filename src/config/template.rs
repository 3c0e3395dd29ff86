//! Texts with variables of the environment in them.

use std::{collections::BTreeMap, env};

use super::mistake::Place;
use crate::{
    error::{Class, Fault},
    secret::{self, Secret},
};

/// A text with `${NAME}` and `${NAME:-default}` in it, not resolved yet. A url with a password in it
/// is one too: printing it shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    place: Place,
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable { name: String, default: Option<String> },
}

/// Where variables come from: the only thing that reads the process's environment.
#[derive(Debug, Clone)]
pub struct Environment(Variables);

#[derive(Debug, Clone)]
enum Variables {
    Process,
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        Self(Variables::Process)
    }

    /// Another one, for tests.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Variables::Given(variables.into_iter().collect()))
    }

    /// A variable that holds a secret; an empty one counts as missing.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).filter(|value| !value.trim().is_empty()).map(Secret::new)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            Variables::Process => env::var(name).ok(),
            Variables::Given(variables) => variables.get(name).cloned(),
        }
    }
}

/// A variable that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither set nor given a default.
    #[error("the variable {name} is not set, which {place} needs")]
    MissingVariable {
        /// Its name.
        name: String,
        /// Where it is used.
        place: Place,
    },
    /// Set, but to nothing, where it is all that there is.
    #[error("the variable {name} is empty, which {place} needs")]
    EmptyVariable {
        /// Its name.
        name: String,
        /// Where it is used.
        place: Place,
    },
}

impl Fault for ConfigError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let (Self::MissingVariable { name, .. } | Self::EmptyVariable { name, .. }) = self;
        Some(format!("set it, or write a default: ${{{name}:-…}}"))
    }
}

impl Template {
    /// Reads a text; the error is what is wrong with it.
    pub(super) fn parse(text: &str, place: Place) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, variable) = rest.split_at(start);
            let Some(end) = variable.find('}') else {
                return Err("has a `${` without its `}`".to_owned());
            };
            let inner = &variable[2..end];
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (inner, None),
            };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err("has a variable whose name is not made of letters, digits and `_`".to_owned());
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Variable { name: name.to_owned(), default });
            rest = &variable[end + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces, place })
    }

    /// Puts the variables in. As in a shell, `:-` also stands in for an empty one. Where nothing comes
    /// of it because a variable is empty, that is an error: nobody wants such a url.
    pub fn resolve(&self, environment: &Environment) -> Result<Secret, ConfigError> {
        let mut resolved = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => resolved.push_str(text),
                Piece::Variable { name, default } => match (environment.get(name), default) {
                    (Some(value), None) => resolved.push_str(&value),
                    (Some(value), Some(_)) if !value.is_empty() => resolved.push_str(&value),
                    (_, Some(default)) => resolved.push_str(default),
                    (None, None) => {
                        let (name, place) = (name.clone(), self.place.clone());
                        return Err(ConfigError::MissingVariable { name, place });
                    }
                },
            }
        }
        let without_default = self.pieces.iter().find_map(|piece| match piece {
            Piece::Variable { name, default: None } => Some(name),
            _ => None,
        });
        match without_default {
            Some(name) if resolved.is_empty() => {
                Err(ConfigError::EmptyVariable { name: name.clone(), place: self.place.clone() })
            }
            _ => {
                secret::remember_password(&resolved);
                Ok(Secret::new(resolved))
            }
        }
    }

    /// Whether it begins with `prefix`, as far as can be known without the variables.
    pub(super) fn may_start_with(&self, prefix: &str) -> bool {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text.starts_with(prefix) || prefix.starts_with(text.as_str()),
            Some(Piece::Variable { .. }) => true,
            None => false,
        }
    }

    /// The text with something in the place of each variable, where its beginning is known: for a look at what is
    /// written.
    pub(super) fn as_far_as_known(&self) -> Option<Secret> {
        let Some(Piece::Text(_)) = self.pieces.first() else { return None };
        let shown = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            // A port too.
            Piece::Variable { .. } => "1",
        });
        Some(Secret::new(shown.collect::<String>()))
    }

    /// Whether it can resolve to nothing.
    pub(super) fn may_be_empty(&self) -> bool {
        let may_be =
            |piece: &Piece| matches!(piece, Piece::Variable { default: Some(text), .. } if text.is_empty());
        self.pieces.iter().all(may_be)
    }

    /// Where it is written.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({})", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { file: "barncat.toml".to_owned(), line: 3, column: 7 }
    }

    fn resolve(text: &str) -> Result<String, ConfigError> {
        let environment =
            Environment::of([("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())]);
        let template = Template::parse(text, place()).unwrap();
        template.resolve(&environment).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn variables_and_their_defaults_are_put_in() {
        assert_eq!(resolve("x${A}y${B:-b}").as_deref(), Ok("x1yb"));
        assert_eq!(resolve("${E:-e}${E}").as_deref(), Ok("e"));
        assert_eq!(resolve("plain $A").as_deref(), Ok("plain $A"));
    }

    #[test]
    fn a_missing_variable_is_named_with_its_place() {
        let error = resolve("${NOPE}").unwrap_err();
        assert_eq!(error.to_string(), "the variable NOPE is not set, which barncat.toml:3:7 needs");
    }

    #[test]
    fn an_empty_variable_is_named_where_nothing_else_is_there() {
        let error = resolve("${E}").unwrap_err();
        assert_eq!(error.to_string(), "the variable E is empty, which barncat.toml:3:7 needs");
        assert_eq!(error.hint().as_deref(), Some("set it, or write a default: ${E:-…}"));
        assert_eq!(resolve("x${E}").as_deref(), Ok("x"));
        assert_eq!(resolve("${E:-}").as_deref(), Ok(""));
    }

    #[test]
    fn nothing_of_a_template_is_printed() {
        let template = Template::parse("postgres://me:hunter2@h/db", place()).unwrap();
        assert_eq!(format!("{template:?}"), "Template(barncat.toml:3:7)");
        assert!(Template::parse("${A", place()).is_err());
        assert!(Template::parse("${A B}", place()).is_err());
    }
}
