//! The request that follows: by a url that the service gave, or with another value of a parameter.

use reqwest::Url;
use serde_json::Value;

use super::{PagingError, Parameter};
use crate::source::http::{Body, Request, Target};

/// The url that page `page` named, against the one that it came from. It stays where the page came from; an upgrade
/// to TLS is no other place.
pub(super) fn url(named: &str, from: &str, page: u64, secret: &[String]) -> Result<String, PagingError> {
    let no_url = |_| PagingError::NoUrl { page };
    let from = Url::parse(from).map_err(no_url)?;
    let mut next = from.join(named).map_err(no_url)?;
    next.set_fragment(None);
    let is_same = next.origin() == from.origin();
    let is_upgrade = from.scheme() == "http"
        && next.scheme() == "https"
        && next.host() == from.host()
        && from.port().is_none()
        && next.port().is_none();
    if !matches!(next.scheme(), "http" | "https") || !(is_same || is_upgrade) {
        let elsewhere = next.origin().ascii_serialization();
        return Err(PagingError::Elsewhere { page, elsewhere });
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err(PagingError::NoUrl { page });
    }
    if next.query_pairs().any(|(name, _)| secret.iter().any(|secret| *secret == name)) {
        let kept: Vec<(String, String)> = next
            .query_pairs()
            .filter(|(name, _)| !secret.iter().any(|secret| *secret == *name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        next.query_pairs_mut().clear().extend_pairs(kept);
    }
    Ok(next.into())
}

/// The same request at another url: what was in the query before stands in it already, where it is to stay.
pub(super) fn at(request: &Request, url: String) -> Request {
    Request { target: Target::Url(url), query: Vec::new(), ..request.clone() }
}

/// Gives a parameter another value.
pub(super) fn set(
    request: &mut Request,
    parameter: &Parameter,
    value: &str,
    is_number: bool,
) -> Result<(), PagingError> {
    match parameter {
        Parameter::Query(name) => put(&mut request.query, name, value),
        Parameter::Body(field) => match &mut request.body {
            Some(Body::Json(Value::Object(fields))) => {
                // A number goes back as one.
                let as_number = is_number.then(|| serde_json::from_str::<Value>(value).ok()).flatten();
                let value = as_number.unwrap_or_else(|| Value::String(value.to_owned()));
                fields.insert(field.clone(), value);
            }
            Some(Body::Form(fields)) => put(fields, field, value),
            _ => return Err(PagingError::NoBody { field: field.clone() }),
        },
    }
    Ok(())
}

fn put(pairs: &mut Vec<(String, String)>, name: &str, value: &str) {
    match pairs.iter_mut().find(|(own, _)| own == name) {
        Some((_, own)) => value.clone_into(own),
        None => pairs.push((name.to_owned(), value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_url_is_taken_from_where_the_page_came_from_and_from_nowhere_else() {
        let of = |named| url(named, "https://api.example/v1/items?page=1", 1, &["key".to_owned()]);
        assert_eq!(of("?page=2").as_deref(), Ok("https://api.example/v1/items?page=2"));
        assert_eq!(of("/v1/items?page=2#x").as_deref(), Ok("https://api.example/v1/items?page=2"));
        assert_eq!(of("https://api.example:443/p").as_deref(), Ok("https://api.example/p"));
        let elsewhere = |at: &str| Err(PagingError::Elsewhere { page: 1, elsewhere: at.to_owned() });
        assert_eq!(of("//evil.example/p"), elsewhere("https://evil.example"));
        assert_eq!(of("http://api.example/p"), elsewhere("http://api.example"), "TLS is not given up");
        assert_eq!(of("https://api.example:8443/p"), elsewhere("https://api.example:8443"));
        assert_eq!(of("file:///etc/passwd"), elsewhere("null"));
        assert_eq!(of("https://user:pw@api.example/p"), Err(PagingError::NoUrl { page: 1 }));
        assert_eq!(of("http://["), Err(PagingError::NoUrl { page: 1 }));
        let upgraded = url("https://api.example/p", "http://api.example/", 1, &[]);
        assert_eq!(upgraded.as_deref(), Ok("https://api.example/p"));
    }

    #[test]
    fn what_tells_who_asks_is_taken_out_of_a_next_url() {
        let secret = ["key".to_owned()];
        let next = url("?a=1&key=s3cret&b=%26", "https://api.example/", 1, &secret);
        assert_eq!(next.as_deref(), Ok("https://api.example/?a=1&b=%26"));
    }
}
