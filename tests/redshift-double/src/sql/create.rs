//! `CREATE TABLE` (§3, §4).

use super::{
    cursor::Cursor,
    names::Name,
    query::{self, Query},
    types::{self, ColumnType},
};
use crate::engine::error::SqlError;

/// Tables hold no more columns (§4).
const MOST_COLUMNS: usize = 1600;
/// A compound sort key holds no more.
const MOST_SORT_COLUMNS: usize = 400;

pub(crate) const ENCODINGS: &[&str] = &[
    "raw",
    "az64",
    "bytedict",
    "delta",
    "delta32k",
    "lzo",
    "mostly8",
    "mostly16",
    "mostly32",
    "runlength",
    "text255",
    "text32k",
    "zstd",
];

/// A statement that makes a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreateTable {
    pub(crate) name: Name,
    pub(crate) is_temporary: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) body: Body,
    pub(crate) layout: Layout,
}

/// What the table is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Columns(Vec<ColumnDefinition>, Vec<Key>),
    /// Another table, perhaps with its defaults.
    Like(Name, bool),
    /// A query's rows, with the columns' names if they are given.
    Query(Vec<String>, Query),
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnDefinition {
    pub(crate) name: String,
    pub(crate) type_: ColumnType,
    pub(crate) default: Option<String>,
    /// Seed, step, and whether it is only by default.
    pub(crate) identity: Option<(i64, i64, bool)>,
    pub(crate) not_null: bool,
    pub(crate) encoding: Option<String>,
}

/// A key: kept in the catalog, not enforced (§3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: Option<String>,
    /// `p`, `u` or `f`, as in `pg_constraint`.
    pub(crate) kind: char,
    pub(crate) columns: Vec<String>,
}

/// How rows are laid out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) backup: Option<bool>,
    /// `even`, `all`, `key` or `auto`.
    pub(crate) diststyle: Option<String>,
    pub(crate) distkey: Option<String>,
    pub(crate) sortkey: Vec<String>,
    pub(crate) is_interleaved: bool,
}

/// After `CREATE`.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<CreateTable, SqlError> {
    cursor.eat("local");
    let mut is_temporary = cursor.eat("temp") || cursor.eat("temporary");
    cursor.expect("table")?;
    let if_not_exists = cursor.eat_all(&["if", "not", "exists"]);
    let name = cursor.name()?;
    is_temporary |= name.name.starts_with('#');
    let mut layout = Layout::default();
    let mut body = if is_query_next(cursor) { None } else { Some(body(cursor, &name, &mut layout)?) };
    let is_like = matches!(body, Some(Body::Like(..)));
    read_layout(cursor, &mut layout, is_like)?;
    if cursor.eat("as") {
        let names = match body.take() {
            None => Vec::new(),
            Some(Body::Query(names, _)) => names,
            Some(_) => return Err(cursor.error()),
        };
        let query = query::read(cursor.rest(), cursor.naming, false)?;
        body = Some(Body::Query(names, query));
    } else if matches!(body, Some(Body::Query(..))) {
        return Err(cursor.error());
    }
    cursor.expect_end()?;
    let body = body.ok_or_else(|| cursor.error())?;
    let create = CreateTable { name, is_temporary, if_not_exists, body, layout };
    create.check()?;
    Ok(create)
}

fn is_query_next(cursor: &Cursor<'_>) -> bool {
    !cursor.is_symbol("(")
}

