//! What a table looks like: canonical form, SHA-256 of it, difference in words, type mapping.
//!
//! Pure: knows no connection. The source reads a [`TableSchema`] out of its catalog. [`Selection`]
//! leaves out and hashes what the loader says; what comes out of it is again a [`TableSchema`], and
//! that one is hashed ([`hash()`], [`matches()`]), kept in the ledger, compared ([`diff()`]) and mapped
//! to the warehouse's types ([`shape()`]).

mod abilities;
mod column;
mod cursor;
mod diff;
mod fields;
mod hash;
mod layout;
mod range;
mod selection;
mod shape;
#[cfg(test)]
pub(crate) mod testing;
mod types;
mod unfit;

pub use abilities::{Abilities, PostgresAbilities};
pub use column::{Column, ColumnType, Generated, RelationKind, TableSchema, TypeKind};
pub use cursor::{Cursor, CursorError, CursorKind, promises_changes};
pub use diff::{Change, diff, in_words, made_anew};
pub use fields::Fields;
pub use hash::{UnknownVersion, hash, matches};
pub use layout::{Dist, ENCODINGS, Layout, Sort};
pub use range::CursorRange;
pub use selection::{Selected, Selection, SelectionError};
pub use shape::{
    Comparable, CsvForm, Format, Look, LookKind, Shape, ShapeError, ShapedColumn, Wishes, shape,
};
pub use types::{
    postgres::{Arrival, Expression, arrival},
    redshift::count as unfit_count,
    redshift::{VARCHAR_BYTES_MAX, Varchar, Widening, measured_bytes, widenings},
};
pub use unfit::{Unfit, UnfitKind, UnfitPolicies, UnfitPolicy, UnfitUse};
