//! Statements about schemas, views, users, rights, comments: those that go on to Postgres much as they are.

use super::{
    Statement,
    cursor::Cursor,
    names::Name,
    query::{self, Query},
    token::TokenKind,
};
use crate::engine::error::SqlError;

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreateView {
    pub(crate) name: Name,
    pub(crate) or_replace: bool,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Query,
    /// `WITH NO SCHEMA BINDING`: its names are resolved when it is read (§3).
    pub(crate) is_late_binding: bool,
    pub(crate) is_materialized: bool,
}

/// After `CREATE`, if it is no table.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let or_replace = cursor.eat_all(&["or", "replace"]);
    let is_materialized = cursor.eat("materialized");
    if cursor.eat("view") {
        return view(cursor, or_replace, is_materialized).map(Statement::CreateView);
    }
    let start = cursor.clone();
    match cursor.next()?.word().as_str() {
        "schema" if !or_replace => {
            let exists = if cursor.eat_all(&["if", "not", "exists"]) { "IF NOT EXISTS " } else { "" };
            let name = super::quoted(&cursor.identifier()?);
            let owner = if cursor.eat("authorization") {
                format!(" AUTHORIZATION {}", super::quoted(&cursor.identifier()?))
            } else {
                String::new()
            };
            cursor.expect_end()?;
            Ok(Statement::Define(format!("CREATE SCHEMA {exists}{name}{owner}")))
        }
        word @ ("user" | "group" | "role") => {
            let name = super::quoted(&cursor.identifier()?);
            let login = if word == "user" { "LOGIN" } else { "NOLOGIN" };
            if word == "user" {
                cursor.expect("password")?;
                if !cursor.eat("disable") {
                    cursor.literal()?;
                }
            }
            cursor.expect_end()?;
            Ok(Statement::CreateIdentity {
                sql: format!("CREATE ROLE {name} {login}"),
                name,
                kind: word.to_owned(),
            })
        }
        word @ ("index" | "unique" | "sequence" | "trigger" | "domain" | "type" | "unlogged"
        | "extension" | "rule" | "aggregate" | "operator") => {
            let text =
                format!("SQL command \"CREATE {}\" not supported on Redshift tables.", word.to_uppercase());
            Err(SqlError::new("0A000", text))
        }
        _ => Err(start.error()),
    }
}

fn view(cursor: &mut Cursor<'_>, or_replace: bool, is_materialized: bool) -> Result<CreateView, SqlError> {
    let name = cursor.name()?;
    let columns = if cursor.is_symbol("(") { cursor.identifiers()? } else { Vec::new() };
    cursor.expect("as")?;
    let mut tokens = cursor.rest();
    let words = ["with", "no", "schema", "binding"];
    let end: Vec<_> = tokens.iter().rev().take(words.len()).rev().map(|token| token.word()).collect();
    let is_late_binding = end == words;
    if is_late_binding {
        tokens = &tokens[..tokens.len() - words.len()];
    }
    let query = query::read(tokens, cursor.naming, false)?;
    if is_late_binding && let Some(name) = query.reads.iter().find(|name| name.schema.is_none()) {
        let text = format!(
            "All the relation names inside should be qualified when creating WITH NO SCHEMA \
             BINDING view: {}",
            name.name
        );
        return Err(SqlError::new("0A000", text));
    }
    Ok(CreateView { name, or_replace, columns, query, is_late_binding, is_materialized })
}

/// After `DROP`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let start = cursor.clone();
    let is_materialized = cursor.eat("materialized");
    let kind = cursor.next()?.word();
    let sql_kind = match kind.as_str() {
        "table" | "schema" if !is_materialized => kind.to_uppercase(),
        // A late-binding view is a view in Postgres too.
        "view" => {
            if is_materialized {
                "MATERIALIZED VIEW".to_owned()
            } else {
                "VIEW".to_owned()
            }
        }
        "user" | "group" | "role" => "ROLE".to_owned(),
        _ => return Err(start.error()),
    };
    let exists = if cursor.eat_all(&["if", "exists"]) { "IF EXISTS " } else { "" };
    let mut names = vec![cursor.name()?.to_string()];
    while cursor.eat_symbol(",") {
        names.push(cursor.name()?.to_string());
    }
    let how = match cursor.word().as_str() {
        "cascade" => " CASCADE",
        _ => "",
    };
    if !cursor.is_at_end() {
        let word = cursor.next()?.word();
        if !matches!(word.as_str(), "cascade" | "restrict") {
            return Err(start.error());
        }
    }
    cursor.expect_end()?;
    Ok(Statement::Define(format!("DROP {sql_kind} {exists}{}{how}", names.join(", "))))
}

