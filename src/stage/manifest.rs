//! The object written last: a load's parts with their rows, bytes and SHA-256.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::schema::Format;
use crate::{schema::TableSchema, sql::TableName};

/// How a part is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Zstandard, level 1: the default.
    Zstd,
    /// gzip.
    Gzip,
}

/// A load as it lies in the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form; 1.
    pub version: u32,
    /// The load's id.
    pub load: String,
    /// The warehouse's table.
    pub table: TableName,
    /// Where the rows are from.
    pub source: String,
    /// The table there.
    pub source_table: TableName,
    /// The moment that all parts show.
    pub as_of: Timestamp,
    /// The source's write-ahead log position at that moment.
    pub lsn: Option<String>,
    /// How rows are written.
    pub format: Format,
    /// How parts are compressed.
    pub compression: Compression,
    /// The columns in their order in each row.
    pub columns: Vec<String>,
    /// The source's schema at that moment.
    pub schema: TableSchema,
    /// The schema's hash, `v1:` and 64 hex digits.
    pub schema_hash: String,
    /// The parts, in their order.
    pub parts: Vec<Part>,
}

/// One object of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its key in the stage.
    pub key: String,
    /// Its rows, as counted in the stream and answered by the source.
    pub rows: u64,
    /// Its size in the stage.
    pub bytes: u64,
    /// Its size before compression.
    pub raw_bytes: u64,
    /// SHA-256 of the object as it lies there, in hex.
    pub sha256: String,
}

impl Manifest {
    /// The rows of all parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// The bytes of all parts, as they lie in the stage.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}
