//! One part, written and read: compressed, counted, hashed on the way.
//!
//! The hot path: beside compression and SHA-256 there is one copy of the bytes each way.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::{GzEncoder, MultiGzDecoder};
use futures_util::{StreamExt, stream::BoxStream};
use sha2::{Digest, Sha256};

use super::{
    SharedStage, StageError, Upload,
    key::hex,
    manifest::{Compression, Part},
};

/// Compressed bytes are handed on in blocks of about this size.
const BLOCK_BYTES: usize = 32 * 1024;

/// Decompressed bytes are handed on in chunks of about this size.
const CHUNK_BYTES: usize = 32 * 1024;

/// How much of an object is decompressed at once: equal rows come out a thousand times larger.
const READ_BYTES: usize = 4 * 1024;

/// A part under way to the stage. Dropped without `finish`, nothing is seen of it.
pub struct PartWriter {
    key: String,
    upload: Box<dyn Upload>,
    encoder: Encoder,
    sha256: Sha256,
    rows: u64,
    bytes: u64,
    raw_bytes: u64,
}

enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl PartWriter {
    /// Begins the object `key`.
    pub async fn create(
        stage: &SharedStage,
        key: String,
        compression: Compression,
    ) -> Result<Self, StageError> {
        let encoder = Encoder::new(compression).map_err(|source| codec(&key, source))?;
        let upload = stage.put(&key).await?;
        Ok(Self { key, upload, encoder, sha256: Sha256::new(), rows: 0, bytes: 0, raw_bytes: 0 })
    }

    /// Adds bytes in which `rows` rows end. Waits while earlier ones are on their way.
    pub async fn write(&mut self, raw: &[u8], rows: u64) -> Result<(), StageError> {
        self.rows += rows;
        self.raw_bytes += raw.len() as u64;
        self.encoder.write(raw).map_err(|source| codec(&self.key, source))?;
        if self.encoder.buffer().len() >= BLOCK_BYTES {
            let block = std::mem::take(self.encoder.buffer());
            *self.encoder.buffer() = self.send(block).await?;
        }
        Ok(())
    }

    /// Ends the object; it is visible and durable after `Ok`.
    pub async fn finish(mut self) -> Result<Part, StageError> {
        let encoder = std::mem::replace(&mut self.encoder, Encoder::none());
        let rest = encoder.finish().map_err(|source| codec(&self.key, source))?;
        self.send(rest).await?;
        let checksum = self.upload.finish().await?;
        Ok(Part {
            key: self.key,
            rows: self.rows,
            bytes: self.bytes,
            raw_bytes: self.raw_bytes,
            sha256: hex(&self.sha256.finalize()),
            checksum,
        })
    }

    /// Gives the object up and removes what was written.
    pub async fn abort(self) {
        self.upload.abort().await;
    }

    /// Gives the block's memory back, empty: an allocator that is asked for blocks of this size all the time
    /// walks through megabytes.
    async fn send(&mut self, block: Vec<u8>) -> Result<Vec<u8>, StageError> {
        self.sha256.update(&block);
        self.bytes += block.len() as u64;
        let block = Bytes::from(block);
        self.upload.write(block.clone()).await?;
        let mut block = Vec::from(block);
        block.clear();
        Ok(block)
    }
}

impl Encoder {
    fn new(compression: Compression) -> std::io::Result<Self> {
        let buffer = Vec::with_capacity(BLOCK_BYTES * 2);
        Ok(match compression {
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(buffer, 1)?),
            Compression::Gzip => Self::Gzip(GzEncoder::new(buffer, flate2::Compression::fast())),
        })
    }

    /// Stands in for an encoder that is being finished.
    fn none() -> Self {
        Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::none()))
    }

    fn write(&mut self, raw: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(raw),
            Self::Gzip(encoder) => encoder.write_all(raw),
        }
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

/// A part on its way back: decompressed, and held against what the manifest says of it.
pub struct PartReader {
    part: Part,
    object: BoxStream<'static, Result<Bytes, StageError>>,
    decoder: Decoder,
    /// What of the object has come and is not decompressed yet.
    rest: Bytes,
    sha256: Sha256,
    bytes: u64,
    raw_bytes: u64,
    ended: bool,
}

enum Decoder {
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
    Gzip(MultiGzDecoder<Vec<u8>>),
}

impl PartReader {
    /// Opens a part.
    pub async fn open(
        stage: &SharedStage,
        part: &Part,
        compression: Compression,
    ) -> Result<Self, StageError> {
        let buffer = Vec::with_capacity(CHUNK_BYTES * 2);
        let decoder = match compression {
            Compression::Zstd => Decoder::Zstd(
                zstd::stream::write::Decoder::new(buffer).map_err(|source| codec(&part.key, source))?,
            ),
            Compression::Gzip => Decoder::Gzip(MultiGzDecoder::new(buffer)),
        };
        Ok(Self {
            object: stage.get(&part.key).await?,
            part: part.clone(),
            decoder,
            rest: Bytes::new(),
            sha256: Sha256::new(),
            bytes: 0,
            raw_bytes: 0,
            ended: false,
        })
    }

    /// Reads all of a part, only to hold it against the manifest.
    pub async fn verify_all(
        stage: &SharedStage,
        part: &Part,
        compression: Compression,
    ) -> Result<(), StageError> {
        let mut reader = Self::open(stage, part, compression).await?;
        while reader.next().await?.is_some() {}
        Ok(())
    }

