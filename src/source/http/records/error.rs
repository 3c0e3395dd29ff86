//! Bodies that are not what they should be, and values that fit no column.

use std::fmt;

use crate::error::{Class, Fault};

/// A body that cannot be read. Never holds what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// It is empty.
    #[error("the answer has no body")]
    Empty,
    /// It is no text.
    #[error("the answer is no UTF-8, from byte {byte} on")]
    Utf8 {
        /// The first byte that is none.
        byte: usize,
    },
    /// It is no JSON.
    #[error("the answer is no JSON: {what} at line {line}, column {column}")]
    Json {
        /// Why.
        what: &'static str,
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// Nothing is where records should be.
    #[error("the answer has nothing at `records` = `{path}`")]
    NotThere {
        /// The path.
        path: String,
    },
    /// A path other than one of names and numbers, in what is not decoded whole.
    #[error(
        "the answer has a number that no double holds, or more than 127 levels: `records` = `{path}` cannot be followed"
    )]
    Unfollowed {
        /// The path.
        path: String,
    },
    /// Something else is where records should be.
    #[error("the answer has {found} at `records` = `{path}`, which should be a list")]
    NoList {
        /// The path.
        path: String,
        /// What is there.
        found: &'static str,
    },
    /// A name twice in one object.
    #[error("the answer has an object with the field `{name}` twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// A first line that is none of names.
    #[error("the answer's first line has no `{name}`: it is no CSV with a line of names")]
    NoName {
        /// The name that must be there.
        name: String,
    },
    /// It is no CSV.
    #[error("the answer is no CSV: {what}, in line {line}")]
    Csv {
        /// Why.
        what: String,
        /// Where.
        line: u64,
    },
}

impl Fault for RecordsError {
    fn class(&self) -> Class {
        match self {
            // A body that breaks off may be whole the next time.
            Self::Empty | Self::Json { .. } | Self::Csv { .. } | Self::NoName { .. } => Class::Passing,
            _ => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotThere { .. } | Self::NoList { .. } => {
                "`records` is a JSON path like `$.data[*]`; `barncat discover SOURCE --path …` shows an answer's form".to_owned()
            }
            Self::Unfollowed { .. } => {
                "a path of names and numbers alone, like `$.data[*]`, is followed through any of them".to_owned()
            }
            Self::NoName { .. } => {
                "each page needs its line of names, with the columns of the key and those that are `not null`".to_owned()
            }
            _ => return None,
        })
    }
}

/// A value that does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The column.
    pub column: String,
    /// What is wrong with it, without the value: `is a list`.
    pub what: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column `{}` {}", self.column, self.what)
    }
}
