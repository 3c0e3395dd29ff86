//! What is known of an answer beside its body.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::{Answer, Given, Headers, Media, Request};

/// What is known of an answer beside its body: the first line of its object, behind the SHA-256 of all that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of this form; 1.
    pub version: u32,
    /// Which query, from 0.
    pub query: u64,
    /// Which page, from 0.
    pub page: u64,
    /// What was asked, without who asks and without headers.
    pub request: Request,
    /// What was put into the request.
    #[serde(default, skip_serializing_if = "Given::is_empty")]
    pub given: Given,
    /// The status.
    pub status: u16,
    /// The url that answered, without what tells who asked.
    pub url: String,
    /// The headers that matter.
    pub headers: Headers,
    /// When it was asked, by our clock.
    pub asked_at: Timestamp,
    /// When the last byte came, by our clock.
    pub answered_at: Timestamp,
    /// How often it was asked.
    pub tries: u32,
    /// How many records there are in the body.
    pub records: u64,
}

/// Headers that are kept: what tells where an answer came from, what follows it, and how old it is. None that sets a
/// cookie or names who asks.
const KEPT: &[&str] = &[
    "age",
    "cache-control",
    "content-language",
    "content-type",
    "date",
    "deprecation",
    "etag",
    "last-modified",
    "link",
    "sunset",
    "warning",
];

/// Beginnings of such.
const KEPT_BEGINNINGS: &[&str] = &["ratelimit", "x-ratelimit", "x-request-id", "x-total", "x-page", "x-next"];

/// A header without the values of parameters that tell who asks.
fn without(value: &str, secret: &[String]) -> String {
    let mut value = value.to_owned();
    for name in secret {
        let parameter = format!("{name}=");
        let mut from = 0;
        while let Some(at) = value[from..].find(&parameter).map(|at| from + at) {
            let start = at + parameter.len();
            from = start;
            if at > 0 && !value[..at].ends_with(['?', '&', ';']) {
                continue;
            }
            let end =
                value[start..].find(['&', '>', ';', '#', '"', ' ']).map_or(value.len(), |end| start + end);
            value.replace_range(start..end, "");
        }
    }
    value
}

fn is_kept(name: &str) -> bool {
    KEPT.contains(&name) || KEPT_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

impl Envelope {
    /// That of an answer.
    pub(super) fn of(
        place: (u64, u64),
        (request, given): (&Request, &Given),
        answer: &Answer,
        (records, secret): (u64, &[String]),
    ) -> Self {
        let headers = answer.headers.0.iter().filter(|(name, _)| is_kept(name)).cloned();
        // A service may name the next page with who asks.
        let headers = headers.map(|(name, value)| match name.as_str() {
            "link" => (name, without(&value, secret)),
            _ => (name, value),
        });
        let headers = headers.collect();
        Self {
            version: 1,
            query: place.0,
            page: place.1,
            request: request.clone(),
            given: given.clone(),
            status: answer.status,
            url: answer.url.clone(),
            headers: Headers(headers),
            asked_at: answer.asked_at,
            answered_at: answer.answered_at,
            tries: answer.tries,
            records,
        }
    }

    /// How the body is written.
    pub fn media(&self) -> Media {
        self.request.media
    }

    /// The answer that it was, as far as it was kept.
    pub(super) fn answer(&self, body: Bytes) -> Answer {
        Answer {
            status: self.status,
            headers: self.headers.clone(),
            url: self.url.clone(),
            body,
            asked_at: self.asked_at,
            answered_at: self.answered_at,
            tries: self.tries,
        }
    }

    /// What stands before the body: two lines.
    pub(super) fn head(&self, body: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        let mut hash = Sha256::new();
        hash.update(&line);
        hash.update(body);
        let mut head = hex(&hash.finalize()).into_bytes();
        head.push(b'\n');
        head.append(&mut line);
        Ok(head)
    }

    /// Takes an object apart; says what is wrong with it otherwise.
    pub(super) fn open(object: Bytes) -> Result<(Self, Bytes), String> {
        let cut = |bytes: &Bytes| memchr::memchr(b'\n', bytes).ok_or("it ends too early");
        let end = cut(&object)?;
        let rest = object.slice(end + 1..);
        if hex(&Sha256::digest(&rest)).as_bytes() != &object[..end] {
            return Err("the SHA-256 in it differs".to_owned());
        }
        let end = cut(&rest)?;
        let envelope: Self = serde_json::from_slice(&rest[..end]).map_err(|error| error.to_string())?;
        match envelope.version {
            1 => Ok((envelope, rest.slice(end + 1..))),
            version => Err(format!("it has version {version}, a newer barncat wrote it")),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        let request = Request::get("/items".to_owned(), Media::Json);
        let headers = [
            ("content-type", "application/json"),
            ("set-cookie", "s3cret"),
            ("x-ratelimit-left", "7"),
            ("link", LINK),
        ];
        let answer = Answer {
            status: 200,
            headers: Headers(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()),
            url: "https://api.example/items".to_owned(),
            body: Bytes::new(),
            asked_at: Timestamp::UNIX_EPOCH,
            answered_at: Timestamp::UNIX_EPOCH,
            tries: 1,
        };
        Envelope::of((3, 7), (&request, &Given::default()), &answer, (2, &["key".to_owned()]))
    }

    const LINK: &str = "<https://api.example/items?monkey=1&key=s3cret&page=2>; rel=\"next\"";

    #[test]
    fn who_asks_is_in_no_header_that_is_kept() {
        let headers = envelope().headers;
        assert_eq!(
            headers.get("link"),
            Some("<https://api.example/items?monkey=1&key=&page=2>; rel=\"next\"")
        );
        assert!(!format!("{headers:?}").contains("s3cret"));
    }

    #[test]
    fn an_answer_is_read_as_it_was_written_and_never_altered() {
        let body = b"{\"a\":\n1}";
        let mut object = envelope().head(body).unwrap();
        object.extend_from_slice(body);
        let (read, rest) = Envelope::open(Bytes::from(object.clone())).unwrap();
        assert_eq!((read, &rest[..]), (envelope(), &body[..]));
        for at in [0, 70, object.len() - 1] {
            let mut altered = object.clone();
            altered[at] ^= 1;
            assert!(Envelope::open(Bytes::from(altered)).is_err(), "{at}");
        }
        for end in [0, 30, 64, 65, object.len() - 1] {
            assert!(Envelope::open(Bytes::from(object[..end].to_vec())).is_err(), "{end}");
        }
    }

    #[test]
    fn only_headers_that_matter_are_kept() {
        let names: Vec<String> = envelope().headers.0.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["content-type", "x-ratelimit-left", "link"]);
    }
}
