//! S3, or a store that speaks its protocol, as the stage.
//!
//! An object larger than one piece goes up in several: an unfinished upload is invisible and costs
//! money until it is aborted. Its id is therefore noted in a small object beside its place before it
//! is used, since not every store can list unfinished uploads.

mod error;
mod upload;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client, config,
    config::timeout::TimeoutConfig,
    types::{ChecksumMode, Delete, ObjectIdentifier, ServerSideEncryption},
};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use tokio::sync::Semaphore;

use self::{
    error::s3_error,
    upload::{NOTE, S3Upload, UploadNote},
};
use super::{Object, Seen, Stage, StageError, Upload, key::owner_of};
use crate::fail_point;

/// How objects are encrypted where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket says.
    Bucket,
    /// By S3's own keys.
    S3,
    /// By a key of KMS: its id or ARN.
    Kms(String),
}

/// A bucket and a prefix in it.
#[derive(Clone)]
pub(super) struct S3Stage {
    client: Client,
    bucket: String,
    /// Empty, or ends in `/`.
    prefix: String,
    encryption: Encryption,
    /// Places for pieces on their way.
    places: Arc<Semaphore>,
    /// Buffers of pieces that have arrived: at most as many as were ever in use at once.
    spare: Arc<Mutex<Vec<BytesMut>>>,
}

/// Of all uploads together: two keep a line busy, and more would only wait in memory.
const PIECES_UNDER_WAY: usize = 2;

/// DeleteObjects takes a thousand keys.
const DELETE_MAX: usize = 1_000;

impl S3Stage {
    pub(super) fn new(client: Client, bucket: String, prefix: &str, encryption: Encryption) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let places = Arc::new(Semaphore::new(PIECES_UNDER_WAY));
        Self { client, bucket, prefix, encryption, places, spare: Arc::default() }
    }

    /// An empty buffer. Those of earlier pieces are taken again: the allocator gives memory back to the system
    /// later than the next piece needs some.
    fn buffer(&self) -> BytesMut {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes a sent piece's buffer back, unless somebody still holds it.
    fn take_back(&self, piece: Bytes) {
        if let Ok(mut buffer) = piece.try_into_mut() {
            buffer.clear();
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.encryption {
            Encryption::Bucket => (None, None),
            Encryption::S3 => (Some(ServerSideEncryption::Aes256), None),
            Encryption::Kms(key) => (Some(ServerSideEncryption::AwsKms), Some(key.clone())),
        }
    }

    /// What a request with a large body needs: nothing is answered while it goes up, and on a slow line
    /// that takes longer than an answer may.
    fn while_sending(&self) -> config::Builder {
        let limits = self.client.config().timeout_config();
        let limit = limits.and_then(TimeoutConfig::operation_attempt_timeout);
        let mut changed = TimeoutConfig::builder();
        changed.set_read_timeout(limit);
        config::Builder::new().timeout_config(changed.build())
    }

    /// All objects below `prefix`, notes of uploads too.
    async fn list_all(&self, prefix: &str) -> Result<Vec<Object>, StageError> {
        let start = self.full(prefix);
        let mut pages =
            self.client.list_objects_v2().bucket(&self.bucket).prefix(&start).into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| s3_error("list", &self.bucket, &start, &error))?;
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| key.strip_prefix(&self.prefix)) else { continue };
                let bytes = object.size().unwrap_or(0).try_into().unwrap_or(0);
                objects.push(Object { key: key.to_owned(), bytes });
            }
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    async fn read_note(&self, key: &str) -> Result<Option<UploadNote>, StageError> {
        let full = self.full(key);
        let object = self.client.get_object().bucket(&self.bucket).key(&full).send().await;
        let object = match object {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                return Ok(None);
            }
            object => object.map_err(|error| s3_error("read", &self.bucket, &full, &error))?,
        };
        let bytes =
            object.body.collect().await.map_err(|error| broken("read", &self.bucket, &full, &error))?;
        // A note that cannot be read belongs to nobody's upload any more.
        Ok(serde_json::from_slice(&bytes.into_bytes()).ok())
    }

    /// Aborts an upload; one that is gone already is no error.
    async fn abort(&self, key: &str, upload_id: &str) -> Result<(), StageError> {
        let full = self.full(key);
        let aborted =
            self.client.abort_multipart_upload().bucket(&self.bucket).key(&full).upload_id(upload_id).send();
        match aborted.await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_upload()) => Ok(()),
            Err(error) => Err(s3_error("abort an upload of", &self.bucket, &full, &error)),
            Ok(_) => Ok(()),
        }
    }

    /// Unfinished uploads as far as the store can list them: those that a crash left between their
    /// creation and their note. Past the first thousand they are for the next sweep.
    async fn listed_uploads(&self, prefix: &str) -> Vec<(String, String)> {
        let listed =
            self.client.list_multipart_uploads().bucket(&self.bucket).prefix(self.full(prefix)).send().await;
        let Ok(listed) = listed else { return Vec::new() };
        let upload = |upload: &aws_sdk_s3::types::MultipartUpload| {
            let key = upload.key()?.strip_prefix(&self.prefix)?;
            Some((key.to_owned(), upload.upload_id()?.to_owned()))
        };
        listed.uploads().iter().filter_map(upload).collect()
    }
}

