//! What the server answers at the end of a COPY: how many rows it sent.
//!
//! tokio-postgres throws this answer away for `COPY … TO STDOUT`, and its stream ends before the
//! answer has come. The number is one of the three that must agree, so it is read off the bytes on
//! their way in: the protocol's messages are a byte of kind and four of length, whatever is in them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// No COPY has ended since the last [`CopyTag::clear`].
const NONE: u64 = u64::MAX;

/// The last `COPY n` that a connection's server answered.
#[derive(Debug)]
pub(super) struct CopyTag(AtomicU64);

impl CopyTag {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(NONE)))
    }

    pub(super) fn clear(&self) {
        self.0.store(NONE, Ordering::Release);
    }

    pub(super) fn rows(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire)).filter(|rows| *rows != NONE)
    }

    fn answer(&self, tag: &[u8]) {
        let rows = std::str::from_utf8(tag)
            .ok()
            .and_then(|tag| tag.trim_end_matches('\0').strip_prefix("COPY "))
            .and_then(|rows| rows.parse().ok());
        if let Some(rows) = rows {
            self.0.store(rows, Ordering::Release);
        }
    }
}

/// A stream that notes each `CommandComplete` on its way in.
pub(super) struct Noting<S> {
    inner: S,
    tag: Arc<CopyTag>,
    messages: Messages,
}

impl<S> Noting<S> {
    pub(super) fn new(inner: S, tag: Arc<CopyTag>) -> Self {
        Self { inner, tag, messages: Messages::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = &mut *self;
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        if polled.is_ready() {
            this.messages.pass(&buf.filled()[before..], &this.tag);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Noting<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// Where in the stream of messages we are.
#[derive(Default)]
struct Messages {
    head: [u8; 5],
    head_len: usize,
    body_left: usize,
    /// The body of a `CommandComplete`.
    tag: Vec<u8>,
}

impl Messages {
    fn pass(&mut self, mut bytes: &[u8], tag: &CopyTag) {
        while !bytes.is_empty() {
            if self.head_len < 5 {
                let n = bytes.len().min(5 - self.head_len);
                self.head[self.head_len..self.head_len + n].copy_from_slice(&bytes[..n]);
                self.head_len += n;
                bytes = &bytes[n..];
                if self.head_len == 5 {
                    let length = u32::from_be_bytes([self.head[1], self.head[2], self.head[3], self.head[4]]);
                    // The length counts itself.
                    self.body_left = (length as usize).saturating_sub(4);
                    self.tag.clear();
                    self.end_of_body(tag);
                }
                continue;
            }
            let n = bytes.len().min(self.body_left);
            if self.head[0] == b'C' {
                self.tag.extend_from_slice(&bytes[..n]);
            }
            self.body_left -= n;
            bytes = &bytes[n..];
            self.end_of_body(tag);
        }
    }

    fn end_of_body(&mut self, tag: &CopyTag) {
        if self.body_left == 0 {
            if self.head[0] == b'C' {
                tag.answer(&self.tag);
            }
            self.head_len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    proptest! {
        #[test]
        fn the_answer_is_found_however_the_bytes_are_cut(
            cuts in proptest::collection::vec(1_usize..40, 0..30),
        ) {
            let mut wire = Vec::new();
            for body in ["", "C\0\0\0\rCOPY 7\0", "row"] {
                wire.extend(message(b'd', body.as_bytes()));
            }
            wire.extend(message(b'c', b""));
            wire.extend(message(b'C', b"COPY 3\0"));
            wire.extend(message(b'Z', b"T"));
            let (tag, mut messages) = (CopyTag::new(), Messages::default());
            let mut rest = &wire[..];
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                messages.pass(now, &tag);
                rest = later;
            }
            messages.pass(rest, &tag);
            prop_assert_eq!(tag.rows(), Some(3));
        }
    }

    #[test]
    fn other_commands_are_no_answer() {
        let (tag, mut messages) = (CopyTag::new(), Messages::default());
        messages.pass(&message(b'C', b"SELECT 5\0"), &tag);
        assert_eq!(tag.rows(), None);
    }
}
