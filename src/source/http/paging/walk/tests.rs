use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::source::http::{
    Body, Headers, Media, Target,
    paging::{Parameter, Path, Size},
};

fn request() -> Request {
    let query = vec![("a".to_owned(), "1".to_owned())];
    Request { query, ..Request::get("/items".to_owned(), Media::Json) }
}

fn answer(body: &str) -> Answer {
    Answer {
        status: 200,
        headers: Headers::default(),
        url: "https://api.example/items?a=1".to_owned(),
        body: Bytes::from(body.to_owned()),
        asked_at: Timestamp::UNIX_EPOCH,
        answered_at: Timestamp::UNIX_EPOCH,
        tries: 1,
    }
}

fn path(text: &str) -> Path {
    Path::read(text).expect("it is a path")
}

fn query(name: &str) -> Parameter {
    Parameter::Query(name.to_owned())
}

fn paging(kind: Kind) -> Paging {
    Paging { kind, pages_max: 100, ..Paging::default() }
}

fn by_page(size: u64) -> Paging {
    let size = Some(Size { parameter: Some(query("per_page")), records: size });
    paging(Kind::Page { parameter: query("page"), first: 1, size })
}

/// What is asked after each of some pages: their records and bodies. `None` at the end.
/// What is asked after each page; `None`: nothing.
type Queries = Vec<Option<Vec<(String, String)>>>;

fn asked(paging: &Paging, pages: &[(u64, &str)]) -> Result<Queries, PagingError> {
    let mut walk = Walk::begin(paging, request())?;
    let mut asked = vec![Some(walk.awaited().query.clone())];
    for (records, body) in pages {
        asked.push(match walk.take(&answer(body), *records)? {
            Step::Ask(request) => Some(request.query),
            Step::End => None,
        });
    }
    Ok(asked)
}

fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn pages_are_counted_until_one_is_empty() {
    let paging = by_page(10);
    let page = |page| pairs(&[("a", "1"), ("page", page), ("per_page", "10")]);
    assert_eq!(
        asked(&paging, &[(10, "a"), (7, "b"), (10, "c"), (0, "d")]),
        Ok(vec![page("1"), page("2"), page("3"), page("4"), None]),
        "some services filter what is on a page"
    );
    assert_eq!(asked(&paging, &[(10, "a"), (0, "b")]), Ok(vec![page("1"), page("2"), None]));
    let mut walk = Walk::begin(&paging, request()).unwrap();
    walk.take(&answer("a"), 10).unwrap();
    assert_eq!(walk.nothing(), Ok(Step::End), "or it says that there is no such page");
    let trusting = Paging { short_is_last: true, ..paging };
    assert_eq!(asked(&trusting, &[(5, "a")]), Ok(vec![page("1"), None]));
}

#[test]
fn an_offset_is_what_came_and_not_what_was_asked_for() {
    let size = Some(Size { parameter: None, records: 100 });
    let paging = paging(Kind::Offset { parameter: query("skip"), size });
    let skip = |skip| pairs(&[("a", "1"), ("skip", skip)]);
    assert_eq!(
        asked(&paging, &[(40, "a"), (40, "b"), (7, "c"), (0, "d")]),
        Ok(vec![skip("0"), skip("40"), skip("80"), skip("87"), None])
    );
}

