//! Reading statements: tokens, and what they ask for. What is not in these lists is refused.

pub(crate) mod alter;
pub(crate) mod change;
pub(crate) mod copy;
pub(crate) mod create;
mod cursor;
pub(crate) mod define;
mod functions;
pub(crate) mod names;
pub(crate) mod query;
mod settings;
pub(crate) mod token;
pub(crate) mod types;

use alter::AlterTable;
use change::Change;
use copy::Copy;
use create::CreateTable;
use cursor::Cursor;
use define::CreateView;
use names::{Name, Naming};
use query::Query;
use token::{Token, TokenKind};

use crate::engine::error::SqlError;

/// A statement, ready to be run on Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    Begin,
    Commit,
    Rollback,
    /// A setting that only Redshift has.
    Set {
        name: String,
        value: Option<String>,
    },
    /// A setting's value; the statement for Postgres if it is there.
    Show {
        name: String,
        sql: Option<String>,
    },
    /// Has a result set.
    Rows(Query),
    Change(Change),
    Copy(Copy),
    CreateTable(CreateTable),
    AlterTable(AlterTable),
    CreateView(CreateView),
    /// A user, a group or a role: `name` is in quotes.
    CreateIdentity {
        sql: String,
        name: String,
        kind: String,
    },
    Truncate(Name),
    Lock(Vec<Name>),
    /// `VACUUM`, of one table or of all.
    Vacuum(Option<Name>),
    /// Runs as it is, and affects no rows.
    Define(String),
}

/// Reads exactly one statement.
pub(crate) fn parse(sql: &str, naming: Naming) -> Result<Statement, SqlError> {
    let mut statements = split(token::tokens(sql)?);
    match (statements.pop(), statements.is_empty()) {
        (Some(tokens), true) => statement(&tokens, naming),
        (None, _) => Err(SqlError::new("42601", "the statement is empty")),
        // Over the wire a prepared statement, over the Data API a call, holds one (§6.3, §7).
        _ => Err(SqlError::new("42601", "cannot insert multiple commands into a prepared statement")),
    }
}

fn split(tokens: Vec<Token>) -> Vec<Vec<Token>> {
    let parts = tokens.split(|token| token.is(TokenKind::Symbol, ";"));
    parts.filter(|part| !part.is_empty()).map(<[Token]>::to_vec).collect()
}

fn statement(tokens: &[Token], naming: Naming) -> Result<Statement, SqlError> {
    let mut cursor = Cursor::new(tokens, naming);
    let start = cursor.clone();
    if tokens[0].is(TokenKind::Symbol, "(") {
        return rows(tokens, naming);
    }
    let first = cursor.next()?.word();
    match first.as_str() {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" => control(&first, &mut cursor),
        "set" => settings::set(&mut cursor),
        "reset" => settings::reset(&mut cursor),
        "show" => settings::show(&mut cursor),
        "select" | "with" => rows(tokens, naming),
        "insert" | "update" | "delete" | "merge" => {
            change::read(tokens, &mut start.clone()).map(Statement::Change)
        }
        "copy" => copy::read(&mut cursor).map(Statement::Copy),
        "create" => create(&mut cursor),
        "alter" if cursor.eat("table") => alter::read(&mut cursor).map(Statement::AlterTable),
        "alter" if cursor.eat_all(&["default", "privileges"]) => define::default_privileges(&mut cursor),
        "drop" => define::drop(&mut cursor),
        "comment" => define::comment(&mut cursor),
        "grant" => define::grant(&mut cursor, true),
        "revoke" => define::grant(&mut cursor, false),
        "truncate" => {
            cursor.eat("table");
            let name = cursor.name()?;
            cursor.expect_end()?;
            Ok(Statement::Truncate(name))
        }
        "lock" => lock(&mut cursor),
        "vacuum" => vacuum(&mut cursor),
        "refresh" if cursor.eat_all(&["materialized", "view"]) => {
            let name = cursor.name()?;
            cursor.expect_end()?;
            Ok(Statement::Define(format!("REFRESH MATERIALIZED VIEW {name}")))
        }
        "analyze" | "analyse" => analyze(&mut cursor),
        _ => Err(start.error()),
    }
}

fn rows(tokens: &[Token], naming: Naming) -> Result<Statement, SqlError> {
    if change::writes(tokens) {
        return Err(SqlError::new("0A000", "a WITH query cannot write"));
    }
    let query = query::read(tokens, naming, false)?;
    query.check_nodes(false)?;
    Ok(Statement::Rows(query))
}

/// Isolation levels are read and mean nothing (§2.1). There are no savepoints.
fn control(first: &str, cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let is_begin = matches!(first, "begin" | "start");
    if !cursor.eat("transaction") && !cursor.eat("work") && first == "start" {
        return Err(cursor.error());
    }
    if is_begin && cursor.eat_all(&["isolation", "level"]) {
        let levels: [&[&str]; 4] =
            [&["serializable"], &["read", "committed"], &["read", "uncommitted"], &["repeatable", "read"]];
        if !levels.iter().any(|level| cursor.eat_all(level)) {
            return Err(cursor.error());
        }
    }
    if is_begin && cursor.eat("read") && !cursor.eat("only") {
        cursor.expect("write")?;
    }
    cursor.expect_end()?;
    Ok(match first {
        "commit" | "end" => Statement::Commit,
        "rollback" | "abort" => Statement::Rollback,
        _ => Statement::Begin,
    })
}

fn create(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    match cursor.word().as_str() {
        "table" | "temp" | "temporary" | "local" => create::read(cursor).map(Statement::CreateTable),
        _ => define::create(cursor),
    }
}

/// ACCESS EXCLUSIVE alone: no mode, no NOWAIT (§2.3).
fn lock(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    cursor.eat("table");
    let mut names = vec![cursor.name()?];
    while cursor.eat_symbol(",") {
        names.push(cursor.name()?);
    }
    cursor.expect_end()?;
    Ok(Statement::Lock(names))
}

fn vacuum(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let kinds: [&[&str]; 5] =
        [&["full"], &["sort", "only"], &["delete", "only"], &["reindex"], &["recluster"]];
    kinds.iter().any(|kind| cursor.eat_all(kind));
    if cursor.is_at_end() {
        return Ok(Statement::Vacuum(None));
    }
    let name = cursor.name()?;
    if cursor.eat("to") {
        cursor.whole_number::<u32>()?;
        cursor.expect("percent")?;
    }
    cursor.eat("boost");
    cursor.expect_end()?;
    Ok(Statement::Vacuum(Some(name)))
}

fn analyze(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    cursor.eat("verbose");
    if cursor.is_at_end() {
        return Ok(Statement::Define("ANALYZE".to_owned()));
    }
    let name = cursor.name()?;
    if cursor.is_symbol("(") {
        cursor.identifiers()?;
    }
    if !cursor.eat_all(&["predicate", "columns"]) {
        cursor.eat_all(&["all", "columns"]);
    }
    cursor.expect_end()?;
    Ok(Statement::Define(format!("ANALYZE {name}")))
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
