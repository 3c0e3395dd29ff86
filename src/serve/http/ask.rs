//! `healthcheck`: whether the service on this machine lives, asked by a container's own health check.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use crate::{
    error::{Class, Failure},
    http::{Call, Http, Method, Patience},
    secret::Secret,
};

/// Asks the service that listens there. `Err`: it does not answer, or is stuck.
pub async fn check_health(listen: SocketAddr) -> Result<(), Failure> {
    let patience = Patience { connect: Duration::from_secs(2), answer: Duration::from_secs(4) };
    let url = Secret::new(format!("http://{}/healthz", reachable(listen)));
    let call = Call {
        method: Method::GET,
        service: "the service",
        url: &url,
        bearer: None,
        headers: &[],
        body: None,
    };
    let hint = Some("is `barncat serve` running, and with the same --listen?".to_owned());
    let answer = Http::new(patience).call(call).await;
    let answer = answer.map_err(|error| Failure { hint, ..Failure::of(&error) })?;
    match answer.is_done() {
        true => Ok(()),
        false => Err(Failure {
            class: Class::Lasting,
            message: format!("the service answered {}: {}", answer.status_in_words(), answer.body),
            hint: Some("its loop does not go on; its log says what it did last".to_owned()),
        }),
    }
}

/// Who listens everywhere is reached at the loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_at_the_loopback() {
        for (listen, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:80", "[::1]:80"), ("10.0.0.7:8080", "10.0.0.7:8080")]
        {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), asked);
        }
    }
}
