//! `ALTER TABLE` (§2.2, §5).

use super::{
    create::{self, ColumnDefinition, ENCODINGS, Key},
    cursor::Cursor,
    names::Name,
    types::{self, ColumnType},
};
use crate::engine::error::SqlError;

/// A change of a table: one a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlterTable {
    pub(crate) table: Name,
    pub(crate) action: Action,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    RenameTo(String),
    RenameColumn(String, String),
    AddColumn(ColumnDefinition),
    /// Whether what hangs on it goes too.
    DropColumn(String, bool),
    Type(String, ColumnType),
    Encode(String, String),
    /// The style, and the key that it may have.
    Distribution(String, Option<String>),
    SortKey(Vec<String>),
    AddKey(Key),
    DropKey(String),
    Owner(String),
    AppendFrom(Name),
}

impl Action {
    /// The name that the statement has in the refusal to run in a transaction block, if it does not
    /// (§2.2). Of DISTKEY, DISTSTYLE and SORTKEY that is unconfirmed: refused.
    pub(crate) fn outside_transactions(&self) -> Option<&'static str> {
        match self {
            Self::Type(..) | Self::Encode(..) => Some("ALTER TABLE ALTER COLUMN"),
            Self::Distribution(..) => Some("ALTER TABLE ALTER DISTSTYLE"),
            Self::SortKey(_) => Some("ALTER TABLE ALTER SORTKEY"),
            Self::AppendFrom(_) => Some("ALTER TABLE APPEND"),
            _ => None,
        }
    }
}

/// After `ALTER TABLE`.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<AlterTable, SqlError> {
    let table = cursor.name()?;
    let start = cursor.clone();
    let action = match cursor.next()?.word().as_str() {
        "rename" => rename(cursor)?,
        "add" => add(cursor, &table)?,
        "drop" => drop(cursor)?,
        "alter" => alter(cursor, &table)?,
        "owner" => {
            cursor.expect("to")?;
            Action::Owner(cursor.identifier()?)
        }
        "append" => {
            cursor.expect("from")?;
            Action::AppendFrom(cursor.name()?)
        }
        // SET SCHEMA for tables is unconfirmed (§2.5).
        _ => return Err(start.error()),
    };
    cursor.expect_end()?;
    Ok(AlterTable { table, action })
}

fn rename(cursor: &mut Cursor<'_>) -> Result<Action, SqlError> {
    if cursor.eat("to") {
        let name = cursor.identifier()?;
        if name.starts_with('#') {
            return Err(create::unsupported("renaming a permanent table to a temporary one is"));
        }
        return Ok(Action::RenameTo(name));
    }
    cursor.eat("column");
    let old = cursor.identifier()?;
    cursor.expect("to")?;
    Ok(Action::RenameColumn(old, cursor.identifier()?))
}

fn add(cursor: &mut Cursor<'_>, table: &Name) -> Result<Action, SqlError> {
    if let Some(key) = create::key(cursor)? {
        return Ok(Action::AddKey(key));
    }
    cursor.eat("column");
    let name = cursor.identifier()?;
    let type_ = types::read(cursor, &format!("{}.{name}", table.name))?;
    let (default, identity, encoding) = (None, None, None);
    let mut column = ColumnDefinition { name, type_, default, identity, not_null: false, encoding };
    while create::attribute(cursor, &mut column)? {}
    if column.identity.is_some() {
        return Err(create::unsupported("adding an IDENTITY column is"));
    }
    if column.not_null && column.default.as_deref().is_none_or(|text| text.trim() == "null") {
        let text = "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression";
        return Err(SqlError::new("42611", text));
    }
    Ok(Action::AddColumn(column))
}

fn drop(cursor: &mut Cursor<'_>) -> Result<Action, SqlError> {
    let is_key = cursor.eat("constraint");
    if !is_key {
        cursor.eat("column");
    }
    let name = cursor.identifier()?;
    let cascade = cursor.eat("cascade");
    if !cascade {
        cursor.eat("restrict");
    }
    Ok(if is_key { Action::DropKey(name) } else { Action::DropColumn(name, cascade) })
}

fn alter(cursor: &mut Cursor<'_>, table: &Name) -> Result<Action, SqlError> {
    match cursor.word().as_str() {
        "diststyle" => {
            cursor.next()?;
            let style = cursor.next()?.word();
            match style.as_str() {
                "key" => {
                    cursor.expect("distkey")?;
                    Ok(Action::Distribution(style, Some(cursor.identifier()?)))
                }
                "even" | "all" | "auto" => Ok(Action::Distribution(style, None)),
                _ => Err(cursor.error()),
            }
        }
        "distkey" => {
            cursor.next()?;
            Ok(Action::Distribution("key".to_owned(), Some(cursor.identifier()?)))
        }
        "sortkey" | "compound" => {
            cursor.eat("compound");
            cursor.expect("sortkey")?;
            let none = cursor.eat("auto") || cursor.eat("none");
            Ok(Action::SortKey(if none { Vec::new() } else { cursor.identifiers()? }))
        }
        _ => alter_column(cursor, table),
    }
}

fn alter_column(cursor: &mut Cursor<'_>, table: &Name) -> Result<Action, SqlError> {
    cursor.eat("column");
    let column = cursor.identifier()?;
    let word = cursor.next()?.word();
    match word.as_str() {
        "type" => Ok(Action::Type(column.clone(), types::read(cursor, &format!("{}.{column}", table.name))?)),
        "encode" => {
            let encoding = cursor.next()?.word();
            if !ENCODINGS.contains(&encoding.as_str()) {
                return Err(SqlError::new("42704", format!("encoding {encoding} does not exist")));
            }
            Ok(Action::Encode(column, encoding))
        }
        "set" | "drop" => {
            let what = if cursor.eat("default") { "DEFAULT" } else { "NOT NULL" };
            let text = format!("ALTER COLUMN {}/DROP {what} is not supported", "SET");
            Err(SqlError::new("0A000", text))
        }
        _ => Err(cursor.error()),
    }
}
