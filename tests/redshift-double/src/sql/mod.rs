//! Reading statements: tokens, and what kind of statement they make.

pub(crate) mod token;

use token::{Token, TokenKind};

use crate::engine::error::SqlError;

/// A statement, ready to be run on Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    /// Opens a transaction block.
    Begin,
    /// Ends it.
    Commit,
    /// Takes it back.
    Rollback,
    /// Has a result set.
    Rows(String),
    /// Affects rows.
    Change(String),
    /// Affects none.
    Define(String),
}

/// Reads exactly one statement.
pub(crate) fn parse(sql: &str) -> Result<Statement, SqlError> {
    let mut statements = split(token::tokens(sql)?);
    match (statements.pop(), statements.is_empty()) {
        (Some(tokens), true) => Ok(kind_of(sql, &tokens)),
        (None, _) => Err(SqlError::new("42601", "the statement is empty")),
        // Over the wire a prepared statement, over the Data API a call, holds one (§6.3, §7).
        _ => Err(SqlError::new("42601", "cannot insert multiple commands into a prepared statement")),
    }
}

fn split(tokens: Vec<Token>) -> Vec<Vec<Token>> {
    let parts = tokens.split(|token| token.is(TokenKind::Symbol, ";"));
    parts.filter(|part| !part.is_empty()).map(<[Token]>::to_vec).collect()
}

fn kind_of(sql: &str, tokens: &[Token]) -> Statement {
    let sql = sql.trim().trim_end_matches(';').to_owned();
    match tokens[0].word().as_str() {
        "begin" | "start" => Statement::Begin,
        "commit" | "end" => Statement::Commit,
        "rollback" | "abort" => Statement::Rollback,
        "select" | "with" | "show" => Statement::Rows(sql),
        "insert" | "update" | "delete" | "merge" => Statement::Change(sql),
        _ => Statement::Define(sql),
    }
}

/// A name as Postgres takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal in which backslashes escape (§6.4).
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Whether the statement begins or ends transactions.
pub(crate) fn controls_transaction(sql: &str) -> Result<bool, SqlError> {
    let first = token::tokens(sql)?.first().map(Token::word).unwrap_or_default();
    let control = ["begin", "start", "commit", "end", "rollback", "abort"];
    Ok(control.contains(&first.as_str()))
}

/// Puts the parameters' values in their places, as literals. They stand for values only, and each
/// must be used (§7).
pub(crate) fn bind(sql: &str, parameters: &[(String, String)]) -> Result<String, SqlError> {
    let tokens = token::tokens(sql)?;
    let used: Vec<_> = tokens.iter().filter(|token| token.kind == TokenKind::Parameter).collect();
    if let Some((name, _)) = parameters.iter().find(|(name, _)| !used.iter().any(|t| t.text == *name)) {
        return Err(SqlError::new("42601", format!("parameter {name} is not used in the statement")));
    }
    if used.is_empty() {
        return Ok(sql.to_owned());
    }
    let first = tokens.first().map(Token::word).unwrap_or_default();
    if !["select", "with", "insert", "update", "delete", "merge"].contains(&first.as_str()) {
        return Err(SqlError::new("42601", "parameters stand only for values of queries"));
    }
    let characters: Vec<char> = sql.chars().collect();
    let (mut bound, mut at) = (String::new(), 0);
    for token in used {
        let value = parameters.iter().find(|(name, _)| *name == token.text);
        let (_, value) =
            value.ok_or_else(|| SqlError::syntax(&format!(":{}", token.text), token.position))?;
        bound.extend(&characters[at..token.position - 1]);
        bound.push_str(&literal(value));
        at = token.position + token.text.chars().count();
    }
    bound.extend(&characters[at..]);
    Ok(bound)
}
