//! The object store between source and warehouse, and what lies there.
//!
//! A load's objects are its parts and its [`manifest`], which is written last: without it a load
//! does not exist. Nothing here knows tables or SQL.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

mod diagnose;
mod error;
mod key;
mod local;
pub mod manifest;
mod part;
mod s3;

pub use self::{
    diagnose::diagnose,
    error::StageError,
    key::{CollectionPrefix, LoadPrefix},
    part::{PartReader, PartWriter},
    s3::Encryption,
};

/// A stage in a bucket, below `prefix`.
pub async fn s3(
    access: &crate::aws::S3Access,
    bucket: &str,
    prefix: &str,
    encryption: Encryption,
) -> SharedStage {
    let client = crate::aws::s3_client(access).await;
    Arc::new(s3::S3Stage::new(client, bucket.to_owned(), prefix, encryption))
}

/// A stage in a folder, which is made by the first object.
pub fn local(root: std::path::PathBuf) -> SharedStage {
    Arc::new(local::LocalStage::new(root))
}

/// A store of whole objects. Keys are relative to the stage's root, `/` between their parts.
///
/// Every method may be called in parallel. An object is whole or absent: what a crash or an error
/// leaves of an unfinished one is never seen by `get` or `list`.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Where it is, for people: `file:/srv/stage`, `s3://bucket/prefix`. Holds no secret.
    fn url(&self) -> String;

    /// Starts an object. It exists after [`Upload::finish`] said `Ok`; after `Err` it may or may
    /// not, and a second `put` of the same key takes its place.
    async fn put(&self, key: &str) -> Result<Box<dyn Upload>, StageError>;

    /// Reads an object from its start. A stream that breaks ends in an error, never silently.
    async fn get(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes, StageError>>, StageError>;

    /// All objects whose key starts with `prefix` (which ends in `/`), sorted by key.
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StageError>;

    /// What the store itself knows of an object; `None` where it is not there.
    async fn look(&self, key: &str) -> Result<Option<Seen>, StageError>;

    /// Deletes objects; one that is not there is no error.
    async fn delete(&self, keys: &[String]) -> Result<(), StageError>;

    /// Aborts what crashes left: unfinished uploads and temporary files under `prefix`, whose load
    /// `is_dead` says is over. Returns how many.
    async fn sweep(
        &self,
        prefix: &str,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<u64, StageError>;
}

/// A shared stage.
pub type SharedStage = Arc<dyn Stage>;

/// An object under way. Dropped without `finish`, it is abandoned: nothing is seen of it, and what
/// lies in the store is swept later.
#[async_trait]
pub trait Upload: Send {
    /// Adds bytes. Waits while earlier ones are on their way, so that memory stays bounded.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StageError>;

    /// Makes the object visible; it is durable after `Ok`. Gives the checksum by which the store knows
    /// it, where it keeps one.
    async fn finish(self: Box<Self>) -> Result<Option<String>, StageError>;

    /// Gives it up and removes what was written.
    async fn abort(self: Box<Self>);
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

/// An object, as the store knows it without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 that the store keeps of it, in the store's own form; an object that came there in
    /// pieces has one of its pieces' SHA-256s.
    pub checksum: Option<String>,
}