#[test]
fn a_total_ends_the_pages_and_must_be_what_came() {
    let paging = Paging { total: Some(path("$.total")), ..by_page(10) };
    let ends =
        |pages: &[(u64, &str)]| asked(&paging, pages).map(|asked| asked.last().is_some_and(Option::is_none));
    assert_eq!(ends(&[(10, r#"{"total": 12, "p": 1}"#), (2, r#"{"total": 12, "p": 2}"#)]), Ok(true));
    assert_eq!(ends(&[(12, r#"{"total": "12"}"#)]), Ok(true), "no more is asked than is needed");
    let short = ends(&[(10, r#"{"total": 12}"#), (0, r#"{"total": 12, "p": 2}"#)]);
    assert_eq!(short, Err(PagingError::Total { said: 12, came: 10 }));
    let more = ends(&[(13, r#"{"total": 12}"#)]);
    assert_eq!(more, Err(PagingError::Total { said: 12, came: 13 }));
    let shifted = ends(&[(10, r#"{"total": 12}"#), (2, r#"{"total": 11}"#)]);
    assert_eq!(shifted, Err(PagingError::TotalChanged { page: 2, before: 12, now: 11 }));
    assert!(shifted.unwrap_err().is_drift());
    let none = ends(&[(10, r#"{"total": -1}"#)]);
    assert_eq!(none, Err(PagingError::NoNumber { page: 1, path: "$.total".to_owned() }));
}

#[test]
fn with_a_cursor_records_may_come_and_go_meanwhile() {
    let kind = Kind::Cursor { at: path("$.next"), parameter: query("after") };
    let paging = Paging { total: Some(path("$.total")), ..paging(kind) };
    let pages = [(2, r#"{"next": 9007199254740993, "total": 3}"#), (2, r#"{"next": null, "total": 4}"#)];
    let after = pairs(&[("a", "1"), ("after", "9007199254740993")]);
    assert_eq!(asked(&paging, &pages), Ok(vec![pairs(&[("a", "1")]), after, None]));
    let gone = [(2, r#"{"next": "b", "total": 4}"#), (1, r#"{"total": 4}"#)];
    assert_eq!(asked(&paging, &gone), Err(PagingError::Total { said: 4, came: 3 }));
}

#[test]
fn a_service_may_say_that_nothing_follows() {
    let kind = Kind::Cursor { at: path("$.data[-1].id"), parameter: query("starting_after") };
    let paging = Paging { more: Some(path("$.has_more")), ..paging(kind) };
    let pages = [
        (2, r#"{"data": [{"id": "a"}, {"id": "b"}], "has_more": true}"#),
        (1, r#"{"data": [{"id": "c"}], "has_more": false}"#),
    ];
    let after = pairs(&[("a", "1"), ("starting_after", "b")]);
    assert_eq!(asked(&paging, &pages), Ok(vec![pairs(&[("a", "1")]), after, None]));
    // What it says counts more than how long a page is, and must not be untrue.
    let by_page = Paging { more: Some(path("$.more")), ..by_page(10) };
    let filtered = [(10, r#"{"more": true, "p": 1}"#), (0, r#"{"more": true}"#), (10, r#"{"more": false}"#)];
    assert_eq!(asked(&by_page, &filtered).unwrap().len(), 4);
    let nowhere = [(2, r#"{"data": [], "has_more": true}"#)];
    assert_eq!(asked(&paging, &nowhere), Err(PagingError::Promised { page: 1 }));
    let mut walk = Walk::begin(&by_page, request()).unwrap();
    walk.take(&answer(r#"{"more": true}"#), 10).unwrap();
    assert_eq!(walk.nothing(), Err(PagingError::Promised { page: 2 }));
}

#[test]
fn a_cursor_goes_back_in_the_body_as_it_came() {
    let kind = Kind::Cursor { at: path("$.next"), parameter: Parameter::Body("after".to_owned()) };
    let paging = paging(kind);
    let body = Some(Body::Json(json!({"filter": "x"})));
    let mut walk = Walk::begin(&paging, Request { body, ..request() }).unwrap();
    let step = walk.take(&answer(r#"{"next": 7}"#), 1).unwrap();
    let Step::Ask(next) = step else { panic!("a page follows") };
    assert_eq!(next.body, Some(Body::Json(json!({"filter": "x", "after": 7}))));
    let mut without = Walk::begin(&paging, request()).unwrap();
    assert!(matches!(without.take(&answer(r#"{"next": 7}"#), 1), Err(PagingError::NoBody { .. })));
}

#[test]
fn next_urls_are_followed_with_what_stands_in_them() {
    let paging = paging(Kind::Link);
    let mut walk = Walk::begin(&paging, request()).unwrap();
    let linked = |target: &str, body: &str| Answer {
        headers: Headers(vec![("link".to_owned(), format!("<{target}>; rel=\"next\""))]),
        ..answer(body)
    };
    let step = walk.take(&linked("/items?page=2", "a"), 1).unwrap();
    let Step::Ask(next) = step else { panic!("a page follows") };
    assert_eq!(next.target, Target::Url("https://api.example/items?page=2".to_owned()));
    assert!(next.query.is_empty(), "what the first request had stands in the url, where it is to stay");
    let back = walk.take(&linked("?page=2", "b"), 1);
    assert_eq!(back, Err(PagingError::Loop { page: 2 }));
    let mut walk = Walk::begin(&paging, request()).unwrap();
    let elsewhere = walk.take(&linked("https://evil.example/", "a"), 1);
    assert!(matches!(elsewhere, Err(PagingError::Elsewhere { page: 1, .. })), "{elsewhere:?}");
}

#[test]
fn pages_that_repeat_themselves_or_never_end_are_an_error() {
    let paging = by_page(2);
    assert_eq!(asked(&paging, &[(2, "a"), (2, "a")]), Err(PagingError::SameBody { page: 2 }));
    let by_cursor = super::super::Paging {
        pages_max: 3,
        ..self::paging(Kind::Cursor { at: path("$.next"), parameter: query("after") })
    };
    let round = [(1, r#"{"next": "b", "p": 1}"#), (1, r#"{"next": "c"}"#), (1, r#"{"next": "b", "p": 2}"#)];
    let unlimited = Paging { pages_max: 9, ..by_cursor.clone() };
    assert_eq!(asked(&unlimited, &round), Err(PagingError::Loop { page: 3 }));
    let endless = [(1, r#"{"next": "b"}"#), (1, r#"{"next": "c"}"#), (1, r#"{"next": "d"}"#)];
    assert_eq!(asked(&by_cursor, &endless), Err(PagingError::TooMany { pages_max: 3 }));
}

#[test]
fn a_body_that_is_no_json_or_has_something_else_there_is_told() {
    let paging = paging(Kind::Next(path("$.next")));
    assert_eq!(asked(&paging, &[(1, "<html>")]), Err(PagingError::NoJson { page: 1 }));
    let error = asked(&paging, &[(1, r#"{"next": {"url": "x"}}"#)]).unwrap_err();
    assert_eq!(error, PagingError::NotOne { page: 1, path: "$.next".to_owned(), found: "an object" });
}

#[test]
fn a_walk_that_is_given_the_same_answers_again_stands_where_it_stood() {
    let paging = Paging { total: Some(path("$.total")), ..by_page(10) };
    let pages = [(10, r#"{"total": 25, "p": 1}"#), (10, r#"{"total": 25, "p": 2}"#)];
    let walked = || {
        let mut walk = Walk::begin(&paging, request()).unwrap();
        for (records, body) in pages {
            walk.take(&answer(body), records).unwrap();
        }
        walk
    };
    let (one, other) = (walked(), walked());
    assert_eq!(one.awaited(), other.awaited());
    assert_eq!((one.pages(), one.records(), one.total()), (2, 20, Some(25)));
}

#[test]
fn a_field_that_each_page_has_is_not_taken_for_null_where_it_is_missing() {
    let not_there = |path: &str| Err(PagingError::NotThere { page: 1, path: path.to_owned() });
    let total = Paging { total: Some(path("$.total")), ..by_page(10) };
    assert_eq!(asked(&total, &[(10, r#"{"totl": 12}"#)]), not_there("$.total"));
    assert!(
        asked(&total, &[(10, r#"{"total": 12}"#), (2, r#"{"p": 2}"#)]).is_ok(),
        "the first page may say it"
    );
    assert!(asked(&total, &[(0, "{}")]).is_ok(), "nothing is nothing");
    let more = Paging { more: Some(path("$.more")), ..by_page(10) };
    assert_eq!(asked(&more, &[(10, r#"{"has_more": true}"#)]), not_there("$.more"));
    assert_eq!(asked(&more, &[(10, r#"{"more": null}"#)]).unwrap().last(), Some(&None));
}

#[test]
fn pages_that_lead_nowhere_because_no_answer_has_the_field_are_told() {
    let by_cursor = paging(Kind::Cursor { at: path("$.next"), parameter: query("after") });
    let is_unled = |paging: &Paging, pages: &[(u64, &str)]| {
        let mut walk = Walk::begin(paging, request()).unwrap();
        for (records, body) in pages {
            walk.take(&answer(body), *records).unwrap();
        }
        walk.is_unled()
    };
    assert!(is_unled(&by_cursor, &[(2, r#"{"nxt": "b"}"#)]));
    assert!(!is_unled(&by_cursor, &[(2, r#"{"next": null}"#)]));
    assert!(
        !is_unled(&by_cursor, &[(2, r#"{"next": "b"}"#), (2, r#"{"p": 2}"#)]),
        "the last page may leave it out"
    );
    assert!(!is_unled(&by_cursor, &[(0, "{}")]));
    let total = Paging { total: Some(path("$.total")), ..by_cursor };
    assert!(!is_unled(&total, &[(2, r#"{"total": 2}"#)]), "that is all");
    assert!(!is_unled(&by_page(10), &[(2, "a")]));
}

#[test]
fn pages_that_go_round_are_no_new_ones() {
    let pages = [(2, "a"), (2, "b"), (2, "c"), (2, "a")];
    assert_eq!(asked(&by_page(2), &pages), Err(PagingError::SameBody { page: 4 }));
}

#[test]
fn a_broken_link_is_not_the_last_page() {
    let paging = paging(Kind::Link);
    let with =
        |link: &str| Answer { headers: Headers(vec![("link".to_owned(), link.to_owned())]), ..answer("[]") };
    let take = |link: &str| Walk::begin(&paging, request()).unwrap().take(&with(link), 2);
    assert_eq!(take("<https://api.example/items?page=2; rel=\"next\""), Err(PagingError::NoLink { page: 1 }));
    assert_eq!(take("<https://api.example/items?page=1>; rel=\"prev\""), Ok(Step::End));
}
