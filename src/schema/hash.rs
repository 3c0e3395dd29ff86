//! The SHA-256 of a table's canonical form, with the version of that form.
//!
//! A version is never changed once it has been released: the ledgers hold its hashes. A new form
//! becomes the next version beside it, and an older hash is still compared in its own, so that an
//! upgrade rebuilds no table.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Column, ColumnType, Generated, TableSchema, TypeKind};
use crate::error::{Class, Fault};

/// The hash of a table's schema in the newest version: `v1:` and 64 hex digits.
///
/// Hashed are the columns' names, order, types with modifiers (and what those are made of: labels,
/// bases, attributes), nullability and kind of generation, and the key. Not hashed are the
/// attributes' numbers, which differ after a dump and restore, and the kind of relation.
pub fn hash(schema: &TableSchema) -> String {
    format!("v1:{}", hex_sha256(&v1(schema)))
}

/// Whether `hash`, made by this release or an older one, is the hash of `schema`: compared in the
/// hash's own version.
pub fn matches(schema: &TableSchema, hash: &str) -> Result<bool, UnknownVersion> {
    match hash.split_once(':') {
        Some(("v1", digest)) => Ok(hex_sha256(&v1(schema)) == digest),
        _ => Err(UnknownVersion { hash: hash.to_owned() }),
    }
}

/// A hash whose version this release does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema hash `{hash}` is of a version that this release does not know")]
pub struct UnknownVersion {
    /// The hash, as it stands in the ledger.
    pub hash: String,
}

impl Fault for UnknownVersion {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        Some("the table was published by a newer barncat; use that one or a newer one".to_owned())
    }
}

fn hex_sha256(form: &Value) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(form.to_string().as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String never refuses
        hex
    })
}

/// Version 1, written out by hand: a field added to [`TableSchema`] must not change it.
fn v1(schema: &TableSchema) -> Value {
    json!({
        "columns": schema.columns.iter().map(v1_column).collect::<Vec<_>>(),
        "key": schema.key,
    })
}

fn v1_column(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": v1_type(&column.column_type),
        "nullable": column.nullable,
        "generated": match column.generated {
            Generated::No => "no",
            Generated::Stored => "stored",
            Generated::Identity => "identity",
        },
    })
}

fn v1_type(column_type: &ColumnType) -> Value {
    let made_of = match &column_type.kind {
        TypeKind::Builtin { name } => json!(["builtin", name]),
        TypeKind::Enum { labels } => json!(["enum", labels]),
        TypeKind::Domain { base } => json!(["domain", v1_type(base)]),
        TypeKind::Array { element } => json!(["array", v1_type(element)]),
        TypeKind::Composite { attributes } => {
            let attributes: Vec<_> = attributes.iter().map(|(name, of)| json!([name, v1_type(of)])).collect();
            json!(["composite", attributes])
        }
        TypeKind::Range { element } => json!(["range", v1_type(element)]),
        TypeKind::Extension { extension, name } => json!(["extension", extension, name]),
        TypeKind::Other => json!(["other"]),
        TypeKind::Hashed { of } => json!(["hashed", v1_type(of)]),
    };
    json!({ "sql": column_type.sql, "made_of": made_of })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{RelationKind, testing};

    /// If this fails, version 1 was changed: every table of every user would be rebuilt. Add a
    /// version 2 instead and leave this one as it is.
    #[test]
    fn version_1_never_changes() {
        assert_eq!(v1(&testing::one_of_each()).to_string(), include_str!("hash_v1.json").trim_end());
        assert_eq!(
            hash(&testing::one_of_each()),
            "v1:4dd1fb9e0ddc5b3df78bb0b3996f3e1a31897804974580157b49c0ff5f312fca"
        );
    }

    #[test]
    fn what_the_ledger_keeps_is_read_back_as_it_was() {
        let kept = serde_json::to_string(&testing::one_of_each()).expect("names and types are JSON");
        let read: TableSchema = serde_json::from_str(&kept).expect("it was written by the same form");
        assert_eq!(read, testing::one_of_each());
    }

    #[test]
    fn numbers_and_kind_are_not_hashed() {
        let schema = testing::one_of_each();
        let mut other = schema.clone();
        other.kind = RelationKind::Partitioned;
        other.columns[0].number = 99;
        assert_eq!(hash(&schema), hash(&other));
    }

    #[test]
    fn a_hash_is_compared_in_its_own_version() {
        let schema = testing::one_of_each();
        assert_eq!(matches(&schema, &hash(&schema)), Ok(true));
        assert_eq!(matches(&schema, "v1:00"), Ok(false));
        for unknown in ["v2:00", "", "00"] {
            assert_eq!(matches(&schema, unknown), Err(UnknownVersion { hash: unknown.to_owned() }));
        }
    }
}
