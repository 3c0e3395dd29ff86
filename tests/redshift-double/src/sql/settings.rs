//! `SET`, `RESET`, `SHOW`: the settings that Redshift documents (§2.3), and no others.

use super::{Statement, cursor::Cursor, token::TokenKind};
use crate::engine::{OPERATORS, error::SqlError};

/// Settings that Postgres has too, with the same meaning.
const OF_POSTGRES: &[&str] = &[
    "application_name",
    "client_encoding",
    "datestyle",
    "extra_float_digits",
    "search_path",
    "statement_timeout",
    "timezone",
];

/// Settings that only Redshift has; the double remembers them.
const OF_REDSHIFT: &[&str] = &[
    "analyze_threshold_percent",
    "describe_field_name_in_uppercase",
    "enable_case_sensitive_identifier",
    "enable_case_sensitive_super_attribute",
    "enable_result_cache_for_session",
    "query_group",
    "wlm_query_slot_count",
];

fn known(name: &str) -> Result<bool, SqlError> {
    match name {
        _ if OF_POSTGRES.contains(&name) => Ok(true),
        _ if OF_REDSHIFT.contains(&name) => Ok(false),
        _ => Err(SqlError::new("42704", format!("unrecognized configuration parameter \"{name}\""))),
    }
}

/// After `SET`.
pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let is_local = cursor.eat("local");
    if !is_local {
        cursor.eat("session");
    }
    let name = cursor.next()?.text.to_lowercase();
    let in_postgres = known(&name)?;
    if !cursor.eat("to") {
        cursor.expect_symbol("=")?;
    }
    let mut values = Vec::new();
    while !cursor.is_at_end() {
        let token = cursor.next()?;
        values.push(match token.kind {
            TokenKind::Quoted => super::quoted(&cursor.naming.fold(token)?),
            TokenKind::Literal => super::literal(&token.text),
            _ => token.text.clone(),
        });
    }
    if values.is_empty() {
        return Err(cursor.error());
    }
    if in_postgres {
        if name == "search_path" {
            values.push(format!(", {OPERATORS}"));
        }
        let scope = if is_local { "LOCAL " } else { "" };
        return Ok(Statement::Define(format!("SET {scope}{name} TO {}", values.join(""))));
    }
    Ok(Statement::Set { name, value: Some(values.join("").trim_matches('\'').to_lowercase()) })
}

/// After `RESET`.
pub(super) fn reset(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let name = cursor.next()?.text.to_lowercase();
    cursor.expect_end()?;
    if name == "search_path" {
        return Ok(Statement::Define(format!("SET search_path TO \"$user\", public, {OPERATORS}")));
    }
    if known(&name)? {
        return Ok(Statement::Define(format!("RESET {name}")));
    }
    Ok(Statement::Set { name, value: None })
}

/// After `SHOW`, if it is a setting.
pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<Statement, SqlError> {
    let name = cursor.next()?.text.to_lowercase();
    cursor.expect_end()?;
    if name == "search_path" {
        let sql =
            format!("SELECT replace(current_setting('search_path'), ', {OPERATORS}', '') AS search_path");
        return Ok(Statement::Show { sql: Some(sql), name });
    }
    if known(&name)? {
        return Ok(Statement::Show { sql: Some(format!("SHOW {name}")), name });
    }
    Ok(Statement::Show { sql: None, name })
}
