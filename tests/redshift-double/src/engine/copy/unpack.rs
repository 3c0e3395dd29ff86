//! Unpacking by what the statement declares: nothing is guessed from the bytes.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::sql::copy::Compression;

/// Takes packed bytes in pieces and gives the unpacked.
pub(super) enum Unpacker {
    None,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// The decoder, and whether it is in the midst of a frame.
    Zstd(Decoder<'static>, bool),
}

impl Unpacker {
    pub(super) fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Compression::Zstd => Self::Zstd(Decoder::new()?, true),
        })
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(bytes.to_vec()),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Zstd(decoder, unfinished) => unpack_zstd(decoder, unfinished, bytes),
        }
    }

    /// An object that ends in the midst of its packing is an error.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Zstd(_, false) => Ok(Vec::new()),
            Self::Zstd(_, true) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn unpack_zstd(decoder: &mut Decoder<'static>, unfinished: &mut bool, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let (mut unpacked, mut buffer) = (Vec::new(), vec![0; 128 * 1024]);
    let mut input = InBuffer::around(bytes);
    loop {
        let mut output = OutBuffer::around(&mut buffer[..]);
        let hint = decoder.run(&mut input, &mut output)?;
        let written = output.pos();
        unpacked.extend_from_slice(&buffer[..written]);
        *unfinished = hint != 0;
        if input.pos() >= bytes.len() && written < buffer.len() {
            return Ok(unpacked);
        }
    }
}
