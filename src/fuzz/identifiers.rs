//! Names and values as SQL and as keys of the stage have them. Whatever the name, it is read back as it was, by rules
//! written anew here and by a parser; two names never meet in the stage, and none leads out of it.

use std::collections::HashSet;

use super::{fuzz, outcome, pieces};
use crate::{
    sql::{self, Dialect, TableName, quote_ident, quote_literal},
    stage::LoadPrefix,
};

const TOKENS: &[&str] =
    &["\"\"", "''", "\\'", "E'", "$$", "U&\"", "\"; DROP TABLE x; --", "../", "=2e", ".", "/"];

#[test]
fn identifiers() {
    fuzz("identifiers", TOKENS, target);
}

/// Two names: of a schema and of a table.
fn target(input: &[u8]) -> u64 {
    let [schema, name] = pieces(input);
    // Neither server holds an empty name.
    if schema.is_empty() || name.is_empty() {
        return 0;
    }
    for text in [&schema, &name] {
        assert_eq!(ident_of(&quote_ident(text)).as_ref(), Some(text));
        assert_eq!(literal_of(&quote_literal(text), false).as_ref(), Some(text));
        assert_eq!(literal_of(&Dialect::Redshift.literal(text), true).as_ref(), Some(text));
    }
    let table = TableName::new(&schema, &name);
    for dialect in [Dialect::Postgres, Dialect::Redshift] {
        let sql = format!("SELECT 'x', 1 FROM {} AS t", dialect.table(&table));
        let query = sql::read(&sql, dialect).unwrap_or_else(|error| panic!("{error}: {sql:?}"));
        let read: Vec<_> = query.tables().map(|read| (read.schema.clone(), read.name.clone())).collect();
        let folded = |text: &String| match dialect {
            Dialect::Postgres => text.clone(),
            Dialect::Redshift => text.to_lowercase(),
        };
        assert_eq!(read, [(Some(folded(&schema)), folded(&name))], "{sql:?}");
    }
    let prefix = |table: &TableName| LoadPrefix::new("p", "test", table, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let key = prefix(&table).manifest();
    let parts: Vec<&str> = key.split('/').collect();
    assert_eq!((parts.len(), parts[0], parts[1]), (5, "p", "test"), "{key}");
    assert!(parts.iter().all(|part| !part.is_empty() && !part.starts_with('.') && part.len() < 240), "{key}");
    assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
    // Tables whose full names are written alike, and the two names the other way round.
    let full = format!("{schema}.{name}");
    let mut tables: Vec<TableName> = full
        .match_indices('.')
        .filter(|(at, _)| (1..full.len() - 1).contains(at))
        .map(|(at, _)| TableName::new(&full[..at], &full[at + 1..]))
        .collect();
    tables.extend([TableName::new(&name, &schema)]);
    let distinct: HashSet<&TableName> = tables.iter().collect();
    let prefixes: HashSet<String> = tables.iter().map(|table| prefix(table).table_prefix()).collect();
    assert_eq!(prefixes.len(), distinct.len(), "{tables:?} share {prefixes:?}");
    outcome(&key)
}

/// What a quoted name means; `None` where something stands behind it.
fn ident_of(quoted: &str) -> Option<String> {
    inside(quoted.strip_prefix('"')?, '"', false)
}

/// What a literal means. `with_backslashes`: in each string, as Redshift has it.
fn literal_of(quoted: &str, with_backslashes: bool) -> Option<String> {
    match quoted.strip_prefix("E'") {
        Some(rest) => inside(rest, '\'', true),
        // What `standard_conforming_strings` says must not matter.
        None => inside(quoted.strip_prefix('\'')?, '\'', with_backslashes)
            .filter(|text| with_backslashes || !text.contains('\\')),
    }
}

fn inside(text: &str, quote: char, with_backslashes: bool) -> Option<String> {
    let (mut read, mut rest) = (String::new(), text.chars());
    loop {
        match rest.next()? {
            '\\' if with_backslashes => read.push(rest.next()?),
            letter if letter == quote => match rest.next() {
                None => return Some(read),
                Some(next) if next == quote => read.push(quote),
                Some(_) => return None,
            },
            letter => read.push(letter),
        }
    }
}