    /// The next decompressed bytes. `None` only after the whole object has come and its size and
    /// SHA-256 are those of the manifest.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        while !self.ended && self.decoder.buffer().len() < CHUNK_BYTES {
            if self.rest.is_empty() {
                match self.object.next().await {
                    Some(bytes) => {
                        self.rest = bytes?;
                        self.sha256.update(&self.rest);
                        self.bytes += self.rest.len() as u64;
                    }
                    None => {
                        self.verify()?;
                        self.ended = true;
                    }
                }
            } else {
                let now = self.rest.split_to(self.rest.len().min(READ_BYTES));
                self.decoder.write(&now).map_err(|_| self.altered("it does not decompress"))?;
            }
        }
        let chunk = std::mem::replace(self.decoder.buffer(), Vec::with_capacity(CHUNK_BYTES * 2));
        self.raw_bytes += chunk.len() as u64;
        if self.ended && self.raw_bytes != self.part.raw_bytes {
            return Err(self.altered("its size when decompressed differs"));
        }
        Ok(if chunk.is_empty() { None } else { Some(Bytes::from(chunk)) })
    }

    fn verify(&mut self) -> Result<(), StageError> {
        if self.bytes != self.part.bytes {
            return Err(self.altered("its size differs"));
        }
        let sha256 = std::mem::take(&mut self.sha256).finalize();
        if hex(&sha256) != self.part.sha256 {
            return Err(self.altered("its SHA-256 differs"));
        }
        self.decoder.flush().map_err(|_| self.altered("it does not decompress to its end"))
    }

    fn altered(&self, what: &str) -> StageError {
        StageError::Altered { key: self.part.key.clone(), what: what.to_owned() }
    }
}

impl Decoder {
    fn write(&mut self, compressed: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Zstd(decoder) => decoder.write_all(compressed),
            Self::Gzip(decoder) => decoder.write_all(compressed),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Zstd(decoder) => decoder.flush(),
            Self::Gzip(decoder) => decoder.try_finish(),
        }
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Zstd(decoder) => decoder.get_mut(),
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }
}

fn codec(key: &str, source: std::io::Error) -> StageError {
    StageError::Codec { key: key.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Fault, stage};

    const KEY: &str = "p/production/s.t/01ARZ3NDEKTSV4RRFFQ69G5FAV/part-00000.csv.zst";

    async fn written(stage: &SharedStage, compression: Compression) -> (Part, Vec<u8>) {
        let mut writer = PartWriter::create(stage, KEY.to_owned(), compression).await.unwrap();
        let mut raw = Vec::new();
        for number in 0..40_000_u32 {
            let row = format!("{number},{}\n", hex(&Sha256::digest(number.to_be_bytes())[..20]));
            writer.write(row.as_bytes(), 1).await.unwrap();
            raw.extend_from_slice(row.as_bytes());
        }
        (writer.finish().await.unwrap(), raw)
    }

    async fn read(stage: &SharedStage, part: &Part, compression: Compression) -> Result<Vec<u8>, StageError> {
        let mut reader = PartReader::open(stage, part, compression).await?;
        let mut raw = Vec::new();
        while let Some(bytes) = reader.next().await? {
            raw.extend_from_slice(&bytes);
        }
        Ok(raw)
    }

    #[tokio::test]
    async fn what_is_read_is_what_was_written() {
        for compression in [Compression::Zstd, Compression::Gzip] {
            let folder = tempfile::tempdir().unwrap();
            let stage = stage::local(folder.path().to_owned());
            let (part, raw) = written(&stage, compression).await;
            assert_eq!((part.rows, part.raw_bytes), (40_000, raw.len() as u64));
            assert!(part.bytes < part.raw_bytes);
            assert!(read(&stage, &part, compression).await.unwrap() == raw);
        }
    }

    #[tokio::test]
    async fn an_altered_object_never_ends_well() {
        for compression in [Compression::Zstd, Compression::Gzip] {
            let folder = tempfile::tempdir().unwrap();
            let stage = stage::local(folder.path().to_owned());
            let (part, _) = written(&stage, compression).await;
            let path = folder.path().join(KEY);
            let whole = std::fs::read(&path).unwrap();
            let mut flipped = whole.clone();
            flipped[whole.len() / 2] ^= 1;
            let mut longer = whole.clone();
            longer.push(0);
            for altered in [&flipped, &longer, &whole[..whole.len() - 1].to_vec(), &Vec::new()] {
                std::fs::write(&path, altered).unwrap();
                let error = read(&stage, &part, compression).await.unwrap_err();
                assert!(matches!(error, StageError::Altered { .. }), "{error}");
                assert_eq!(error.class(), crate::error::Class::Passing);
            }
            std::fs::write(&path, &whole).unwrap();
            let wrong = Part { raw_bytes: part.raw_bytes + 1, ..part.clone() };
            assert!(read(&stage, &wrong, compression).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_part_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let stage = stage::local(folder.path().to_owned());
        let mut writer = PartWriter::create(&stage, KEY.to_owned(), Compression::Zstd).await.unwrap();
        writer.write(b"row\n", 1).await.unwrap();
        drop(writer);
        assert_eq!(stage.list("p/").await.unwrap(), []);
        assert_eq!(stage.sweep("p/", &|_| true).await.unwrap(), 0);
    }
}
