//! TLS with servers of Postgres, where somebody stands between. `0x7f000001` is this machine by the resolver's rules and no
//! address of loopback by how it is written, so it is treated as any other host is.

use std::{path::Path, time::Duration};

use barncat::{
    error::{Class, Failure},
    pg::{self, Connection, Endpoint, PgError, TlsSettings},
    secret::Secret,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::support::variable;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

async fn open(url: &str) -> Result<Connection, PgError> {
    let endpoint =
        Endpoint::parse(&Secret::new(url), &TlsSettings::default(), Path::new(".")).expect("a url");
    pg::connect_bare(&endpoint).await
}

/// The real server, which has no TLS, by a name that is not one of loopback's.
fn remote(sslmode: &str) -> String {
    let url = variable("BARNCAT_REPLICA_URL");
    assert!(url.contains("@127.0.0.1:"), "the tests' servers are on loopback");
    format!("{}{sslmode}", url.replace("@127.0.0.1:", "@0x7f000001:"))
}

#[tokio::test]
async fn a_server_without_tls_is_refused_off_loopback_unless_the_url_says_so() {
    for sslmode in ["", "?sslmode=prefer", "?sslmode=allow", "?sslmode=require", "?sslmode=verify-full"] {
        let error = open(&remote(sslmode)).await.err().unwrap_or_else(|| panic!("`{sslmode}` was let down"));
        let failure = Failure::of(&error);
        assert_eq!(failure.class, Class::Lasting, "{sslmode}: {failure:?}");
        assert!(failure.message.contains("TLS"), "{sslmode}: {failure:?}");
        assert!(!failure.message.contains(&variable("BARNCAT_SOURCE_PASSWORD")), "{sslmode}");
    }
    open(&remote("?sslmode=disable"))
        .await
        .expect("who says so is let in, so the server was there all the time");
    open(&variable("BARNCAT_REPLICA_URL")).await.expect("on loopback nothing is asked for");
}

/// Somebody in the middle: answers the first packet with these bytes, and gives what was sent until the connection ended.
async fn between(answer: &'static [u8]) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        let mut heard = vec![0; SSL_REQUEST.len()];
        stream.read_exact(&mut heard).await.expect("it asks for TLS");
        stream.write_all(answer).await.expect("it listens");
        let mut more = [0; 4096];
        // Where there is no answer it waits for one.
        while let Ok(Ok(count @ 1..)) =
            tokio::time::timeout(Duration::from_secs(1), stream.read(&mut more)).await
        {
            heard.extend(&more[..count]);
        }
        heard
    });
    (port, heard)
}

#[tokio::test]
async fn who_stands_between_and_takes_tls_away_hears_neither_password_nor_user() {
    let answers: [&[u8]; 5] = [
        b"N",
        // An old server's error, and one that asks for the password at once.
        b"E\0\0\0\x08SERR\0\0",
        b"R\0\0\0\x08\0\0\0\x03",
        // It agrees, and sends in the clear what would be taken for its first words.
        b"SR\0\0\0\x08\0\0\0\x03",
        b"",
    ];
    for answer in answers {
        for sslmode in ["", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-full"] {
            let (port, heard) = between(answer).await;
            let url = format!("postgres://somebody:hunter2@0x7f000001:{port}/shop{sslmode}");
            let error = open(&url).await.err().unwrap_or_else(|| panic!("{answer:?} {sslmode}"));
            let told = format!("{} {error:?}", Failure::of(&error).message);
            assert!(!told.contains("hunter2"), "{told}");
            let heard = heard.await.expect("it does not panic");
            assert_eq!(heard[..8], SSL_REQUEST, "{answer:?} {sslmode}");
            let holds = |text: &[u8]| heard.windows(text.len()).any(|bytes| bytes == text);
            assert!(!holds(b"hunter2") && !holds(b"somebody"), "{answer:?} {sslmode}");
            // What follows is TLS' first record or nothing.
            assert!(
                heard.len() == 8 || heard[8] == 22 || heard[8] == 21,
                "{answer:?} {sslmode}: {:?}",
                &heard[8..]
            );
        }
    }
}
