//! One object on its way to S3.

use async_trait::async_trait;
use aws_sdk_s3::{
    operation::upload_part::UploadPartOutput,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use aws_smithy_types::base64;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::{S3Stage, error::s3_error};
use crate::{
    fail_point,
    stage::{StageError, Upload},
};

/// The least that S3 takes as a piece of an upload (but the last). Four uploads with one piece being
/// filled each, and two on their way, hold 30 MiB.
const PIECE_BYTES: usize = 5 << 20;

/// By how much a piece may be larger: what is written at once seldom is.
const MARGIN_BYTES: usize = 256 << 10;

/// S3 takes ten thousand pieces. A view is one part however large it is, so pieces grow by
/// `PIECE_BYTES` after each thousand: 268 GiB go into an object, and memory for objects below 5 GiB is
/// as said above.
const PIECES_OF_ONE_SIZE: usize = 1_000;

/// How large the piece after `pieces` others is.
fn piece_bytes(pieces: usize) -> usize {
    PIECE_BYTES * (1 + pieces / PIECES_OF_ONE_SIZE)
}

/// What the note of an upload is called: the object's key with this behind it.
pub(super) const NOTE: &str = ".upload";

/// What stands in a note.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UploadNote {
    pub(super) key: String,
    pub(super) upload_id: String,
}

/// An object on its way: small ones go up in one request at the end.
pub(super) struct S3Upload {
    stage: S3Stage,
    key: String,
    filling: BytesMut,
    upload_id: Option<String>,
    /// The piece on its way; at most one, and two of all uploads, so that memory stays bounded.
    under_way: Option<JoinHandle<Result<CompletedPart, StageError>>>,
    pieces: Vec<CompletedPart>,
    /// The SHA-256s of the pieces, one behind the other.
    digests: Vec<u8>,
    bytes: u64,
    /// What was to be sent is lost: the object can't become whole any more.
    failed: bool,
    ended: bool,
}

impl S3Upload {
    pub(super) fn new(stage: S3Stage, key: String) -> Self {
        Self {
            stage,
            key,
            filling: BytesMut::new(),
            upload_id: None,
            under_way: None,
            pieces: Vec::new(),
            digests: Vec::new(),
            bytes: 0,
            failed: false,
            ended: false,
        }
    }

    /// Sends what is gathered as the next piece, once the one before it has arrived.
    async fn send_piece(&mut self) -> Result<(), StageError> {
        self.arrive().await?;
        let upload_id = match &self.upload_id {
            Some(upload_id) => upload_id.clone(),
            None => self.begin().await?,
        };
        // Before the piece is taken out: cancelled here, nothing of it is lost. The semaphore is never closed.
        let place = self.stage.places.clone().acquire_owned().await.ok();
        let number = i32::try_from(self.pieces.len() + 1).unwrap_or(i32::MAX);
        let body = std::mem::take(&mut self.filling).freeze();
        let digest = Sha256::digest(&body);
        self.digests.extend_from_slice(&digest);
        let checksum = base64::encode(digest);
        let (stage, full) = (self.stage.clone(), self.stage.full(&self.key));
        self.under_way = Some(tokio::spawn(async move {
            let _place = place;
            fail_point!("stage.piece.before");
            let sent = stage
                .client
                .upload_part()
                .bucket(&stage.bucket)
                .key(&full)
                .upload_id(upload_id)
                .part_number(number)
                .checksum_sha256(&checksum)
                .body(ByteStream::from(body.clone()))
                .customize()
                .config_override(stage.while_sending())
                .send()
                .await
                .map_err(|error| s3_error("write", &stage.bucket, &full, &error))?;
            fail_point!("stage.piece.after");
            stage.take_back(body);
            Ok(completed(number, checksum, &sent))
        }));
        Ok(())
    }

    /// Waits for the piece on its way. Cancelled, it leaves it where it can be stopped.
    async fn arrive(&mut self) -> Result<(), StageError> {
        if let Some(under_way) = &mut self.under_way {
            let piece = under_way.await;
            self.under_way = None;
            let piece = piece.map_err(|error| {
                super::broken("write", &self.stage.bucket, &self.stage.full(&self.key), &error)
            })?;
            self.pieces.push(piece?);
        }
        Ok(())
    }

    /// All that is not up yet, and the object is there; its checksum.
    async fn send_rest(&mut self) -> Result<String, StageError> {
        if self.upload_id.is_some() {
            if !self.filling.is_empty() {
                self.send_piece().await?;
            }
            self.arrive().await?;
        }
        match self.upload_id.clone() {
            Some(upload_id) => {
                let checksum = checksum_of_pieces(&self.digests, self.pieces.len());
                self.complete(upload_id).await?;
                Ok(checksum)
            }
            None => {
                let body = std::mem::take(&mut self.filling).freeze();
                put_object(&self.stage, &self.key, body).await
            }
        }
    }

    /// An error before, or a call that was cancelled, may have lost a piece: nothing is put behind a gap.
    fn fail_until_done(&mut self) -> Result<(), StageError> {
        if self.failed {
            let what = std::io::Error::other("an earlier piece did not arrive");
            return Err(super::broken("write", &self.stage.bucket, &self.stage.full(&self.key), &what));
        }
        self.failed = true;
        Ok(())
    }