/// Columns, `LIKE`, or the names of a query's columns.
fn body(cursor: &mut Cursor<'_>, table: &Name, layout: &mut Layout) -> Result<Body, SqlError> {
    if let Ok(names) = cursor.clone().identifiers() {
        cursor.identifiers()?;
        let nothing = Query::default();
        return Ok(Body::Query(names, nothing));
    }
    cursor.expect_symbol("(")?;
    if cursor.eat("like") {
        let parent = cursor.name()?;
        let defaults = cursor.eat_all(&["including", "defaults"]);
        if !defaults {
            cursor.eat_all(&["excluding", "defaults"]);
        }
        cursor.expect_symbol(")")?;
        return Ok(Body::Like(parent, defaults));
    }
    let (mut columns, mut keys) = (Vec::new(), Vec::new());
    loop {
        match key(cursor)? {
            Some(key) => keys.push(key),
            None => columns.push(column(cursor, table, layout, &mut keys)?),
        }
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    Ok(Body::Columns(columns, keys))
}

/// A key of the whole table.
pub(super) fn key(cursor: &mut Cursor<'_>) -> Result<Option<Key>, SqlError> {
    let name = if cursor.eat("constraint") { Some(cursor.identifier()?) } else { None };
    let kind = match cursor.word().as_str() {
        "primary" => 'p',
        "unique" => 'u',
        "foreign" => 'f',
        "check" | "exclude" => return Err(unsupported("CHECK and EXCLUDE constraints")),
        _ if name.is_some() => return Err(cursor.error()),
        _ => return Ok(None),
    };
    cursor.next()?;
    if kind != 'u' {
        cursor.expect("key")?;
    }
    let columns = cursor.identifiers()?;
    if kind == 'f' {
        cursor.expect("references")?;
        references(cursor)?;
    }
    Ok(Some(Key { name, kind, columns }))
}

fn references(cursor: &mut Cursor<'_>) -> Result<(), SqlError> {
    cursor.name()?;
    if cursor.is_symbol("(") {
        cursor.identifiers()?;
    }
    Ok(())
}

pub(super) fn unsupported(what: &str) -> SqlError {
    SqlError::new("0A000", format!("{what} not supported on Redshift tables"))
}

/// A column, with what it says about keys and layout.
fn column(
    cursor: &mut Cursor<'_>,
    table: &Name,
    layout: &mut Layout,
    keys: &mut Vec<Key>,
) -> Result<ColumnDefinition, SqlError> {
    let name = cursor.identifier()?;
    let type_ = types::read(cursor, &format!("{}.{name}", table.name))?;
    let (default, identity, encoding) = (None, None, None);
    let mut column =
        ColumnDefinition { name: name.clone(), type_, default, identity, not_null: false, encoding };
    let key = |kind| Key { name: None, kind, columns: vec![name.clone()] };
    loop {
        match cursor.word().as_str() {
            "distkey" => {
                cursor.next()?;
                layout.distkey = Some(name.clone());
            }
            "sortkey" => {
                cursor.next()?;
                layout.sortkey.push(name.clone());
            }
            "primary" => {
                cursor.next()?;
                cursor.expect("key")?;
                column.not_null = true;
                keys.push(key('p'));
            }
            "unique" => {
                cursor.next()?;
                keys.push(key('u'));
            }
            "references" => {
                cursor.next()?;
                references(cursor)?;
                keys.push(key('f'));
            }
            "check" => return Err(unsupported("CHECK constraints")),
            _ => {
                if !attribute(cursor, &mut column)? {
                    return Ok(column);
                }
            }
        }
    }
}

const ATTRIBUTES: &[&str] = &[
    "default",
    "identity",
    "generated",
    "encode",
    "not",
    "null",
    "distkey",
    "sortkey",
    "primary",
    "unique",
    "references",
    "check",
    "collate",
];

/// An attribute that `ADD COLUMN` has too.
pub(super) fn attribute(cursor: &mut Cursor<'_>, column: &mut ColumnDefinition) -> Result<bool, SqlError> {
    match cursor.word().as_str() {
        "default" => {
            cursor.next()?;
            let tokens = cursor.expression(ATTRIBUTES)?;
            column.default = Some(query::read(tokens, cursor.naming, false)?.sql);
        }
        "identity" => {
            cursor.next()?;
            column.identity = Some(identity(cursor, false)?);
            column.not_null = true;
        }
        "generated" => {
            cursor.next()?;
            let words = ["by", "default", "as", "identity"];
            if !cursor.eat_all(&words) {
                return Err(cursor.error());
            }
            column.identity = Some(identity(cursor, true)?);
            column.not_null = true;
        }
        "encode" => {
            cursor.next()?;
            let encoding = cursor.next()?.word();
            if !ENCODINGS.contains(&encoding.as_str()) {
                return Err(SqlError::new("42704", format!("encoding {encoding} does not exist")));
            }
            column.encoding = Some(encoding);
        }
        "not" => {
            cursor.next()?;
            cursor.expect("null")?;
            column.not_null = true;
        }
        "null" => {
            cursor.next()?;
        }
        "collate" => {
            cursor.next()?;
            if !cursor.eat("case_sensitive") && !cursor.eat("cs") {
                return Err(cursor.error());
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn identity(cursor: &mut Cursor<'_>, by_default: bool) -> Result<(i64, i64, bool), SqlError> {
    cursor.expect_symbol("(")?;
    let seed = cursor.whole_number()?;
    cursor.expect_symbol(",")?;
    let step = cursor.whole_number()?;
    cursor.expect_symbol(")")?;
    Ok((seed, step, by_default))
}

/// `BACKUP`, `DISTSTYLE`, `DISTKEY`, `SORTKEY`, in any order.
fn read_layout(cursor: &mut Cursor<'_>, layout: &mut Layout, is_like: bool) -> Result<(), SqlError> {
    loop {
        let is_backup = cursor.word() == "backup";
        if is_like && !is_backup && !cursor.is_at_end() {
            // §3: with LIKE the parent's layout holds. BACKUP beside LIKE is unconfirmed, so refused too.
            return Err(cursor.error());
        }
        match cursor.word().as_str() {
            "backup" if !is_like => {
                cursor.next()?;
                layout.backup = Some(cursor.eat("yes"));
                if layout.backup == Some(false) {
                    cursor.expect("no")?;
                }
            }
            "diststyle" => {
                cursor.next()?;
                let style = cursor.next()?.word();
                if !["even", "all", "key", "auto"].contains(&style.as_str()) {
                    return Err(SqlError::syntax(&style, 0));
                }
                layout.diststyle = Some(style);
            }
            "distkey" => {
                cursor.next()?;
                let mut columns = cursor.identifiers()?;
                layout.distkey = columns.pop().filter(|_| columns.is_empty());
                layout.distkey.as_ref().ok_or_else(|| cursor.error())?;
            }
            "compound" | "interleaved" | "sortkey" => {
                layout.is_interleaved = cursor.eat("interleaved");
                cursor.eat("compound");
                cursor.expect("sortkey")?;
                layout.sortkey = if cursor.eat("auto") { Vec::new() } else { cursor.identifiers()? };
            }
            "encode" => {
                cursor.next()?;
                cursor.expect("auto")?;
            }
            _ => return Ok(()),
        }
    }
}

impl CreateTable {
    fn check(&self) -> Result<(), SqlError> {
        let layout = &self.layout;
        match (layout.diststyle.as_deref(), &layout.distkey) {
            (Some("key"), None) => return Err(invalid("DISTSTYLE KEY needs a DISTKEY")),
            (Some("even" | "all" | "auto"), Some(_)) => {
                return Err(invalid("cannot specify DISTKEY for table with DISTSTYLE other than KEY"));
            }
            _ => {}
        }
        let most = if layout.is_interleaved { 8 } else { MOST_SORT_COLUMNS };
        if layout.sortkey.len() > most {
            return Err(invalid("too many columns in the sort key"));
        }
        let Body::Columns(columns, _) = &self.body else { return Ok(()) };
        if columns.len() > MOST_COLUMNS {
            let text = format!("tables can have at most {MOST_COLUMNS} columns");
            return Err(SqlError::new("54011", text));
        }
        for key in layout.sortkey.iter().chain(&layout.distkey) {
            match columns.iter().find(|column| column.name == *key) {
                None => {
                    let text = format!("column \"{key}\" named in key does not exist");
                    return Err(SqlError::new("42703", text));
                }
                Some(column) if !column.type_.can_be_key() => {
                    return Err(invalid(&format!("Cannot use column \"{key}\" of type super as a key")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn invalid(text: &str) -> SqlError {
    SqlError::new("42611", text)
}
