//! What a service says of when it wants to be asked again.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use crate::source::http::{Headers, allowance::PAUSE_MAX};

/// After how long a service wants to be asked again, by `Retry-After`: seconds or a moment. A moment is held against the
/// service's own `Date`, so that its clock may show anything.
pub(super) fn retry_after(headers: &Headers, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.trim();
    let wait = match seconds(text) {
        Some(seconds) => seconds,
        None => until(DateTimeParser::new().parse_timestamp(text).ok()?, headers, now),
    };
    Some(wait.min(PAUSE_MAX))
}

/// For how long nothing is left of what a service allows, by any of the headers that say so; `None`: there is something left, or
/// nothing is said.
pub(super) fn used_up(headers: &Headers, now: Timestamp) -> Option<Duration> {
    let wait = [structured(headers), listed(headers), separate(headers, now)].into_iter().flatten().max()?;
    // What is said is whole seconds, perhaps rounded down.
    Some((wait + Duration::from_secs(1)).min(PAUSE_MAX))
}

/// `RateLimit: limit=100, remaining=0, reset=30`.
fn listed(headers: &Headers) -> Option<Duration> {
    let text = headers.get("ratelimit")?;
    let field = |name: &str| {
        let of_name = |part: &str| {
            let (own, value) = part.split_once('=')?;
            own.trim().eq_ignore_ascii_case(name).then(|| number(value))?
        };
        text.split([',', ';']).find_map(of_name)
    };
    (field("remaining")? <= 0.0).then(|| duration(field("reset")?))?
}

/// `RateLimit: "default";r=0;t=30`, of one or more policies.
fn structured(headers: &Headers) -> Option<Duration> {
    let policies = headers.all("ratelimit").flat_map(|text| text.split(','));
    let used_up = policies.filter_map(|policy| {
        let field = |name: &str| {
            policy.split(';').find_map(|part| {
                let (own, value) = part.split_once('=')?;
                (own.trim() == name).then(|| number(value))?
            })
        };
        (field("r")? <= 0.0).then(|| duration(field("t")?))?
    });
    used_up.max()
}

/// `RateLimit-Remaining` and `RateLimit-Reset`, with or without an `X-`: seconds, or a moment in seconds or milliseconds since
/// 1970.
fn separate(headers: &Headers, now: Timestamp) -> Option<Duration> {
    let used_up = ["ratelimit", "x-ratelimit", "x-rate-limit"].into_iter().filter_map(|prefix| {
        let first = |name: &str| number(headers.get(&format!("{prefix}-{name}"))?.split([',', ';']).next()?);
        if first("remaining")? > 0.0 {
            return None;
        }
        let reset = first("reset")?;
        let moment = |milliseconds: f64| Timestamp::from_millisecond(milliseconds as i64).ok();
        match reset {
            reset if reset >= 1e12 => Some(until(moment(reset)?, headers, now)),
            reset if reset >= 1e9 => Some(until(moment(reset * 1e3)?, headers, now)),
            reset => duration(reset),
        }
    });
    used_up.max()
}

/// How long it is until a moment by the service's clock.
fn until(moment: Timestamp, headers: &Headers, now: Timestamp) -> Duration {
    let theirs = headers.get("date").and_then(|date| DateTimeParser::new().parse_timestamp(date.trim()).ok());
    Duration::try_from(moment.duration_since(theirs.unwrap_or(now))).unwrap_or_default()
}

fn seconds(text: &str) -> Option<Duration> {
    duration(number(text)?)
}

/// A number as headers have it: digits, perhaps with a point.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_number.then(|| text.parse().ok())?
}

fn duration(seconds: f64) -> Option<Duration> {
    // What is beyond all measure is cut to the longest pause later.
    Duration::try_from_secs_f64(seconds.min(1e9)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> Headers {
        Headers(all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn retry_after_is_seconds_or_a_moment_by_the_services_own_clock() {
        let said = |all: &[(&str, &str)]| retry_after(&headers(all), now()).map(|wait| wait.as_secs());
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[("retry-after", "30")]), Some(30));
        assert_eq!(said(&[("retry-after", " 0 ")]), Some(0));
        assert_eq!(said(&[("retry-after", "-5")]), None);
        assert_eq!(said(&[("retry-after", "soon")]), None);
        assert_eq!(said(&[("retry-after", "99999999999999999999999")]), Some(3600));
        let at = "Sun, 01 Mar 2026 12:00:20 GMT";
        assert_eq!(said(&[("retry-after", at)]), Some(20));
        // The service's clock is a year ahead.
        let date = ("date", "Mon, 01 Mar 2027 12:00:00 GMT");
        assert_eq!(said(&[("retry-after", "Mon, 01 Mar 2027 12:00:07 GMT"), date]), Some(7));
        assert_eq!(said(&[("retry-after", "Mon, 01 Mar 2027 12:00:07 GMT")]), Some(3600));
        assert_eq!(said(&[("retry-after", at), date]), Some(0));
    }

    #[test]
    fn a_limit_is_used_up_where_nothing_remains() {
        let said = |all: &[(&str, &str)]| used_up(&headers(all), now()).map(|wait| wait.as_secs());
        assert_eq!(said(&[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "30")]), None);
        assert_eq!(said(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")]), Some(31));
        assert_eq!(said(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "5")]), Some(6));
        assert_eq!(said(&[("x-rate-limit-remaining", "0, 0;w=3600"), ("x-rate-limit-reset", "7")]), Some(8));
        assert_eq!(said(&[("x-ratelimit-remaining", "0")]), None);
        let moment = now().as_second() + 40;
        let in_milliseconds = format!("{moment}123");
        for reset in [moment.to_string(), in_milliseconds] {
            assert_eq!(said(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)]), Some(41));
        }
        let date = ("date", "Sun, 01 Mar 2026 12:00:30 GMT");
        assert_eq!(
            said(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &moment.to_string()), date]),
            Some(11)
        );
        assert_eq!(said(&[("ratelimit", "limit=100, remaining=0, reset=50")]), Some(51));
        assert_eq!(said(&[("ratelimit", "limit=100, remaining=1, reset=50")]), None);
        assert_eq!(said(&[("ratelimit", r#""burst";r=9;t=2, "daily";r=0;t=900"#)]), Some(901));
        assert_eq!(said(&[("ratelimit", r#""default";r=50;t=30"#)]), None);
        assert_eq!(said(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "999999999")]), Some(3600));
        assert_eq!(said(&[("x-ratelimit-remaining", "none"), ("x-ratelimit-reset", "1")]), None);
    }
}
