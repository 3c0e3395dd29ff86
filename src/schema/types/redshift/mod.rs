//! How a source's column arrives in Redshift: the table of docs/REDSHIFT.md, as code.
//!
//! Rows stay bytes for us: whatever must be converted is converted by the `SELECT` on the replica. A
//! column that can hold what Redshift cannot is asked for by a CASE, which is cheap for a value that
//! fits, and counts one that does not. Where such a value fails the load, nothing stands for it: then what
//! whoever reads the row sees for less is left to him (`looks`).

mod compared;
mod counted;
mod json;
mod names;
mod numbers;
mod policy;
mod texts;
mod times;
mod varchar;

use self::counted::Case;
pub use self::counted::count;
pub use self::varchar::{VARCHAR_BYTES_MAX, Varchar, Widening, measured_bytes, widenings};
pub(in crate::schema) use self::{
    compared::{comparable, in_source, in_warehouse},
    names::{folded, refuse_names},
    policy::policies,
    varchar::measurable,
};
use crate::{
    schema::{ColumnType, LookKind, TypeKind, UnfitPolicy},
    sql::quote_ident,
};

/// How a column arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schema) struct Arrival {
    /// Redshift's type.
    pub(in crate::schema) sql_type: String,
    /// What the source is asked for, as long as the value fits: SQL, `$c` stands for the column.
    value: String,
    /// What tells, cheaply, whether a value may be one that does not fit: SQL; NULL and false say no.
    suspect: String,
    /// What the source is asked for where the value was suspect and fits.
    cleared: Option<String>,
    /// The kinds of value that do not fit; none where each does.
    cases: Vec<Case>,
    /// How whoever reads a row sees each of these kinds, in their order; none where he cannot.
    looks: &'static [LookKind],
    /// Whether the column can arrive as text instead.
    has_text: bool,
    /// Why it does not arrive as the type of the same name.
    pub(in crate::schema) note: Option<String>,
}

impl Arrival {
    fn of(sql_type: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            sql_type: sql_type.into(),
            value: value.into(),
            suspect: String::new(),
            cleared: None,
            cases: Vec::new(),
            looks: &[],
            has_text: false,
            note: None,
        }
    }

    fn because(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    fn suspecting(self, suspect: impl Into<String>, cases: Vec<Case>) -> Self {
        Self { suspect: suspect.into(), cases, ..self }
    }

    fn seen_by(self, looks: &'static [LookKind]) -> Self {
        Self { looks, ..self }
    }

    fn fitting_after_all(self, cleared: impl Into<String>) -> Self {
        Self { cleared: Some(cleared.into()), ..self }
    }

    fn or_text(self) -> Self {
        Self { has_text: true, ..self }
    }

    /// The policies that a column of this type can have. Where each value fits there are none.
    fn allowed(&self) -> Vec<UnfitPolicy> {
        if self.cases.is_empty() {
            return Vec::new();
        }
        let mut allowed = vec![UnfitPolicy::Fail, UnfitPolicy::Null];
        for policy in [UnfitPolicy::Clamp, UnfitPolicy::Truncate] {
            if self.cases.iter().any(|case| case.instead(policy).is_some()) {
                allowed.push(policy);
            }
        }
        if self.has_text {
            allowed.push(UnfitPolicy::Text);
        }
        allowed
    }

    /// What the source is asked for; values that do not fit are counted from the number `first` on, by it or
    /// beside it.
    pub(in crate::schema) fn expression(&self, column: &str, policy: UnfitPolicy, first: usize) -> String {
        match self.looks(policy) {
            [] => self.sql(column, policy, Some(first)),
            _ => self.value.replace("$c", &quote_ident(column)),
        }
    }

    /// How whoever reads a row sees each kind of value that does not fit; none: the source looks. Only of what
    /// fails the load is it enough to know that it is there.
    pub(in crate::schema) fn looks(&self, policy: UnfitPolicy) -> &'static [LookKind] {
        match policy {
            UnfitPolicy::Fail => self.looks,
            _ => &[],
        }
    }

    /// The same without counting.
    pub(in crate::schema) fn compared(&self, column: &str, policy: UnfitPolicy) -> String {
        self.sql(column, policy, None)
    }
}

