//! Signature Version 4, checked as AWS does it, by code that shares nothing with what signs ("Create a signed AWS API
//! request" in IAM's user's guide).

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::variable;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// For how long a signature of a request is good.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Whether a POST to `/` was signed for a service, by the tests' own credentials and just now.
pub(crate) fn check_request(
    headers: &BTreeMap<String, String>,
    body: &[u8],
    service: &str,
) -> Result<(), String> {
    let header = |name: &str| headers.get(name).cloned().ok_or_else(|| format!("there is no {name}"));
    let authorization = header("authorization")?;
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let field = |name: &str| {
        let found = fields.split(", ").find_map(|field| field.strip_prefix(&format!("{name}=")));
        found.ok_or_else(|| format!("there is no {name}"))
    };
    let (names, date) = (field("SignedHeaders")?, header("x-amz-date")?);
    let mut signed = String::new();
    for name in names.split(';') {
        writeln!(signed, "{name}:{}", header(name)?.trim()).expect("a string takes it");
    }
    if !names.split(';').any(|name| name == "host") {
        return Err("the host is not signed".to_owned());
    }
    let canonical = format!("POST\n/\n\n{signed}\n{names}\n{}", hex(&Sha256::digest(body)));
    check(&canonical, field("Credential")?, &date, service, field("Signature")?)?;
    is_good_for(&date, SKEW)
}

/// Whether a token lets this user in at this place (`host:port`), if it is good for so long.
pub(crate) fn check_token(
    token: &str,
    place: &str,
    user: &str,
    good_for: SignedDuration,
) -> Result<(), String> {
    let asked = token.strip_prefix(&format!("{place}/?")).ok_or("it is for another server")?;
    let mut query = BTreeMap::new();
    for pair in asked.split('&') {
        let (name, value) = pair.split_once('=').ok_or("what is asked is no query")?;
        query.insert(name.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned());
    }
    let signature = query.remove("X-Amz-Signature").ok_or("it is not signed")?;
    let value = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    for (name, expected) in [
        ("Action", "connect"),
        ("DBUser", user),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Expires", "900"),
        ("X-Amz-SignedHeaders", "host"),
    ] {
        if value(name) != expected {
            return Err(format!("its {name} is {}", value(name)));
        }
    }
    let sorted: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED)))
        .collect();
    let nothing = hex(&Sha256::digest(b""));
    let canonical = format!("GET\n/\n{}\nhost:{place}\n\nhost\n{nothing}", sorted.join("&"));
    check(&canonical, value("X-Amz-Credential"), value("X-Amz-Date"), "rds-db", &signature)?;
    is_good_for(value("X-Amz-Date"), good_for)
}

fn check(
    canonical: &str,
    credential: &str,
    date: &str,
    service: &str,
    signature: &str,
) -> Result<(), String> {
    let (key_id, scope) = credential.split_once('/').ok_or("the credential has no scope")?;
    let [day, region, of, end] = scope.split('/').collect::<Vec<_>>()[..] else {
        return Err(format!("the scope is {scope}"));
    };
    if key_id != variable("AWS_ACCESS_KEY_ID")
        || of != service
        || end != "aws4_request"
        || !date.starts_with(day)
    {
        return Err(format!("the credential is {credential}"));
    }
    let secret = format!("AWS4{}", variable("AWS_SECRET_ACCESS_KEY"));
    let key =
        [day, region, of, end].iter().fold(secret.into_bytes(), |key, part| hmac(&key, part.as_bytes()));
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    match hex(&hmac(&key, to_sign.as_bytes())) == signature {
        true => Ok(()),
        false => Err("the signature is another one".to_owned()),
    }
}

/// `20260301T040506Z`
fn is_good_for(date: &str, span: SignedDuration) -> Result<(), String> {
    let (day, time) = date.strip_suffix('Z').and_then(|date| date.split_once('T')).ok_or("it has no date")?;
    let text =
        format!("{}-{}-{}T{}:{}:{}Z", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..]);
    let signed_at: Timestamp = text.parse().map_err(|_| "its date is none".to_owned())?;
    let age = Timestamp::now().duration_since(signed_at);
    match age.abs() <= span {
        true => Ok(()),
        false => Err(format!("it is {} s old", age.as_secs())),
    }
}

/// RFC 2104.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    let key = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block[..key.len()].copy_from_slice(&key);
    let with = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(with(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(with(0x5c)).chain_update(inner).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
