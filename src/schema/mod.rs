//! What a table looks like: canonical form, SHA-256 of it, difference in words, type mapping.
//!
//! Pure: knows no connection. The source reads a [`TableSchema`] out of its catalog; `types` says
//! how each column arrives in the warehouse; the ledger keeps the canonical form and its hash.

mod column;

pub use column::{Column, ColumnType, Generated, RelationKind, TableSchema, TypeKind};