/// `COMMENT ON …`.
pub(super) fn comment(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    cursor.expect("on")?;
    let kind = cursor.next()?.word();
    if !["table", "column", "view", "schema", "database", "constraint"].contains(&kind.as_str()) {
        return Err(cursor.error());
    }
    let mut name = super::quoted(&cursor.identifier()?);
    while cursor.eat_symbol(".") {
        name = format!("{name}.{}", super::quoted(&cursor.identifier()?));
    }
    cursor.expect("is")?;
    let text = if cursor.eat("null") { "NULL".to_owned() } else { super::literal(&cursor.literal()?) };
    cursor.expect_end()?;
    Ok(Statement::Define(format!("COMMENT ON {} {name} IS {text}", kind.to_uppercase())))
}

const RIGHTS: &[&str] = &[
    "select",
    "insert",
    "update",
    "delete",
    "drop",
    "references",
    "alter",
    "truncate",
    "usage",
    "create",
    "all",
    "privileges",
    "temp",
    "temporary",
    "execute",
];
/// Those that Postgres has not, beside others.
const ONLY_REDSHIFT: &[&str] = &["drop", "alter"];

/// `GRANT …` and `REVOKE …`: rights of tables, schemas and databases.
pub(super) fn grant(cursor: &mut Cursor<'_>, is_grant: bool) -> Result<Statement, SqlError> {
    let option = !is_grant && cursor.eat_all(&["grant", "option", "for"]);
    let mut rights = Vec::new();
    while !cursor.eat("on") {
        let word = cursor.next()?.word();
        if cursor.is_symbol("(") || !RIGHTS.contains(&word.as_str()) {
            return Err(cursor.error());
        }
        cursor.eat_symbol(",");
        rights.push(word);
    }
    rights.retain(|right| !ONLY_REDSHIFT.contains(&right.as_str()));
    if rights.is_empty() {
        return Err(SqlError::new("0A000", "this double has no such right"));
    }
    let rights = rights.join(", ").replace("all, privileges", "all");
    let objects = objects(cursor)?;
    cursor.expect(if is_grant { "to" } else { "from" })?;
    let mut sql = format!(
        "{} {}{rights} ON {objects} {} {}",
        if is_grant { "GRANT" } else { "REVOKE" },
        if option { "GRANT OPTION FOR " } else { "" },
        if is_grant { "TO" } else { "FROM" },
        grantees(cursor)?,
    );
    if is_grant && cursor.eat_all(&["with", "grant", "option"]) {
        sql.push_str(" WITH GRANT OPTION");
    }
    if !is_grant && cursor.eat("cascade") {
        sql.push_str(" CASCADE");
    }
    cursor.expect_end()?;
    Ok(Statement::Define(sql))
}

fn objects(cursor: &mut Cursor<'_>) -> Result<String, SqlError> {
    if cursor.eat_all(&["all", "tables", "in", "schema"]) {
        return Ok(format!("ALL TABLES IN SCHEMA {}", super::quoted(&cursor.identifier()?)));
    }
    let kind = match cursor.word().as_str() {
        kind @ ("schema" | "database") => {
            cursor.next()?;
            kind.to_uppercase()
        }
        _ => {
            cursor.eat("table");
            "TABLE".to_owned()
        }
    };
    let mut names = vec![cursor.name()?.to_string()];
    while cursor.eat_symbol(",") {
        names.push(cursor.name()?.to_string());
    }
    Ok(format!("{kind} {}", names.join(", ")))
}

/// Users, `GROUP g`, `ROLE r`, `PUBLIC`: all of them roles in Postgres.
fn grantees(cursor: &mut Cursor<'_>) -> Result<String, SqlError> {
    let mut names = Vec::new();
    loop {
        if cursor.eat("public") {
            names.push("PUBLIC".to_owned());
        } else {
            if !cursor.eat("group") {
                cursor.eat("role");
            }
            // A name like "IAM:loader" is one in quotes.
            names.push(super::quoted(&cursor.identifier()?));
        }
        if !cursor.eat_symbol(",") {
            return Ok(names.join(", "));
        }
    }
}

/// `ALTER DEFAULT PRIVILEGES …`: everything before the rights is as in Postgres (§3).
pub(super) fn default_privileges(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let mut sql = "ALTER DEFAULT PRIVILEGES".to_owned();
    if cursor.eat_all(&["for", "user"]) {
        sql = format!("{sql} FOR ROLE {}", super::quoted(&cursor.identifier()?));
    }
    if cursor.eat_all(&["in", "schema"]) {
        sql = format!("{sql} IN SCHEMA {}", super::quoted(&cursor.identifier()?));
    }
    let is_grant = cursor.eat("grant");
    if !is_grant {
        cursor.expect("revoke")?;
    }
    let mut rights = Vec::new();
    while !cursor.eat("on") {
        let token = cursor.next()?;
        if token.kind == TokenKind::Word && !RIGHTS.contains(&token.word().as_str()) {
            return Err(cursor.error());
        }
        rights.push(token.text.clone());
    }
    cursor.expect("tables")?;
    let (verb, word) = if is_grant { ("GRANT", "to") } else { ("REVOKE", "from") };
    cursor.expect(word)?;
    let names = grantees(cursor)?;
    cursor.expect_end()?;
    Ok(Statement::Define(format!("{sql} {verb} {} ON TABLES {word} {names}", rights.join(" "))))
}
