//! `INSERT`, `UPDATE`, `DELETE`, `MERGE` (§5).

use super::{
    cursor::Cursor,
    names::Name,
    query::{self, Query},
    token::{Token, TokenKind},
};
use crate::engine::error::SqlError;

/// A statement that writes a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) target: Name,
    pub(crate) query: Query,
}

/// Any of them, its first word included.
pub(super) fn read(tokens: &[Token], cursor: &mut Cursor<'_>) -> Result<Change, SqlError> {
    let kind = cursor.next()?.word();
    let target = match kind.as_str() {
        "insert" => {
            cursor.expect("into")?;
            cursor.name()?
        }
        "delete" => delete(cursor)?,
        "update" => cursor.name()?,
        _ => merge(cursor)?,
    };
    let is_values = kind == "insert" && is_values(cursor.clone());
    if is_values && has_query(cursor.clone().rest()) {
        return Err(SqlError::new("0A000", "subqueries are not supported in the VALUES of an INSERT"));
    }
    let query = query::read(tokens, cursor.naming, is_values || kind == "merge")?;
    query.check_nodes(true)?;
    Ok(Change { target, query })
}

fn is_values(mut cursor: Cursor<'_>) -> bool {
    if cursor.is_symbol("(") && cursor.identifiers().is_err() {
        return false;
    }
    cursor.word() == "values"
}

fn has_query(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| token.word() == "select")
}

/// The target has no alias (§5).
fn delete(cursor: &mut Cursor<'_>) -> Result<Name, SqlError> {
    cursor.eat("from");
    let target = cursor.name()?;
    let fits = cursor.is_at_end() || matches!(cursor.word().as_str(), "using" | "where");
    if fits { Ok(target) } else { Err(cursor.error()) }
}

/// One MATCHED and one NOT MATCHED, both, without conditions; the target has no alias (§5). The source
/// must be a table: whether it may be a query is unconfirmed.
fn merge(cursor: &mut Cursor<'_>) -> Result<Name, SqlError> {
    cursor.expect("into")?;
    let target = cursor.name()?;
    cursor.expect("using")?;
    let source = cursor.name()?;
    if source == target {
        return Err(SqlError::new("0A000", "MERGE: the source and the target must be different tables"));
    }
    if cursor.eat("as") || cursor.word() != "on" {
        cursor.identifier()?;
    }
    cursor.expect("on")?;
    while !cursor.is_at_end() && !matches!(cursor.word().as_str(), "when" | "remove") {
        cursor.next()?;
    }
    if cursor.word() == "remove" {
        return Err(SqlError::new("0A000", "this double has no MERGE … REMOVE DUPLICATES"));
    }
    if !cursor.eat_all(&["when", "matched", "then"]) {
        return Err(cursor.error());
    }
    let mut branches = 0;
    while !cursor.is_at_end() {
        if cursor.word() == "when" {
            if !cursor.eat_all(&["when", "not", "matched", "then"]) {
                return Err(cursor.error());
            }
            branches += 1;
        } else {
            cursor.next()?;
        }
    }
    if branches == 1 { Ok(target) } else { Err(cursor.error()) }
}

/// Whether a query writes: a `WITH` may not (§5: no writable CTEs).
pub(super) fn writes(tokens: &[Token]) -> bool {
    let after_parenthesis = tokens.windows(2).filter(|pair| pair[0].is(TokenKind::Symbol, "("));
    let mut words = after_parenthesis.map(|pair| pair[1].word());
    words.any(|word| matches!(word.as_str(), "insert" | "update" | "delete"))
}
