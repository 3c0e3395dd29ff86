//! One answer on its way into the stage, and back.

use std::io::Read as _;

use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::{
    AnswerPart, CollectError,
    envelope::{Envelope, hex},
};
use crate::{
    fail_point,
    stage::{
        CollectionPrefix, PartWriter, SharedStage, StageError,
        manifest::{Compression, Part},
    },
};

/// How much larger an object may be than its body: the envelope, and what compression adds at worst.
const MARGIN_BYTES: u64 = 4 << 20;

/// Puts an answer into the stage; it is whole and durable after `Ok`.
pub(super) async fn write_answer(
    stage: &SharedStage,
    prefix: &CollectionPrefix,
    envelope: &Envelope,
    body: &[u8],
) -> Result<AnswerPart, CollectError> {
    let (query, page) = (envelope.query, envelope.page);
    let head = envelope.head(body).map_err(|source| CollectError::Json { what: "an envelope", source })?;
    fail_point!("collect.answer.before");
    let mut writer = PartWriter::create(stage, prefix.answer(query, page), Compression::Zstd).await?;
    writer.write(&head, 0).await?;
    writer.write(body, envelope.records).await?;
    let part = writer.finish().await?;
    fail_point!("collect.answer.after");
    Ok(AnswerPart { query, page, part })
}

/// Reads an answer. What a manifest says of it is held against it; of one that no manifest knows yet the SHA-256 in
/// it vouches.
pub async fn read_answer(
    stage: &SharedStage,
    key: &str,
    known: Option<&Part>,
    body_bytes_max: u64,
) -> Result<(Envelope, Bytes, AnswerPart), StageError> {
    let altered = |what: &str| StageError::Altered { key: key.to_owned(), what: what.to_owned() };
    let most = body_bytes_max.saturating_add(MARGIN_BYTES);
    let mut compressed = Vec::new();
    let mut object = stage.get(key).await?;
    while let Some(bytes) = object.next().await {
        compressed.extend_from_slice(&bytes?);
        if compressed.len() as u64 > most {
            return Err(altered("it is larger than an answer may be"));
        }
    }
    let sha256 = hex(&Sha256::digest(&compressed));
    if known.is_some_and(|part| part.sha256 != sha256) {
        return Err(altered("its SHA-256 differs"));
    }
    let raw = decompressed(&compressed, most).ok_or_else(|| altered("it does not decompress"))?;
    let (bytes, raw_bytes) = (compressed.len() as u64, raw.len() as u64);
    let (envelope, body) = Envelope::open(Bytes::from(raw)).map_err(|what| altered(&what))?;
    let part = Part { key: key.to_owned(), rows: envelope.records, bytes, raw_bytes, sha256, checksum: None };
    if CollectionPrefix::place_of(key) != Some((envelope.query, envelope.page)) {
        return Err(altered("it is the answer to another request"));
    }
    let part = AnswerPart { query: envelope.query, page: envelope.page, part };
    Ok((envelope, body, part))
}

fn decompressed(compressed: &[u8], most: u64) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(compressed).ok()?;
    decoder.take(most + 1).read_to_end(&mut raw).ok()?;
    (raw.len() as u64 <= most).then_some(raw)
}