/// Whether the SDK read a whole object and found that it is not the one that S3 took.
fn is_altered(error: &dyn std::error::Error) -> bool {
    // The error's type is of a crate that the SDK does not hand on.
    error::chain(error).contains("checksum mismatch")
}

/// The error of a body that broke off.
fn broken(doing: &'static str, bucket: &str, key: &str, error: &dyn std::error::Error) -> StageError {
    StageError::S3 {
        doing,
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        what: error::chain(error),
        class: crate::error::Class::Passing,
        hint: None,
    }
}

#[async_trait]
impl Stage for S3Stage {
    fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    async fn put(&self, key: &str) -> Result<Box<dyn Upload>, StageError> {
        Ok(Box::new(S3Upload::new(self.clone(), key.to_owned())))
    }

    async fn get(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes, StageError>>, StageError> {
        let full = self.full(key);
        let object = self.client.get_object().bucket(&self.bucket).key(&full).send().await;
        let object = match object {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                return Err(StageError::Missing { key: key.to_owned() });
            }
            object => object.map_err(|error| s3_error("read", &self.bucket, &full, &error))?,
        };
        let (bucket, key) = (self.bucket.clone(), key.to_owned());
        Ok(Box::pin(stream::try_unfold(object.body, move |mut body| {
            let (bucket, full, key) = (bucket.clone(), full.clone(), key.clone());
            async move {
                let next = body.try_next().await.map_err(|error| match is_altered(&error) {
                    true => StageError::Altered { key, what: "its checksum differs".to_owned() },
                    false => broken("read", &bucket, &full, &error),
                })?;
                Ok(next.map(|bytes| (bytes, body)))
            }
        })))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, StageError> {
        let mut objects = self.list_all(prefix).await?;
        objects.retain(|object| !object.key.ends_with(NOTE));
        Ok(objects)
    }

    async fn look(&self, key: &str) -> Result<Option<Seen>, StageError> {
        let full = self.full(key);
        let asked = self.client.head_object().bucket(&self.bucket).key(&full);
        match asked.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => Ok(Some(Seen {
                bytes: head.content_length().and_then(|bytes| bytes.try_into().ok()).unwrap_or(0),
                checksum: head.checksum_sha256().map(str::to_owned),
            })),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
            Err(error) => Err(s3_error("read", &self.bucket, &full, &error)),
        }
    }

    async fn delete(&self, keys: &[String]) -> Result<(), StageError> {
        for keys in keys.chunks(DELETE_MAX) {
            let identifiers: Result<Vec<_>, _> =
                keys.iter().map(|key| ObjectIdentifier::builder().key(self.full(key)).build()).collect();
            let delete = identifiers
                .and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build())
                .map_err(|error| broken("delete", &self.bucket, &self.prefix, &error))?;
            fail_point!("stage.delete.before");
            let deleted = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
            fail_point!("stage.delete.after");
            let deleted =
                deleted.map_err(|error| s3_error("delete", &self.bucket, &self.full(&keys[0]), &error))?;
            if let Some(refused) = deleted.errors().first() {
                return Err(error::refused(
                    "delete",
                    &self.bucket,
                    refused.key().unwrap_or_default(),
                    refused.code(),
                    refused.message(),
                ));
            }
        }
        Ok(())
    }

    async fn sweep(
        &self,
        prefix: &str,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<u64, StageError> {
        let of_dead = |key: &str| owner_of(key).is_some_and(|load| is_dead(&load));
        let mut swept = 0;
        for object in self.list_all(prefix).await? {
            if !object.key.ends_with(NOTE) || !of_dead(&object.key) {
                continue;
            }
            if let Some(note) = self.read_note(&object.key).await? {
                self.abort(&note.key, &note.upload_id).await?;
                swept += 1;
            }
            self.delete(&[object.key]).await?;
        }
        for (key, upload_id) in self.listed_uploads(prefix).await {
            if of_dead(&key) {
                self.abort(&key, &upload_id).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}
