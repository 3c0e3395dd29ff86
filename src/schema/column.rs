//! A table's columns and key, as the source's catalog has them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// What kind of relation it is.
    pub kind: RelationKind,
    /// Its columns in their order; dropped ones are left out. May be empty.
    pub columns: Vec<Column>,
    /// The primary key's columns in the key's order; empty where there is none.
    pub key: Vec<String>,
}

/// The kinds of relation that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// An ordinary table; its inheritance children are not part of it.
    Table,
    /// The parent of partitions; its rows are in the leaves.
    Partitioned,
    /// A view: no ctid, so one part.
    View,
    /// A materialized view: has ctid.
    MaterializedView,
    /// A foreign table: no ctid, so one part.
    Foreign,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, as it is.
    pub name: String,
    /// `pg_attribute.attnum`: tells a rename from drop-and-add. Not part of the hash.
    pub number: i16,
    /// Its type with its modifier.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether NULL is allowed (a primary key's columns: no).
    pub nullable: bool,
    /// Whether the server computes it.
    pub generated: Generated,
}

/// Whether the server computes a column's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generated {
    /// An ordinary column.
    No,
    /// `GENERATED ALWAYS AS (…) STORED`: readable, arrives as an ordinary column.
    Stored,
    /// `GENERATED … AS IDENTITY`: arrives as an ordinary column.
    Identity,
}

/// A type, with what must be known of it to carry its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnType {
    /// As `format_type` writes it with an empty `search_path`: `numeric(12,2)`, `public.mood`.
    pub sql: String,
    /// What it is made of.
    #[serde(flatten)]
    pub kind: TypeKind,
}

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TypeKind {
    /// In `pg_catalog` and neither array, composite nor range made of others.
    Builtin {
        /// `pg_type.typname`: `numeric`, `int8`.
        name: String,
    },
    /// An enum; its labels in their order.
    Enum {
        /// `pg_enum.enumlabel` by `enumsortorder`.
        labels: Vec<String>,
    },
    /// A domain over another type.
    Domain {
        /// What it is over.
        base: Box<ColumnType>,
    },
    /// An array.
    Array {
        /// Of what.
        element: Box<ColumnType>,
    },
    /// A row type.
    Composite {
        /// Its attributes: name and type.
        attributes: Vec<(String, ColumnType)>,
    },
    /// A range or multirange made by `CREATE TYPE`; the built-in ones are `Builtin`.
    Range {
        /// Of what.
        element: Box<ColumnType>,
    },
    /// A base type that an extension brought.
    Extension {
        /// The extension's name: `hstore`.
        extension: String,
        /// `pg_type.typname`.
        name: String,
    },
    /// Any other base type made by hand.
    Other,
    /// Not in a source: what a loader's `hash` setting makes of a column. Only the SHA-256 of the
    /// value's text leaves the source.
    Hashed {
        /// The type that the source has.
        of: Box<ColumnType>,
    },
}

impl TableSchema {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}
