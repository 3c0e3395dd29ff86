//! The tables that a model's SELECT reads, and its SQL with their names written out. Never talks to a
//! database, and knows no list of tables: what a name means in the project, the caller says.
//!
//! The parser is the crate sqlparser. A SELECT that it refuses is refused here, with the place; the way out
//! is `needs` in the first comment of the model. Where it is known to fall short and the word says nothing
//! about tables, `grammar` leaves the word out for it. Tried, and refused still:
//!
//! - Postgres: `ROWS FROM (f() AS (a int))` (without column types it is read, though not behind a comma), a
//!   name as `U&"…"`, `EXCLUDE TIES` in a window, `SEARCH` and `CYCLE` behind a WITH, `AT LOCAL`,
//!   `IS DOCUMENT`, `substring(a SIMILAR b ESCAPE c)`, `xmlelement(name …)`, `json_query(… WITH WRAPPER)`,
//!   `t.*::text` (`(t.*)::text` is read).
//! - Both: an expression that is a set operation and begins with a bracket, `((SELECT 1) UNION (SELECT 2))`
//!   (in FROM it is read); more than two hundred levels of brackets.
//! - Redshift: objects in braces (`{'a': 1}`), the operators `|/` and `@`, `GROUPING SETS (())`.
//!
//! It reads some of what the warehouse refuses; that is the warehouse's to say. What stands in strings is
//! not seen: `nextval('raw.ids')`, `'raw.orders'::regclass`; nor what views and functions read.

mod aggregate;
mod error;
mod grammar;
mod parse;
mod qualifier;
mod scope;
#[cfg(test)]
mod tests;
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
    /// Redshift: names in FROM that lead into a SUPER column of another item of FROM (`o.items` behind
    /// `orders o`), in the order of the text. A table of that name, `items` in a schema `o`, is not read:
    /// the project had better not have one.
    pub paths: Vec<Reference>,
    /// Where each `:since` stands, in bytes.
    pub since: Vec<Range<usize>>,
    /// It answers one row whatever the tables hold: nothing but aggregates, without GROUP BY, HAVING or LIMIT.
    pub is_always_one_row: bool,
    sql: String,
    /// The statement alone.
    range: Range<usize>,
}

impl Query {
    /// The tables that it reads, each as often as it is named.
    pub fn tables(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter().filter(|read| read.kind == Kind::Table)
    }

    /// The line of the text on which the statement begins, from 1.
    pub fn first_line(&self) -> usize {
        self.sql[..self.range.start].matches('\n').count() + 1
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
    /// It leads into a SUPER column, and is never written otherwise.
    Path,
    /// It says whose column is meant: `raw.orders` in `raw.orders.id`. It is written as the table is.
    Qualifier,
}
