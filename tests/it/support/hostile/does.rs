//! What a service can do with a request.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};

use super::Seen;

/// What is done on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// These bytes, one by one.
    Drip(Vec<u8>, Duration),
    /// These bytes, again and again.
    Endless(Vec<u8>),
    Wait(Duration),
    /// Nothing more, and the connection stays open.
    Hang,
    Reset,
    Close,
}

/// A behaviour. `text` is the body that would be right.
#[expect(dead_code, reason = "whole loads do not meet all of it yet")]
#[derive(Debug, Clone)]
pub(crate) enum Does {
    // Right, one way or another.
    Json(String),
    /// Of another content type.
    Text(&'static str, String),
    Gzip(String),
    Chunked(String),
    ChunkedGzip(String),
    GzipUnsaid(String),
    GzipInTwo(String),
    WithBom(String),
    WithoutType(String),
    UntilClose(String),
    Continued(String),
    NoContent,
    Redirect(u16, String),
    /// More headers.
    With(Vec<(&'static str, String)>, String),
    /// After a time.
    Late(Duration, String),
    // Refusals.
    Status(u16),
    StatusWith(u16, Vec<(&'static str, String)>),
    /// Takes one token only.
    Token(&'static str, String),
    // Time.
    HangBefore,
    HangInHead,
    HangInBody(String),
    DripHead(Duration),
    DripBody(String, Duration),
    EndlessContinue,
    // Broken connections.
    CloseAtOnce,
    ResetAtOnce,
    ResetInBody(String),
    CutBody(String),
    CutUntilClose(String),
    CutChunked(String),
    // No HTTP.
    NotHttp,
    BadChunk(String),
    TwoLengths(String),
    ShortLength(String),
    EndlessHeaders,
    Upgrade,
    // Sizes.
    SaysTooLong,
    EndlessBody,
    Bomb,
    // Encodings.
    GzipCut(String),
    GzipTrailing(String),
    GzipDamaged(String),
    GzipNot(String),
    Brotli,
    // Bodies.
    Html,
    HtmlAsJson,
    Image,
    Latin1(String),
    JsonCut(String),
    JsonBad,
    Empty,
    Partial(String),
}

/// Packs a text.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

const PORTAL: &str = "<!DOCTYPE html><html><body><h1>Welcome to Hotel Wifi</h1></body></html>";

const JSON: &str = "content-type: application/json\r\n";

fn head(status: u16, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} So\r\n{headers}\r\n").into_bytes()
}

fn whole(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = head(status, &format!("content-length: {}\r\n{headers}", body.len()));
    answer.extend_from_slice(body);
    answer
}

fn lines(headers: &[(&'static str, String)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

fn chunked(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = head(200, &format!("transfer-encoding: chunked\r\n{headers}"));
    for chunk in body.chunks(7) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

impl Does {
    /// The steps, for a request.
    pub(super) fn steps(&self, seen: &Seen) -> Vec<Step> {
        use Step::{Close, Drip, Endless, Hang, Reset, Send, Wait};
        let json_gzip = format!("{JSON}content-encoding: gzip\r\n");
        let ok = |body: &[u8]| Send(whole(200, JSON, body));
        let packed = |body: &[u8]| Send(whole(200, &json_gzip, body));
        let half = |text: &str| text.as_bytes()[..text.len() / 2].to_vec();
        let first_half = |text: &str| {
            let mut answer = head(200, &format!("{JSON}content-length: {}\r\n", text.len()));
            answer.extend(half(text));
            Send(answer)
        };
        match self {
            Self::Json(text) => vec![ok(text.as_bytes())],
            Self::Text(media, text) => {
                vec![Send(whole(200, &format!("content-type: {media}\r\n"), text.as_bytes()))]
            }
            Self::Gzip(text) => vec![packed(&gzip(text.as_bytes()))],
            Self::Chunked(text) => vec![Send(chunked(JSON, text.as_bytes()))],
            Self::ChunkedGzip(text) => vec![Send(chunked(&json_gzip, &gzip(text.as_bytes())))],
            Self::GzipUnsaid(text) => vec![ok(&gzip(text.as_bytes()))],
            Self::GzipInTwo(text) => {
                let (a, b) = text.as_bytes().split_at(text.len() / 2);
                vec![packed(&[gzip(a), gzip(b)].concat())]
            }
            Self::WithBom(text) => vec![ok(&[b"\xef\xbb\xbf", text.as_bytes()].concat())],
            Self::WithoutType(text) => vec![Send(whole(200, "", text.as_bytes()))],
            Self::UntilClose(text) => {
                vec![
                    Send([&head(200, &format!("{JSON}connection: close\r\n")), text.as_bytes()].concat()),
                    Close,
                ]
            }
            Self::Continued(text) => {
                vec![Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()), ok(text.as_bytes())]
            }
            Self::NoContent => vec![Send(head(204, ""))],
            Self::Redirect(status, to) => {
                vec![Send(whole(*status, &format!("location: {to}\r\n"), b"moved"))]
            }
            Self::With(headers, text) => {
                vec![Send(whole(200, &format!("{JSON}{}", lines(headers)), text.as_bytes()))]
            }
            Self::Late(time, text) => vec![Wait(*time), ok(text.as_bytes())],
            Self::Status(status) => vec![Send(whole(*status, JSON, b"{\"error\": \"secret 4711\"}"))],
            Self::StatusWith(status, headers) => vec![Send(whole(*status, &lines(headers), b"no"))],
            Self::Token(token, text) => match seen.header("authorization") {
                Some(own) if own == format!("Bearer {token}") => vec![ok(text.as_bytes())],
                _ => vec![Send(whole(401, "www-authenticate: Bearer\r\n", b"no"))],
            },
            Self::HangBefore => vec![Hang],
            Self::HangInHead => vec![Send(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()), Hang],
            Self::HangInBody(text) => vec![first_half(text), Hang],
            Self::DripHead(every) => {
                vec![Drip(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(9999)).into_bytes(), *every)]
            }
            Self::DripBody(text, every) => {
                let headers = format!("{JSON}content-length: {}\r\n", text.len());
                vec![Send(head(200, &headers)), Drip(text.as_bytes().to_vec(), *every)]
            }
            Self::EndlessContinue => vec![Endless(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())],
            Self::CloseAtOnce => vec![Close],
            Self::ResetAtOnce => vec![Reset],
            Self::ResetInBody(text) => vec![first_half(text), Wait(Duration::from_millis(50)), Reset],
            Self::CutBody(text) => vec![first_half(text), Close],
            Self::CutUntilClose(text) => {
                vec![Send([head(200, &format!("{JSON}connection: close\r\n")), half(text)].concat()), Close]
            }
            Self::CutChunked(text) => {
                let mut answer = chunked(JSON, text.as_bytes());
                answer.truncate(answer.len() - 5);
                vec![Send(answer), Close]
            }
            Self::NotHttp => vec![Send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec()), Close],
            Self::BadChunk(text) => {
                let mut answer = head(200, &format!("{JSON}transfer-encoding: chunked\r\n"));
                answer.extend_from_slice(format!("zz\r\n{text}\r\n0\r\n\r\n").as_bytes());
                vec![Send(answer), Close]
            }
            Self::TwoLengths(text) => {
                let headers = format!("{JSON}content-length: {}\r\ncontent-length: 2\r\n", text.len());
                vec![Send([&head(200, &headers), text.as_bytes()].concat())]
            }
            Self::ShortLength(text) => {
                let headers = format!("{JSON}content-length: {}\r\n", text.len() / 2);
                vec![Send([&head(200, &headers), text.as_bytes()].concat())]
            }
            Self::EndlessHeaders => {
                vec![Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Endless(b"x-more: and more\r\n".to_vec())]
            }
            Self::Upgrade => vec![Send(head(101, "connection: upgrade\r\nupgrade: websocket\r\n"))],
            Self::SaysTooLong => {
                vec![
                    Send(head(200, &format!("{JSON}content-length: 999999999999\r\n"))),
                    Endless(vec![b' '; 4096]),
                ]
            }
            Self::EndlessBody => {
                let chunk = [&b"1000\r\n"[..], &[b' '; 4096], b"\r\n"].concat();
                vec![Send(head(200, &format!("{JSON}transfer-encoding: chunked\r\n"))), Endless(chunk)]
            }
            Self::Bomb => vec![packed(&gzip(&vec![b' '; 50_000_000]))],
            Self::GzipCut(text) => {
                let body = gzip(text.as_bytes());
                vec![packed(&body[..body.len() - 9])]
            }
            Self::GzipTrailing(text) => vec![packed(&[gzip(text.as_bytes()), b"trailing".to_vec()].concat())],
            Self::GzipDamaged(text) => {
                let mut body = gzip(text.as_bytes());
                let at = body.len() - 6;
                body[at] ^= 0xff;
                vec![packed(&body)]
            }
            Self::GzipNot(text) => vec![packed(text.as_bytes())],
            Self::Brotli => {
                vec![Send(whole(200, &format!("{JSON}content-encoding: br\r\n"), b"\x0b\x02\x80[]\x03"))]
            }
            Self::Html => {
                vec![Send(whole(200, "content-type: text/html; charset=utf-8\r\n", PORTAL.as_bytes()))]
            }
            Self::HtmlAsJson => vec![ok(PORTAL.as_bytes())],
            Self::Image => vec![Send(whole(200, "content-type: image/png\r\n", b"\x89PNG"))],
            Self::Latin1(text) => {
                vec![Send(whole(
                    200,
                    "content-type: application/json; charset=iso-8859-1\r\n",
                    text.as_bytes(),
                ))]
            }
            Self::JsonCut(text) => vec![ok(&half(text))],
            Self::JsonBad => vec![ok(b"{\"rows\": [1, 2,, 3]}")],
            Self::Empty => vec![ok(b"")],
            Self::Partial(text) => {
                vec![Send(whole(206, &format!("{JSON}content-range: bytes 0-9/99\r\n"), text.as_bytes()))]
            }
        }
    }
}
