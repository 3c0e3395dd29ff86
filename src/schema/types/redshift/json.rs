//! What arrives as SUPER: JSON, and what is written as JSON.
//!
//! SUPER takes any text that is JSON, with whatever blanks Postgres wrote; a string in it holds no
//! more than a VARCHAR does.

use super::{Arrival, Case, texts::in_utf8, varchar::VARCHAR_BYTES_MAX};
use crate::schema::{ColumnType, LookKind, TypeKind, UnfitKind};

/// Text of fewer bytes, in whatever encoding, has no string that is too long.
const BYTES_SURELY_FIT: u32 = VARCHAR_BYTES_MAX / 4;

/// A value that takes fewer bytes where it is stored, and is not compressed, has no such string either:
/// a string in it takes at most twice as many bytes when it is written (bytea).
const STORED_SURELY_FIT: u32 = BYTES_SURELY_FIT / 2 - 8;

/// `pg_column_compression`, and compression that can be known of, came with this version.
const TELLS_COMPRESSION: u32 = 140_000;

/// Types none of whose values is written as a long string.
const SHORT: &[&str] = &[
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "money",
    "oid",
    "xid",
    "xid8",
    "cid",
    "tid",
    "name",
    "char",
    "uuid",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "pg_lsn",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
];

/// `json`, `jsonb`.
pub(super) fn json(name: &str, source_version: u32) -> Arrival {
    let arrival = match name {
        // Its length is known without unpacking it. What it holds was never looked at: only jsonb refuses
        // an escaped NUL.
        "json" => {
            let has_nul = r"position(E'\\u0000' IN $c::text) > 0";
            let suspect = format!("octet_length($c::text) > {BYTES_SURELY_FIT} OR {has_nul}");
            // A backslash before it, unless that is itself one half of a pair.
            let is_nul = format!(r"{has_nul} AND $c::text ~ E'(^|[^\\\\])(\\\\\\\\)*\\\\u0000'");
            let cases = vec![Case::new(UnfitKind::EscapedNul, is_nul), long_string("$c")];
            Arrival::of("super", "$c").suspecting(suspect, cases)
        }
        _ => of_json("$c", "$c::json", source_version),
    };
    arrival.or_text().because("numbers in it keep what a DECIMAL or a double holds")
}

/// An array.
pub(super) fn array(element: &ColumnType, sql: &str, source_version: u32) -> Arrival {
    written(is_short(element), source_version).because(format!("{sql} is an array"))
}

/// A row type.
pub(super) fn row(row: &ColumnType, source_version: u32) -> Arrival {
    let sql = &row.sql;
    written(is_short(row), source_version).because(format!("{sql} is a row type"))
}

/// `hstore`.
pub(super) fn hstore(source_version: u32) -> Arrival {
    written(false, source_version).because("Redshift does not have the extension hstore")
}

fn written(is_short: bool, source_version: u32) -> Arrival {
    let json = "pg_catalog.to_json($c)";
    match is_short {
        true => Arrival::of("super", json),
        false => of_json(json, json, source_version).or_text(),
    }
}

/// A value that is packed: only a large one is written out to be looked at.
fn of_json(value: &str, json: &str, source_version: u32) -> Arrival {
    let is_large = format!("octet_length({value}::text) > {BYTES_SURELY_FIT}");
    let is = match source_version >= TELLS_COMPRESSION {
        false => is_large,
        true => format!(
            "CASE WHEN pg_catalog.pg_column_size($c) <= {STORED_SURELY_FIT} AND pg_catalog.pg_column_compression($c) IS NULL THEN false ELSE {is_large} END"
        ),
    };
    Arrival::of("super", value).suspecting(is, vec![long_string(json)]).seen_by(&[LookKind::LongJsonString])
}

/// Walks through the JSON, and only into what is long enough.
fn long_string(json: &str) -> Case {
    let when = format!(
        "EXISTS (WITH RECURSIVE within(part) AS (SELECT {json} UNION ALL \
         SELECT inner_part.value FROM within CROSS JOIN LATERAL (\
         SELECT value FROM pg_catalog.json_each(CASE pg_catalog.json_typeof(part) WHEN 'object' THEN part ELSE '{{}}' END) \
         UNION ALL SELECT value FROM pg_catalog.json_array_elements(CASE pg_catalog.json_typeof(part) WHEN 'array' THEN part ELSE '[]' END)\
         ) inner_part WHERE octet_length(inner_part.value::text) > {BYTES_SURELY_FIT}) \
         SELECT FROM within WHERE pg_catalog.json_typeof(part) = 'string' AND octet_length({}) > {VARCHAR_BYTES_MAX})",
        in_utf8("part #>> '{}'")
    );
    Case::new(UnfitKind::LongString, when)
}

fn is_short(element: &ColumnType) -> bool {
    match &element.kind {
        TypeKind::Builtin { name } => SHORT.contains(&name.as_str()),
        TypeKind::Enum { .. } => true,
        TypeKind::Domain { base } => is_short(base),
        TypeKind::Array { element } => is_short(element),
        TypeKind::Composite { attributes } => attributes.iter().all(|(_, of)| is_short(of)),
        TypeKind::Range { .. } | TypeKind::Extension { .. } | TypeKind::Other | TypeKind::Hashed { .. } => {
            false
        }
    }
}
