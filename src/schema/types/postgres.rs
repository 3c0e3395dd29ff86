//! How a source's column arrives in a Postgres warehouse.
//!
//! A value arrives unchanged or not at all. Where the warehouse can hold the type, the column has
//! it; else it has the nearest that holds every value: enums, row types, ranges and types made by
//! hand become text, domains their base. What a binary COPY would carry wrongly (oids inside of
//! arrays and row types, forms that changed between versions) is cast before it leaves the source,
//! or the table goes as CSV.

use super::builtin::{self, Binary, Builtin, Carry};
use crate::{
    schema::{ColumnType, PostgresAbilities, TypeKind},
    sql::quote_ident,
};

/// How a type arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The warehouse's type, in its SQL.
    pub sql_type: String,
    /// What the source is asked for.
    pub expression: Expression,
    /// Whether binary COPY carries it unchanged.
    pub binary: bool,
    /// Why it does not arrive as the same type; `None` where it does.
    pub note: Option<String>,
}

/// What the source is asked for in place of the column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// The column as it is.
    Plain,
    /// The column cast to this type.
    Cast(String),
    /// The SHA-256 of the column's text, in hex; NULL stays NULL.
    HashHex,
}

impl Expression {
    /// As SQL over the source's column `name`.
    pub fn sql(&self, name: &str) -> String {
        let column = quote_ident(name);
        match self {
            Self::Plain => column,
            Self::Cast(to) => format!("{column}::{to}"),
            Self::HashHex => {
                format!(
                    "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({column}::text, 'UTF8')), 'hex')"
                )
            }
        }
    }
}

impl Expression {
    /// As SQL over the warehouse's column `name`: the text of a value that arrived is that of
    /// [`Expression::sql`] at the source. A cast is made on both sides: a type that is sent as its text
    /// would leave something out of it again.
    pub fn arrived(&self, name: &str) -> String {
        match self {
            Self::Plain | Self::Cast(_) => self.sql(name),
            Self::HashHex => quote_ident(name),
        }
    }
}

impl Arrival {
    fn same(sql_type: impl Into<String>) -> Self {
        Self { sql_type: sql_type.into(), expression: Expression::Plain, binary: true, note: None }
    }

    fn cast(to: &str) -> Self {
        Self { expression: Expression::Cast(to.to_owned()), ..Self::same(to) }
    }

    fn binary(self, binary: bool) -> Self {
        Self { binary, ..self }
    }