/// How `column_type` arrives from a source of `source_version` (`server_version_num`).
pub(in crate::schema) fn arrival(column_type: &ColumnType, source_version: u32) -> Arrival {
    let sql = &column_type.sql;
    match &column_type.kind {
        TypeKind::Builtin { name } => builtin(name, sql, source_version),
        TypeKind::Enum { labels } => {
            let bytes = labels.iter().map(String::len).max().unwrap_or(0).max(1);
            Arrival::of(format!("varchar({bytes})"), "$c").because(format!("{sql} is an enum"))
        }
        TypeKind::Domain { base } => {
            let base = arrival(base, source_version);
            let note = base.note.clone().unwrap_or_else(|| format!("{sql} is a domain"));
            base.because(note)
        }
        TypeKind::Array { element } => json::array(element, sql, source_version),
        TypeKind::Composite { .. } => json::row(column_type, source_version),
        TypeKind::Extension { extension, name } => match (extension.as_str(), name.as_str()) {
            ("citext", "citext") => texts::text().because("Redshift compares text by its case"),
            ("hstore", "hstore") => json::hstore(source_version),
            _ => texts::as_text().because(format!("Redshift does not have the extension {extension}")),
        },
        TypeKind::Range { .. } => texts::as_text().because(format!("{sql} is a range")),
        TypeKind::Other => texts::as_text().because(format!("{sql} is a type of the source's own")),
        TypeKind::Hashed { .. } => Arrival::of(
            "varchar(64)",
            "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($c::text, 'UTF8')), 'hex')",
        )
        .because("the loader hashes it"),
    }
}

/// The same as text, for the policy `text`: JSON stays JSON, bytes are hex, and all else is what
/// Postgres writes.
fn arrival_as_text(natural: &Arrival) -> Arrival {
    let mut text = match natural.sql_type.as_str() {
        "super" => texts::of(&natural.value),
        sql_type if sql_type.starts_with("varbyte") => texts::hex(),
        _ => texts::as_text(),
    };
    // A column has one policy, and its own type cannot be cut.
    text.cases.iter_mut().for_each(|case| case.nearest = None);
    text.because("the loader asks for text")
}

/// Types that arrive as the same whatever they hold: name, Redshift's type, expression.
const PLAIN: &[(&str, &str, &str)] = &[
    ("bool", "boolean", "$c"),
    ("int2", "smallint", "$c"),
    ("int4", "integer", "$c"),
    ("int8", "bigint", "$c"),
];

/// Types that Redshift does not have and that each fit into another one.
const OTHERWISE: &[(&str, &str, &str)] = &[
    // Up to nineteen digits, of which three are behind the point in some currencies.
    ("money", "numeric(22,3)", "$c::numeric"),
    ("oid", "bigint", "$c"),
    ("xid", "bigint", "$c"),
    ("cid", "bigint", "$c"),
    ("xid8", "numeric(20,0)", "$c"),
    // 63 characters at most, each of up to four bytes.
    ("name", "varchar(252)", "$c"),
    ("char", "varchar(4)", "$c"),
    ("uuid", "varchar(36)", "$c"),
    // As Postgres writes it: a cast to text, which a comparison makes, would add `/32` to a host.
    ("inet", "varchar(49)", "pg_catalog.abbrev($c)"),
    ("cidr", "varchar(49)", "$c"),
    ("macaddr", "varchar(23)", "$c"),
    ("macaddr8", "varchar(23)", "$c"),
    ("pg_lsn", "varchar(18)", "$c"),
    ("tid", "varchar(18)", "$c"),
    // Whether COPY reads a TIME in each of its forms is documented nowhere.
    ("time", "varchar(15)", "$c"),
    ("timetz", "varchar(24)", "$c"),
];

fn builtin(name: &str, sql: &str, source_version: u32) -> Arrival {
    let find = |types: &'static [(&str, &str, &str)]| types.iter().find(|(of, ..)| *of == name);
    if let Some((_, there, value)) = find(PLAIN) {
        return Arrival::of(*there, *value);
    }
    if let Some((_, there, value)) = find(OTHERWISE) {
        return Arrival::of(*there, *value).because(format!("Redshift does not have the type {sql}"));
    }
    match name {
        "numeric" => numbers::numeric(sql),
        "float4" => numbers::real(),
        "float8" => numbers::double(),
        "date" | "timestamp" | "timestamptz" => times::time(name),
        "interval" => {
            times::interval().because("written by ISO 8601: no type there holds months, days and time")
        }
        "text" => texts::text(),
        "varchar" => texts::varchar(sql),
        "bpchar" => texts::bpchar(sql).because("char there is ASCII alone"),
        "bit" | "varbit" => texts::bits(sql).because("Redshift does not have the type bit"),
        "bytea" => texts::bytea(),
        "json" | "jsonb" => json::json(name, source_version),
        _ => texts::as_text().because(format!("Redshift does not have the type {sql}")),
    }
}

#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;
