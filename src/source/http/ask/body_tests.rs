use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::*;

fn expected(media: Media) -> Expected {
    Expected { status: 200, media, bytes_max: 1000, error_when: None }
}

fn headers(all: &[(&str, &str)]) -> Headers {
    Headers(all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn read(media: Media, encoding: &str, body: &[u8]) -> Result<Bytes, Reason> {
    expected(media).read(&headers(&[("content-encoding", encoding)]), Bytes::copy_from_slice(body))
}

#[test]
fn content_types_are_held_against_what_was_asked_for() {
    let look = |media, found: &str| expected(media).look(&headers(&[("content-type", found)]));
    for found in
        ["application/json", "application/json; charset=UTF-8", "application/vnd.api+json", "text/plain", ""]
    {
        assert!(look(Media::Json, found).is_ok(), "{found}");
    }
    assert!(look(Media::Csv, "text/csv; header=present; charset=\"utf-8\"").is_ok());
    assert!(look(Media::Ndjson, "application/x-ndjson").is_ok());
    assert!(matches!(look(Media::Json, "text/html; charset=utf-8"), Err(Reason::Page { .. })));
    for (media, found) in [
        (Media::Json, "image/png"),
        (Media::Json, "text/csv"),
        (Media::Csv, "application/json"),
        (Media::Csv, "text/csv; charset=iso-8859-1"),
        (Media::Json, "application/json; charset=utf-16"),
    ] {
        assert!(matches!(look(media, found), Err(Reason::Media { .. })), "{found}");
    }
    let look = |all| expected(Media::Json).look(&headers(all));
    assert!(matches!(look(&[("content-encoding", "br")]), Err(Reason::Encoding { .. })));
    assert!(look(&[("content-length", "1000")]).is_ok());
    assert!(matches!(look(&[("content-length", "1001")]), Err(Reason::TooLarge { decompressed: false, .. })));
}

#[test]
fn gzip_is_read_to_its_end_and_not_beyond() {
    let body = br#"{"a": [1, 2, 3]}"#;
    let packed = gzip(body);
    assert_eq!(&read(Media::Json, "gzip", &packed).unwrap()[..], body);
    assert_eq!(&read(Media::Json, "", &packed).unwrap()[..], body, "it is seen by its first bytes");
    assert_eq!(
        &read(Media::Json, "gzip", &gzip(&packed)).unwrap()[..],
        body,
        "a file of .gz, compressed once more"
    );
    let two = [gzip(b"[1,"), gzip(b"2]")].concat();
    assert_eq!(&read(Media::Json, "gzip", &two).unwrap()[..], b"[1,2]");
    for cut in 2..packed.len() {
        let error = read(Media::Json, "gzip", &packed[..cut]).unwrap_err();
        assert!(matches!(error, Reason::Gzip { .. }), "{cut}: {error}");
    }
    let trailing = [&packed[..], b"and more"].concat();
    assert!(matches!(
        read(Media::Json, "gzip", &trailing),
        Err(Reason::Gzip { what: "more follows it", .. })
    ));
    let mut damaged = packed.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    assert!(matches!(read(Media::Json, "gzip", &damaged), Err(Reason::Gzip { what: "it is damaged", .. })));
    assert!(matches!(read(Media::Json, "gzip", body), Err(Reason::Gzip { .. })));
    assert!(matches!(read(Media::Json, "gzip", b""), Err(Reason::Gzip { .. })));
}

#[test]
fn a_bomb_is_let_alone_when_it_is_too_large() {
    let bomb = gzip(&vec![b' '; 100_000_000]);
    assert!(bomb.len() < 200_000);
    assert!(matches!(read(Media::Json, "gzip", &bomb), Err(Reason::TooLarge { decompressed: true, .. })));
    // Exactly as much as is allowed is not too much.
    let most = [vec![b' '; 998], b"[]".to_vec()].concat();
    assert_eq!(read(Media::Json, "gzip", &gzip(&most)).unwrap().len(), 1000);
    let more = [vec![b' '; 999], b"[]".to_vec()].concat();
    assert!(read(Media::Json, "gzip", &gzip(&more)).is_err());
}

#[test]
fn a_body_is_what_was_asked_for() {
    assert_eq!(&read(Media::Json, "", b"\xef\xbb\xbf {\"a\": 1}\n").unwrap()[..], b" {\"a\": 1}\n");
    assert!(matches!(read(Media::Json, "", b"\n<!doctype html>"), Err(Reason::Page { .. })));
    assert!(matches!(read(Media::Json, "", b"{\"a\": [1, 2"), Err(Reason::NotWhole { .. })));
    assert!(matches!(read(Media::Json, "", b""), Err(Reason::NotWhole { .. })));
    assert!(matches!(
        read(Media::Json, "", b"{\"a\": 1} x"),
        Err(Reason::Malformed { line: 1, column: 10, .. })
    ));
    assert!(read(Media::Ndjson, "", b"{\"a\": 1}\n\n{\"a\": 2}\r\n").is_ok());
    assert!(matches!(read(Media::Ndjson, "", b"{\"a\": 1}\n{\"a\": "), Err(Reason::NotWhole { .. })));
    assert!(matches!(
        read(Media::Ndjson, "", b"{\"a\": 1}\n{oops}\n"),
        Err(Reason::Malformed { line: 2, .. })
    ));
    assert!(read(Media::Csv, "", b"a,b\n1,2\n").is_ok());
    assert!(matches!(read(Media::Csv, "", b"{\"error\": 1}"), Err(Reason::Media { .. })));
    let empty = Expected { status: 204, ..expected(Media::Json) };
    assert!(empty.read(&headers(&[]), Bytes::new()).is_ok());
}

#[test]
fn an_error_in_a_body_is_one() {
    let expected =
        Expected { error_when: Some(ValuePath::read("$.error").unwrap()), ..expected(Media::Json) };
    let read = |body: &'static [u8]| expected.read(&headers(&[]), Bytes::from_static(body));
    for fine in [
        &b"{\"rows\": []}"[..],
        b"{\"error\": null}",
        b"{\"error\": \"\"}",
        b"{\"error\": false}",
        b"{\"error\": []}",
    ] {
        assert!(read(fine).is_ok());
    }
    let error = read(b"{\"error\": {\"message\": \"card 4711 is unknown\"}}").unwrap_err();
    assert!(matches!(error, Reason::ErrorBody { .. }));
    assert!(!error.to_string().contains("4711"), "{error}");
    assert!(read(b"{\"error\": 17}").is_err());
    // What is beyond a double is JSON, and no error.
    assert!(read(b"{\"rows\": [1e400], \"error\": null}").is_ok());
    let any = Expected { error_when: Some(ValuePath::read("$..error").unwrap()), ..expected.clone() };
    let read = |body: &'static [u8]| any.read(&headers(&[]), Bytes::from_static(body));
    assert!(matches!(read(b"{\"a\": {\"error\": 17}}"), Err(Reason::ErrorBody { .. })));
    assert!(read(b"{\"a\": {\"error\": null}}").is_ok());
    assert!(matches!(read(b"{\"rows\": [1e400]}"), Err(Reason::Unfollowed { .. })));
}
