//! Who may read, and how often anybody may ask.

use std::{borrow::Cow, net::IpAddr, num::NonZeroU32};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::refuse;
use crate::secret::Secret;

/// Requests a second, and how many at once above that.
const REQUESTS: (u32, u32) = (100, 200);

/// Wrong tokens a second, and how many at once above that: nobody guesses one.
const WRONG_TOKENS: (u32, u32) = (1, 20);

/// Who may read.
pub(super) struct Access {
    /// The hash of what readers show: of texts as long as each other the comparison tells nothing.
    token: Option<[u8; 32]>,
    requests: DefaultDirectRateLimiter,
    wrong_tokens: DefaultDirectRateLimiter,
}

impl Access {
    pub(super) fn new(token: Option<Secret>) -> Self {
        let limiter = |(each_second, burst): (u32, u32)| {
            let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_second(number(each_second)).allow_burst(number(burst)))
        };
        Self {
            token: token.map(|token| hash(token.expose().as_bytes())),
            requests: limiter(REQUESTS),
            wrong_tokens: limiter(WRONG_TOKENS),
        }
    }

    /// Whether a request shows the token; where there is none, whether it is meant for this machine.
    pub(super) fn may_read(&self, request: &Request) -> bool {
        match &self.token {
            Some(token) => shown(request).is_some_and(|shown| hash(&shown).ct_eq(token).into()),
            None => is_for_loopback(request),
        }
    }
}

fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// `Authorization: Bearer …`, or as a browser has it, which asks its reader for a name and a password: the password of
/// `Basic …`, whatever the name. The schemes' names are written in any case.
fn shown(request: &Request) -> Option<Cow<'_, [u8]>> {
    let value = request.headers().get(header::AUTHORIZATION)?.as_bytes();
    let after = |scheme: &str| {
        let (start, rest) = value.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme.as_bytes()).then(|| rest.trim_ascii())
    };
    if let Some(token) = after("Bearer ") {
        return Some(Cow::Borrowed(token));
    }
    let pair = BASE64_STANDARD.decode(after("Basic ")?).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Cow::Owned(pair[colon + 1..].to_vec()))
}

/// Without a token the address is a loopback's; but a page of anywhere can make a browser of this machine ask, by a
/// name that leads here. So the name must be this machine's own.
fn is_for_loopback(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Turns away who may not read.
pub(super) async fn only_for_readers(
    State(state): State<super::State>,
    request: Request,
    next: Next,
) -> Response {
    if state.access.may_read(&request) {
        return next.run(request).await;
    }
    if state.access.token.is_none() {
        return refuse(StatusCode::MISDIRECTED_REQUEST, "this address is not known by that name");
    }
    if shown(&request).is_some() && state.access.wrong_tokens.check().is_err() {
        return too_many();
    }
    let mut refusal = refuse(StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer …");
    for scheme in ["Bearer", "Basic realm=\"barncat: the token is the password\", charset=\"UTF-8\""] {
        refusal.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    refusal
}

/// Turns away more than can be answered beside the loads.
pub(super) async fn not_too_many(
    State(state): State<super::State>,
    request: Request,
    next: Next,
) -> Response {
    match state.access.requests.check() {
        Ok(()) => next.run(request).await,
        Err(_) => too_many(),
    }
}

fn too_many() -> Response {
    let refusal = refuse(StatusCode::TOO_MANY_REQUESTS, "too many requests; ask again in a second");
    ([(header::RETRY_AFTER, "1")], refusal).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(header::HeaderName, &str)]) -> Request {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.body(axum::body::Body::empty()).expect("a request")
    }

    #[test]
    fn the_token_is_shown_whole_or_not_at_all() {
        let access = Access::new(Some(Secret::new("0123456789abcdef")));
        let with = |value: &str| access.may_read(&request(&[(header::AUTHORIZATION, value)]));
        assert!(with("Bearer 0123456789abcdef"));
        assert!(with("bearer 0123456789abcdef"));
        // `anybody:0123456789abcdef`, as a browser writes it.
        assert!(with("Basic YW55Ym9keTowMTIzNDU2Nzg5YWJjZGVm"));
        assert!(!with("Basic YW55Ym9keTp3cm9uZw=="));
        for wrong in
            ["Bearer 0123456789abcde", "Bearer ", "Bearer", "Basic 0123456789abcdef", "0123456789abcdef"]
        {
            assert!(!with(wrong), "{wrong}");
        }
        assert!(!access.may_read(&request(&[(header::HOST, "localhost:8080")])));
    }

    #[test]
    fn without_a_token_only_this_machines_own_names_will_do() {
        let access = Access::new(None);
        let to = |host: &str| access.may_read(&request(&[(header::HOST, host)]));
        for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(to(host), "{host}");
        }
        for host in ["evil.example:8080", "10.0.0.1", "", "localhost.evil.example"] {
            assert!(!to(host), "{host}");
        }
        assert!(!access.may_read(&request(&[])));
    }
}
