//! Messages of Postgres' protocol, version 3, from the server's side. Source: "Message Formats" in
//! PostgreSQL's documentation; Redshift speaks the same (§6.1).

use std::{collections::HashMap, io};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::engine::{error::SqlError, outcome::Outcome};

/// The longest message that is taken: a statement has 16 MB (§6.1).
const MOST_BYTES: usize = 17 * 1024 * 1024;

const PROTOCOL_3: i32 = 196_608;
const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;

/// What a connection begins with.
#[derive(Debug)]
pub(super) enum Startup {
    Tls,
    Gss,
    Cancel { pid: i32, secret: i32 },
    Session(HashMap<String, String>),
}

/// A message after that: its kind and its body.
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Bytes,
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

async fn body(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let length = stream.read_i32().await?;
    let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
    let length = length.filter(|length| *length <= MOST_BYTES).ok_or_else(|| broken("a wrong length"))?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body.into())
}

/// Reads how a connection begins.
pub(super) async fn read_startup(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Startup> {
    let body = body(stream).await?;
    let number = |at: usize| {
        let bytes = body.get(at..at + 4).ok_or_else(|| broken("too short"))?;
        Ok::<_, io::Error>(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    match number(0)? {
        SSL_REQUEST => Ok(Startup::Tls),
        GSS_REQUEST => Ok(Startup::Gss),
        CANCEL_REQUEST => Ok(Startup::Cancel { pid: number(4)?, secret: number(8)? }),
        PROTOCOL_3 => {
            let texts =
                body[4..].split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
            let texts: Vec<String> = texts.collect();
            let pairs = texts.chunks_exact(2).filter(|pair| !pair[0].is_empty());
            Ok(Startup::Session(pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect()))
        }
        _ => Err(broken("an unknown version of the protocol")),
    }
}

/// Reads the next message.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    let kind = stream.read_u8().await?;
    Ok(Message { kind, body: body(stream).await? })
}

/// A text that ends in a zero.
pub(super) fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.strip_suffix(&[0]).unwrap_or(body)).into_owned()
}

/// Messages on their way to the client.
#[derive(Default)]
pub(super) struct Out(pub(super) BytesMut);

impl Out {
    fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        self.0.put_u8(kind);
        let start = self.0.len();
        self.0.put_i32(0);
        body(&mut self.0);
        let length = i32::try_from(self.0.len() - start).unwrap_or(i32::MAX);
        self.0[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub(super) fn ask_for_md5(&mut self, salt: [u8; 4]) {
        self.message(b'R', |out| {
            out.put_i32(5);
            out.put_slice(&salt);
        });
    }

    pub(super) fn welcome(&mut self) {
        self.message(b'R', |out| out.put_i32(0));
    }

    pub(super) fn parameter(&mut self, name: &str, value: &str) {
        self.message(b'S', |out| {
            put_text(out, name);
            put_text(out, value);
        });
    }

    pub(super) fn key(&mut self, pid: i32, secret: i32) {
        self.message(b'K', |out| {
            out.put_i32(pid);
            out.put_i32(secret);
        });
    }

    /// `I` at rest, `T` in a transaction, `E` in one that failed.
    pub(super) fn ready(&mut self, state: u8) {
        self.message(b'Z', |out| out.put_u8(state));
    }

    pub(super) fn error(&mut self, severity: &str, error: &SqlError) {
        let position = error.position.map(|position| position.to_string());
        let fields = [
            (b'S', Some(severity)),
            (b'C', Some(error.code.as_str())),
            (b'M', Some(error.message.as_str())),
            (b'D', error.detail.as_deref()),
            (b'P', position.as_deref()),
        ];
        self.message(b'E', |out| {
            for (kind, value) in fields {
                let Some(value) = value else { continue };
                out.put_u8(kind);
                put_text(out, value);
            }
            out.put_u8(0);
        });
    }

    /// Nothing was asked.
    pub(super) fn empty(&mut self) {
        self.message(b'I', |_| {});
    }

    /// What a statement brought, with its tag.
    pub(super) fn outcome(&mut self, outcome: &Outcome, tag: &str) {
        if let Some(columns) = &outcome.columns {
            self.message(b'T', |out| {
                out.put_i16(i16::try_from(columns.len()).unwrap_or(i16::MAX));
                for column in columns {
                    put_text(out, &column.name);
                    out.put_i32(0);
                    out.put_i16(0);
                    out.put_u32(column.type_.oid());
                    out.put_i16(-1);
                    out.put_i32(column.modifier);
                    out.put_i16(0);
                }
            });
        }
        for row in &outcome.rows {
            self.message(b'D', |out| {
                out.put_i16(i16::try_from(row.len()).unwrap_or(i16::MAX));
                for value in row {
                    let Some(value) = value else {
                        out.put_i32(-1);
                        continue;
                    };
                    out.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
                    out.put_slice(value.as_bytes());
                }
            });
        }
        self.message(b'C', |out| put_text(out, tag));
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    // A zero would end it.
    out.put_slice(text.replace('\0', "").as_bytes());
    out.put_u8(0);
}
