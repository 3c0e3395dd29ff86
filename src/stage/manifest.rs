//! The object written last: a load's parts with their rows, bytes and SHA-256.

use bytes::Bytes;
use futures_util::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{LoadPrefix, Stage, StageError, key::hex};
pub use crate::schema::Format;
use crate::{
    fail_point,
    schema::{TableSchema, UnfitUse},
    sql::TableName,
};

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
    /// The warehouse's types that they arrive as, in the same order.
    #[serde(default)]
    pub types: Vec<String>,
    /// The columns that tell rows apart; empty where none do.
    #[serde(default)]
    pub key: Vec<String>,
    /// The source's schema at that moment.
    pub schema: TableSchema,
    /// The schema's hash, `v1:` and 64 hex digits.
    pub schema_hash: String,
    /// The parts, in their order.
    pub parts: Vec<Part>,
    /// Keys of rows that are gone from the source, as texts in the order of `key`; of a load of new rows alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Vec<String>>,
    /// What stands for NULL in CSV; `None`: an unquoted empty field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<String>,
    /// Values that the warehouse cannot hold, and what became of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfit: Vec<UnfitUse>,
    /// The collections of answers that its rows were made of, the oldest first; none of a database's table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<CollectionRef>,
    /// SHA-256 of the object that it lies in, in hex; empty until it was written or read.
    #[serde(skip)]
    pub sha256: String,
}

/// A collection of a service's answers, as a load's manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionRef {
    /// Its id.
    pub id: String,
    /// SHA-256 of its manifest, in hex.
    pub sha256: String,
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
    /// The checksum by which S3 knows the object: what it is asked for before somebody else reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

impl Manifest {
    /// The rows of all parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().fold(0, |rows, part| rows.saturating_add(part.rows))
    }

    /// The bytes of all parts, as they lie in the stage.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |bytes, part| bytes.saturating_add(part.bytes))
    }

    /// The version that this binary writes, and the newest that it reads.
    pub const VERSION: u32 = 1;

    /// Writes it: from here on the load exists.
    pub async fn write(&mut self, stage: &dyn Stage, prefix: &LoadPrefix) -> Result<(), StageError> {
        let key = prefix.manifest();
        let error =
            |what: serde_json::Error| StageError::Manifest { key: key.clone(), what: what.to_string() };
        let json = serde_json::to_vec_pretty(self).map_err(error)?;
        self.sha256 = hex(&Sha256::digest(&json));
        fail_point!("stage.manifest.before");
        let mut upload = stage.put(&key).await?;
        upload.write(Bytes::from(json)).await?;
        upload.finish().await?;
        fail_point!("stage.manifest.after");
        Ok(())
    }

    /// Reads one that had this SHA-256, in hex, when it was written. What it says goes into SQL: whoever may write
    /// to the stage must not be able to say something else. `None`: nobody knows, and it is not believed.
    pub async fn read(stage: &dyn Stage, key: &str, sha256: Option<&str>) -> Result<Self, StageError> {
        let mut json = Vec::new();
        let mut object = stage.get(key).await?;
        while let Some(bytes) = object.next().await {
            json.extend_from_slice(&bytes?);
        }
        let found = hex(&Sha256::digest(&json));
        if sha256 != Some(&found) {
            return Err(StageError::AnotherManifest { key: key.to_owned() });
        }
        let mut manifest =
            Self::parse(&json).map_err(|what| StageError::Manifest { key: key.to_owned(), what })?;
        manifest.sha256 = found;
        Ok(manifest)
    }

    /// Reads a manifest's text; the error is what is wrong with it, and shows nothing that stands in it: among its
    /// values are keys of rows.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| in_words(&error))?;
        match manifest.version {
            version if version > Self::VERSION => {
                Err(format!("it has version {version}, a newer barncat wrote it"))
            }
            _ => Ok(manifest),
        }
    }

    /// SHA-256 over what the rows are and how they are written: two loads with the same one have the
    /// same rows in the same form.
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        add(&format!("{:?} {:?} {}", self.format, self.compression, self.columns.len()));
        self.columns.iter().for_each(|column| add(column));
        for part in &self.parts {
            add(&format!("{} {}", part.rows, part.sha256));
        }
        hex(&hash.finalize())
    }
}

/// An error of serde's without the value that it is about; the names of fields are our own.
pub(crate) fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!("at line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data if text.starts_with("missing field") => text,
        serde_json::error::Category::Data => format!("it has a value of another kind {place}"),
        serde_json::error::Category::Eof => format!("EOF {place}"),
        _ => format!("it is no JSON {place}"),
    }
}