    /// Creates the upload and notes its id.
    async fn begin(&mut self) -> Result<String, StageError> {
        let stage = &self.stage;
        let full = stage.full(&self.key);
        let (encryption, kms_key) = stage.encryption();
        fail_point!("stage.upload.create.before");
        let created = stage
            .client
            .create_multipart_upload()
            .bucket(&stage.bucket)
            .key(&full)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .send()
            .await
            .map_err(|error| s3_error("write", &stage.bucket, &full, &error))?;
        fail_point!("stage.upload.create.after");
        let upload_id = created.upload_id().unwrap_or_default().to_owned();
        self.upload_id = Some(upload_id.clone());
        let note = UploadNote { key: self.key.clone(), upload_id: upload_id.clone() };
        let json = serde_json::to_vec(&note).unwrap_or_default();
        put_object(&self.stage, &format!("{}{NOTE}", self.key), Bytes::from(json)).await?;
        fail_point!("stage.upload.note.after");
        Ok(upload_id)
    }

    async fn complete(&mut self, upload_id: String) -> Result<(), StageError> {
        let stage = &self.stage;
        let full = stage.full(&self.key);
        let pieces = std::mem::take(&mut self.pieces);
        fail_point!("stage.upload.complete.before");
        let completed = stage
            .client
            .complete_multipart_upload()
            .bucket(&stage.bucket)
            .key(&full)
            .upload_id(upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(pieces)).build())
            .send()
            .await;
        fail_point!("stage.upload.complete.after");
        if let Err(error) = completed {
            // The answer to an earlier try may have been lost: then the upload is gone and the
            // object is there.
            let gone =
                error.as_service_error().is_some_and(|error| error.meta().code() == Some("NoSuchUpload"));
            if !(gone && self.is_there().await) {
                return Err(s3_error("complete", &stage.bucket, &full, &error));
            }
        }
        stage.delete(&[format!("{}{NOTE}", self.key)]).await
    }

    /// Whether the whole object is there.
    async fn is_there(&self) -> bool {
        let head =
            self.stage.client.head_object().bucket(&self.stage.bucket).key(self.stage.full(&self.key)).send();
        head.await.is_ok_and(|head| head.content_length().and_then(|n| n.try_into().ok()) == Some(self.bytes))
    }
}

use crate::stage::Stage as _;

async fn put_object(stage: &S3Stage, key: &str, body: Bytes) -> Result<String, StageError> {
    let full = stage.full(key);
    let checksum = base64::encode(Sha256::digest(&body));
    let (encryption, kms_key) = stage.encryption();
    stage
        .client
        .put_object()
        .bucket(&stage.bucket)
        .key(&full)
        .checksum_sha256(&checksum)
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(kms_key)
        .body(ByteStream::from(body))
        .customize()
        .config_override(stage.while_sending())
        .send()
        .await
        .map_err(|error| s3_error("write", &stage.bucket, &full, &error))?;
    Ok(checksum)
}

/// How S3 knows an object of pieces by SHA-256 ("Checking object integrity", composite checksums).
fn checksum_of_pieces(digests: &[u8], pieces: usize) -> String {
    format!("{}-{pieces}", base64::encode(Sha256::digest(digests)))
}

fn completed(number: i32, checksum: String, sent: &UploadPartOutput) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(sent.e_tag().map(str::to_owned))
        .checksum_sha256(checksum)
        .build()
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StageError> {
        self.fail_until_done()?;
        let piece_bytes = piece_bytes(self.pieces.len());
        self.bytes += bytes.len() as u64;
        if self.filling.is_empty() {
            self.filling = self.stage.buffer();
            self.filling.reserve(piece_bytes + MARGIN_BYTES);
        }
        self.filling.extend_from_slice(&bytes);
        if self.filling.len() >= piece_bytes {
            self.send_piece().await?;
        }
        self.failed = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Option<String>, StageError> {
        self.fail_until_done()?;
        fail_point!("stage.finish.before");
        let checksum = self.send_rest().await?;
        self.ended = true;
        fail_point!("stage.finish.after");
        Ok(Some(checksum))
    }

    async fn abort(mut self: Box<Self>) {
        if let Some(giving_up) = self.give_up() {
            giving_up.await;
        }
    }
}

impl S3Upload {
    /// Stops the piece on its way, then aborts the upload and removes its note; what does not work
    /// now is done by the next sweep. `None`: there is nothing to abort.
    fn give_up(&mut self) -> Option<impl Future<Output = ()> + Send + 'static> {
        self.ended = true;
        let under_way = self.under_way.take();
        let upload_id = self.upload_id.take()?;
        let (stage, key) = (self.stage.clone(), self.key.clone());
        Some(async move {
            if let Some(under_way) = under_way {
                under_way.abort();
                // A piece that arrives after the abort would stay.
                let _ = under_way.await;
            }
            if stage.abort(&key, &upload_id).await.is_ok() {
                let _ = stage.delete(&[format!("{key}{NOTE}")]).await;
            }
        })
    }
}

impl Drop for S3Upload {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let (Some(giving_up), Ok(runtime)) = (self.give_up(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(giving_up);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_pieces_is_known_by_the_checksum_of_their_checksums() {
        let digests = [Sha256::digest(b"one"), Sha256::digest(b"two")].concat();
        assert_eq!(checksum_of_pieces(&digests, 2), "EZFMGaKKmMV9EvPM5sMreUR4T0tHgacGwk6x3ChOKFY=-2");
    }

    #[test]
    fn ten_thousand_pieces_take_a_large_view() {
        let bytes: usize = (0..10_000).map(piece_bytes).sum();
        assert!(bytes > 250 << 30, "{bytes}");
        assert_eq!(piece_bytes(999), PIECE_BYTES);
    }
}