    fn because(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

/// How `column_type` arrives from a source of `source_version` (`server_version_num`) in a
/// warehouse that can do `abilities`.
pub fn arrival(column_type: &ColumnType, source_version: u32, abilities: &PostgresAbilities) -> Arrival {
    let sql = &column_type.sql;
    match &column_type.kind {
        TypeKind::Builtin { name } => builtin_arrival(name, sql, source_version, abilities),
        TypeKind::Enum { .. } => Arrival::same("text").because(format!("{sql} is an enum")),
        TypeKind::Domain { base } => {
            let base = arrival(base, source_version, abilities);
            let note = base.note.clone().unwrap_or_else(|| format!("{sql} is a domain"));
            base.because(note)
        }
        TypeKind::Array { element } => array_arrival(element, sql, source_version, abilities),
        TypeKind::Composite { .. } => Arrival::cast("text").because(format!("{sql} is a row type")),
        TypeKind::Range { .. } => {
            Arrival::cast("text").because(format!("{sql} is a range of the source's own"))
        }
        TypeKind::Extension { extension, name } => extension_arrival(extension, name, sql, abilities),
        TypeKind::Other => Arrival::cast("text").because(format!("{sql} is a type of the source's own")),
        TypeKind::Hashed { .. } => Arrival { expression: Expression::HashHex, ..Arrival::same("text") }
            .because("the loader hashes it"),
    }
}

fn builtin_arrival(name: &str, sql: &str, source_version: u32, abilities: &PostgresAbilities) -> Arrival {
    let Some(builtin) = builtin::find(name) else {
        return Arrival::cast("text").because(format!("barncat does not know the type {sql}"));
    };
    if builtin.since > abilities.version {
        return Arrival::cast("text").because(format!("the warehouse is too old for the type {sql}"));
    }
    let binary = allows_binary(builtin, source_version, abilities.version);
    match builtin.carry {
        Carry::Text => Arrival::cast("text").because(builtin.why),
        Carry::Numeric => Arrival::cast("numeric").binary(binary).because(builtin.why),
        Carry::SameByText => {
            Arrival { expression: Expression::Cast("text".to_owned()), ..Arrival::same(sql) }.binary(binary)
        }
        Carry::Same if is_lost_char(name, source_version, abilities.version) => {
            Arrival::cast("text").because("the warehouse reads its text in another way")
        }
        Carry::Same if has_new_scale(name, sql, abilities.version) => {
            Arrival::same("numeric").binary(binary).because(format!("the warehouse is too old for {sql}"))
        }
        Carry::Same => Arrival::same(sql).binary(binary),
    }
}

fn allows_binary(builtin: &Builtin, source_version: u32, version: u32) -> bool {
    match builtin.binary {
        Binary::Always => true,
        Binary::Since(first) => !(source_version >= first && version < first),
        Binary::SameMajor => source_version / 10_000 == version / 10_000,
        Binary::Never => false,
    }
}

/// Newer servers write a `"char"` above 127 as `\351`, of which servers before 16 may read the
/// backslash alone.
fn is_lost_char(name: &str, source_version: u32, version: u32) -> bool {
    name == "char" && version < 160_000 && source_version / 10_000 > version / 10_000
}

/// Scales below zero or above the precision are allowed since 15.
fn has_new_scale(name: &str, sql: &str, version: u32) -> bool {
    if name != "numeric" || version >= 150_000 {
        return false;
    }
    let modifier = modifier(sql).trim_matches(['(', ')']);
    let Some((precision, scale)) = modifier.split_once(',') else { return false };
    match (precision.trim().parse::<i32>(), scale.trim().parse::<i32>()) {
        (Ok(precision), Ok(scale)) => scale < 0 || scale > precision,
        _ => false,
    }
}

fn array_arrival(of: &ColumnType, sql: &str, source_version: u32, abilities: &PostgresAbilities) -> Arrival {
    let element = arrival(of, source_version, abilities);
    if element.sql_type.ends_with("[]") {
        // An array of a domain over an array: SQL has no array of arrays.
        return Arrival::cast("text[]").because(format!("{sql} is an array of arrays"));
    }
    if is_domain_over_extension(&of.kind) {
        // The source may know the domain's base by another name than the warehouse does.
        return Arrival::cast("text[]").because(format!("{sql} is an array of a domain"));
    }
    let array = format!("{}[]", element.sql_type);
    let expression = match (&of.kind, element.expression) {
        (TypeKind::Builtin { .. } | TypeKind::Extension { .. }, Expression::Plain) => Expression::Plain,
        // Its own oid stands in the array's header; the element's alone would be carried.
        (_, Expression::Plain) => Expression::Cast(array.clone()),
        (_, Expression::Cast(to)) => Expression::Cast(format!("{to}[]")),
        (_, Expression::HashHex) => Expression::HashHex,
    };
    let sql_type = match (&of.kind, &element.note) {
        // The column's modifier may stand in its own SQL only.
        (TypeKind::Builtin { .. }, None) => sql.to_owned(),
        (TypeKind::Extension { .. }, None) if modifier(&array).is_empty() => {
            format!("{}{}[]", element.sql_type, modifier(sql))
        }
        _ => array,
    };
    // An array's header names its element's oid, which differs between databases for these.
    let is_own = matches!((&of.kind, &expression), (TypeKind::Extension { .. }, Expression::Plain));
    Arrival { sql_type, expression, binary: element.binary && !is_own, note: element.note }
}

fn is_domain_over_extension(of: &TypeKind) -> bool {
    match of {
        TypeKind::Domain { base } => {
            matches!(base.kind, TypeKind::Extension { .. }) || is_domain_over_extension(&base.kind)
        }
        _ => false,
    }
}

/// Extension types whose binary form has been the same in all of the extension's versions.
const BINARY_EXTENSION_TYPES: &[(&str, &str)] = &[("citext", "citext"), ("hstore", "hstore")];

fn extension_arrival(extension: &str, name: &str, sql: &str, abilities: &PostgresAbilities) -> Arrival {
    match abilities.extension_types.get(&(extension.to_owned(), name.to_owned())) {
        Some(there) => Arrival::same(format!("{there}{}", modifier(sql)))
            .binary(BINARY_EXTENSION_TYPES.contains(&(extension, name))),
        None => {
            Arrival::cast("text").because(format!("the warehouse does not have the extension {extension}"))
        }
    }
}

/// A type's modifier: `(12,2)` of `numeric(12,2)[]`; empty where there is none.
fn modifier(sql: &str) -> &str {
    let mut quoted = false;
    let start = sql.find(|character| {
        quoted ^= character == '"';
        character == '(' && !quoted
    });
    match (start, sql.rfind(')')) {
        (Some(start), Some(end)) if start < end => &sql[start..=end],
        _ => "",
    }
}

#[cfg(test)]
mod tests;
