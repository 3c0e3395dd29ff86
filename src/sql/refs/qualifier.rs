//! Tables that qualify a column: `raw.orders.id`, `raw.orders.*`.

use sqlparser::tokenizer::Span;

use super::{Kind, Reference, error::QueryError, walk::Walk};
use crate::sql::Dialect;

/// The parts of a column's name that may be a table: all but the last, or all of `schema.table.*`.
#[derive(Debug)]
pub(super) struct Qualified {
    /// Each part, folded, and its place.
    pub(super) parts: Vec<(String, Span)>,
}

impl Qualified {
    /// How many of the parts are the name of a table that the SELECT reads; 0 if they are something else.
    fn table_parts(&self, walk: &Walk<'_>, dialect: Dialect) -> usize {
        let name = |number: usize| self.parts.get(number).map(|(part, _)| part);
        let lengths = match dialect {
            // Behind the table comes one column: what lies in it is written `(column).field`.
            Dialect::Postgres => self.parts.len()..=self.parts.len(),
            // A SUPER column goes on: `raw.orders.items.price`. What begins with an item of FROM is one.
            Dialect::Redshift if name(0).is_some_and(|first| walk.items.contains(first)) => return 0,
            Dialect::Redshift => 2..=self.parts.len().min(3),
        };
        let matches = |length: &usize| {
            let (database, schema, table) = match length {
                2 => (None, name(0), name(1)),
                3 => (name(0), name(1), name(2)),
                _ => return false,
            };
            walk.tables.iter().any(|read| {
                table == Some(&read.name)
                    && (read.schema.is_none() || schema == read.schema.as_ref())
                    && (read.database.is_none() || database.is_none() || database == read.database.as_ref())
            })
        };
        lengths.into_iter().find(matches).unwrap_or(0)
    }
}

/// The tables that qualify columns, with their places.
pub(super) fn qualifiers(walk: &Walk<'_>, dialect: Dialect) -> Result<Vec<Reference>, QueryError> {
    let mut found = Vec::new();
    for qualified in &walk.qualified {
        let count = qualified.table_parts(walk, dialect);
        let (Some((_, first)), Some((_, last))) =
            (qualified.parts.first(), qualified.parts.get(count.wrapping_sub(1)))
        else {
            continue;
        };
        let names = qualified.parts[..count].iter().map(|(part, _)| part.clone()).collect();
        found.push(walk.reference(names, Span::new(first.start, last.end), Kind::Qualifier)?);
    }
    Ok(found)
}
