//! The tables that a model's SELECT reads, and its SQL with their names written out. Never talks to a
//! database, and knows no list of tables: what a name means in the project, the caller says.
//!
//! TODO-DOC

mod error;
mod parse;
mod qualifier;
mod scope;
mod tokens;
mod walk;
mod write;

use std::ops::Range;

pub use error::{Problem, QueryError};
pub use parse::read;

/// A SELECT that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The tables, and the tables that qualify columns, in the order of the text; each as often as it is
    /// named.
    pub references: Vec<Reference>,
    /// Where each `:since` stands, in bytes.
    pub since: Vec<Range<usize>>,
    sql: String,
    /// The statement alone.
    range: Range<usize>,
}

impl Query {
    /// The tables that it reads, each as often as it is named.
    pub fn tables(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(|read| read.kind == Kind::Table)
    }

    /// Whether it asks for the watermark: `:since`, outside of strings and comments.
    pub fn has_since(&self) -> bool {
        !self.since.is_empty()
    }
}

/// A table as a SELECT names it. The parts of its name are folded as the warehouse folds them: Postgres
/// folds what is not quoted, Redshift everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What the name does there.
    pub kind: Kind,
    /// Of `database.schema.table`.
    pub database: Option<String>,
    /// As far as it is written.
    pub schema: Option<String>,
    /// The table.
    pub name: String,
    /// Where the name stands, in bytes of the text.
    pub range: Range<usize>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// What a table's name does where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The SELECT reads the table: it stands in FROM, or in `TABLE t`.
    Table,
    /// It says whose column is meant: `raw.orders` in `raw.orders.id`. It is written as the table is.
    Qualifier,
}
