//! Which addresses may be connected to: none of this machine, of its networks or of its cloud, unless that is allowed.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether an address is one that the whole internet reaches, and no other.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the registry of special addresses (RFC 6890 and what came after it).
fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224.., ..]          // this network, private, loopback, multicast, reserved, broadcast
            | [100, 64..=127, ..]           // shared by a provider's customers; a cloud's metadata too
            | [169, 254, ..]                // link-local: a cloud's metadata
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]            // the protocols' own; examples
            | [192, 88, 99, _]              // 6to4's relays
            | [192, 168, ..]
            | [198, 18 | 19, ..]            // benchmarks
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // These lead to an address of version 4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => within(high, low),
        [0x2002, high, low, ..] => within(high, low),
        // Teredo and other protocols' own, examples.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // All else outside of this is loopback, unique local, link-local, multicast or not given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// A name leads to addresses that may not be asked, and to no other.
#[derive(Debug, thiserror::Error)]
#[error("it leads to an address of a private network")]
pub(super) struct Private;

/// A name leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("its name is not known: {0}")]
pub(super) struct Unknown(String);

/// Looks names up, and answers only what may be connected to: the connection is made to these very addresses, so that a name that
/// shows another one a moment later changes nothing.
pub(super) struct Resolver {
    pub(super) allow_private: bool,
    pub(super) patience: Duration,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_private, patience) = (self.allow_private, self.patience);
        Box::pin(async move {
            let looked_up = tokio::time::timeout(patience, tokio::net::lookup_host((name.as_str(), 0))).await;
            let found: Vec<SocketAddr> = match looked_up {
                Ok(Ok(found)) => found.collect(),
                Ok(Err(error)) => return Err(Unknown(error.to_string()).into()),
                Err(_) => return Err(Unknown("no answer in time".to_owned()).into()),
            };
            let is_empty = found.is_empty();
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| allow_private || is_public(address.ip())).collect();
            match (allowed.is_empty(), is_empty) {
                (true, true) => Err(Unknown("it has no address".to_owned()).into()),
                (true, false) => Err(Private.into()),
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_internet_reaches_is_public() {
        let public = [
            "1.1.1.1",
            "93.184.216.34",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        for text in private {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused() {
        let resolver = |allow_private| Resolver { allow_private, patience: Duration::from_secs(5) };
        let refused = resolver(false).resolve("localhost".parse().unwrap()).await;
        assert!(refused.err().unwrap().is::<Private>());
        assert!(resolver(true).resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
