//! The url of a server. Whatever is wrong with it, no error and no place shows its password, and off loopback no url
//! without `sslmode=disable` leads anywhere in the clear.

use std::net::{IpAddr, Ipv6Addr};

use super::{SECRET, fuzz, outcome, pieces};
use crate::{
    pg::{Endpoint, TlsSettings, Url},
    secret::{self, Secret},
};

const TOKENS: &[&str] = &[
    "postgres://",
    "postgresql://",
    "?sslmode=disable",
    "&sslmode=require",
    "sslmode=prefer",
    "host=",
    "hostaddr=10.0.0.1",
    "options=",
    "%40",
    "%00",
    "%2F",
    ":",
    "@",
    "/",
    "?",
    "&",
    "=",
    ",",
    "[::1]",
    "127.0.0.1",
    "localhost",
    ":5432",
    "#",
    "sslrootcert=",
    "sslcert=",
    "password=",
    "user=",
];

#[test]
fn url() {
    fuzz("url", TOKENS, target);
}

/// A url before its password, and behind it.
fn target(input: &[u8]) -> u64 {
    let [before, behind] = pieces(input);
    let has_it_elsewhere = before.contains(SECRET) || behind.contains(SECRET);
    let url = format!("{before}{SECRET}{behind}");
    let tls = TlsSettings::default();
    let told = match Url::read(&Secret::new(&url), &tls, 5432) {
        Err(error) => format!("{error} {error:?}"),
        Ok(read) => {
            // An address has several spellings: `0::1` is the loopback's, too.
            let is_loopback = match read.host().parse() {
                Ok(IpAddr::V4(address)) => address.octets()[0] == 127,
                Ok(IpAddr::V6(address)) => address == Ipv6Addr::LOCALHOST,
                Err(_) => read.host() == "localhost",
            };
            let is_local = read.host().starts_with('/') || is_loopback;
            assert!(read.is_encrypted() || is_local || url.contains("sslmode="), "{url}");
            if read.is_encrypted() {
                // To read the system's certificates takes longer than all else here.
                return outcome(read.host());
            }
            match Endpoint::of(read, std::path::Path::new("/nowhere")) {
                Ok(endpoint) => format!("{endpoint:?} {} {}", endpoint.place(), endpoint.database()),
                Err(error) => format!("{error} {error:?}"),
            }
        }
    };
    // It is a password where a name and `:` stand before it and `@` behind it, in the url's first part.
    let user = before.split_once("://").and_then(|(_, user)| user.split_once(':'));
    let is_password = user.is_some_and(|(user, more)| is_plain(user) && is_plain(more))
        && behind.split_once('@').is_some_and(|(more, _)| is_plain(more));
    if is_password && !has_it_elsewhere {
        assert!(!told.contains(SECRET), "{told}");
        assert!(!secret::conceal(&url).contains(SECRET), "{url}");
    }
    outcome(&told)
}

/// Nothing in it ends a login.
fn is_plain(text: &str) -> bool {
    !text.contains(['/', '?', '#', '@', ':', '"', '\'', '<', '>']) && !text.contains(char::is_whitespace)
}
