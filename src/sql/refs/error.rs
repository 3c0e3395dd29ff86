//! Why a text is no SELECT that can be a model.

use sqlparser::{parser::ParserError, tokenizer::Location};

use crate::error::{Class, Fault};

/// What is wrong with a model's SQL, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct QueryError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What.
    pub problem: Problem,
}

/// What is wrong with a model's SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The parser's words: what it wanted and what stood there.
    #[error("the SQL cannot be read: {0}")]
    Unreadable(String),
    /// Nothing but comments and space.
    #[error("the file holds no SELECT")]
    Empty,
    /// Something stands behind the first `;`.
    #[error("a second statement; a file is one SELECT")]
    SecondStatement,
    /// It starts with another word.
    #[error("`{0}` is no SELECT")]
    NotASelect(String),
    /// A part of it writes or locks.
    #[error("{0} in a model: a model only reads")]
    Writes(&'static str),
    /// `:name` or `$1`, where `:since` is the only one.
    #[error("unknown placeholder `{0}`")]
    UnknownPlaceholder(String),
    /// Brackets, CASEs or subqueries in one another, more than the parser may follow.
    #[error("nested too deep for the parser")]
    TooDeep,
    /// More words and signs than a model may have.
    #[error("longer than {0} words and signs")]
    TooLong(usize),
    /// More operators than the parser may follow.
    #[error("more than {0} operators")]
    TooManyOperators(usize),
    /// The machine gives no thread to read it on.
    #[error("no thread is to be had for reading the SQL")]
    NoThread,
    /// The parser named a place that is not in the text.
    #[error("the parser lost the place of `{0}`")]
    Lost(String),
}

/// What [`Problem::Writes`] says of a lock.
pub(super) const LOCK: &str = "FOR UPDATE or FOR SHARE";

impl QueryError {
    pub(super) fn new(at: Location, problem: Problem) -> Self {
        // The parser's place for "nowhere" is 0:0.
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        Self { line: number(at.line), column: number(at.column), problem }
    }

    pub(super) fn stands_at(&self, at: Location) -> bool {
        (self.line as u64, self.column as u64) == (at.line, at.column)
    }

    /// `nowhere` is where errors without a place of their own stand.
    pub(super) fn of_parser(error: ParserError, nowhere: Location) -> Self {
        match error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                let (message, at) = split_place(&message);
                Self::new(at.unwrap_or(nowhere), Problem::Unreadable(message.to_owned()))
            }
            ParserError::RecursionLimitExceeded => Self::new(nowhere, Problem::TooDeep),
        }
    }
}

/// The parser writes the place behind its message: `… at Line: 3, Column: 7`.
fn split_place(message: &str) -> (&str, Option<Location>) {
    let place = message.rsplit_once(" at Line: ").and_then(|(text, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((text, Location { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    match place {
        Some((text, at)) => (text, (at.line > 0).then_some(at)),
        None => (message, None),
    }
}

impl Fault for QueryError {
    fn class(&self) -> Class {
        match self.problem {
            Problem::Lost(_) => Class::Bug,
            Problem::NoThread => Class::Passing,
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.problem {
            Problem::Unreadable(_) | Problem::Lost(_) => {
                "if the warehouse understands it, name the tables that it reads in `needs` in the first comment"
            }
            Problem::Empty | Problem::NotASelect(_) => {
                "write one SELECT: the rows of a table, a view, or a check's failures"
            }
            Problem::SecondStatement => "put each SELECT in a file of its own",
            Problem::Writes("SELECT INTO") => {
                "leave INTO out; the model's table has the file's name, and barncat makes it"
            }
            Problem::Writes(_) => "leave it out; barncat writes the model's table itself",
            Problem::UnknownPlaceholder(_) => "`:since` is the only placeholder; write other values out",
            Problem::TooDeep => "make subqueries into steps: WITH name AS (…)",
            Problem::NoThread => "raise the limits of threads and of address space (ulimit -u, -v)",
            Problem::TooLong(_) | Problem::TooManyOperators(_) => {
                "put the values into a table of their own and join it"
            }
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_taken_from_the_end_of_the_message() {
        let at = Location { line: 3, column: 7 };
        assert_eq!(split_place("found: x at Line: 3, Column: 7"), ("found: x", Some(at)));
        assert_eq!(split_place("found: EOF"), ("found: EOF", None));
        assert_eq!(split_place("found: EOF at Line: 0, Column: 0"), ("found: EOF", None));
        assert_eq!(split_place("a at Line: b"), ("a at Line: b", None));
    }
}
