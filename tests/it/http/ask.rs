//! What the asker makes of each behaviour: the right answer, or a clear error, and never a wait without an end.

use std::time::{Duration, Instant};

use barncat::{
    error::Class,
    source::http::{AskError, Media, Options, Request, Scope, records::ValuePath},
};

use super::{ask, asker, get, options, said};
use crate::support::hostile::{Does, Hostile};

/// What comes of it.
pub(super) enum Comes {
    /// The answer, after so many tries.
    Right(u32),
    /// An error in these words.
    Wrong(Class, Scope, &'static str),
}

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) script: Vec<Does>,
    options: fn(&mut Options),
    pub(super) media: Media,
    pub(super) comes: Comes,
}

const TEXT: &str = r#"{"data": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}"#;

fn text() -> String {
    TEXT.to_owned()
}

fn right(name: &'static str, does: Does) -> Case {
    Case { name, script: vec![does], options: |_| {}, media: Media::Json, comes: Comes::Right(1) }
}

fn wrong(name: &'static str, does: Does, class: Class, scope: Scope, words: &'static str) -> Case {
    Case { comes: Comes::Wrong(class, scope, words), ..right(name, does) }
}

fn passing(name: &'static str, does: Does, words: &'static str) -> Case {
    wrong(name, does, Class::Passing, Scope::Service, words)
}

fn lasting(name: &'static str, does: Does, words: &'static str) -> Case {
    wrong(name, does, Class::Lasting, Scope::Request, words)
}

/// Of the same words, but for this request alone.
fn of_request(case: Case) -> Case {
    scoped(case, Scope::Request)
}

fn of_service(case: Case) -> Case {
    scoped(case, Scope::Service)
}

fn scoped(case: Case, scope: Scope) -> Case {
    match case.comes {
        Comes::Wrong(class, _, words) => Case { comes: Comes::Wrong(class, scope, words), ..case },
        Comes::Right(_) => case,
    }
}

/// Given up soon.
fn hasty(case: Case) -> Case {
    fn set(options: &mut Options) {
        options.read_timeout = Duration::from_millis(1500);
        options.connect_timeout = Duration::from_millis(2000);
        options.answer_timeout = Duration::from_millis(5000);
    }
    Case { options: set, ..case }
}

/// Tried four times.
fn tried(name: &'static str, script: Vec<Does>, tries: u32) -> Case {
    let mut case = right(name, Does::Empty);
    (case.script, case.comes) = (script, Comes::Right(tries));
    case.options = |options| options.attempts = 4;
    case
}

#[rustfmt::skip]
pub(super) fn cases() -> Vec<Case> {
    let every = Duration::from_millis(50);
    vec![
        right("json", Does::Json(text())),
        right("plain text", Does::Text("text/plain; charset=utf-8", text())),
        right("gzip", Does::Gzip(text())),
        right("chunked", Does::Chunked(text())),
        right("chunked gzip", Does::ChunkedGzip(text())),
        right("gzip that is not said", Does::GzipUnsaid(text())),
        right("gzip in two", Does::GzipInTwo(text())),
        right("a byte order mark", Does::WithBom(text())),
        right("no content type", Does::WithoutType(text())),
        right("until it closes", Does::UntilClose(text())),
        right("100 Continue first", Does::Continued(text())),
        right("late, and in time", Does::Late(Duration::from_millis(300), text())),
        tried("500 in a burst", vec![Does::Status(500), Does::Status(502), Does::Status(503), Does::Json(text())], 4),
        tried("429 without a word", vec![Does::Status(429), Does::Json(text())], 2),
        tried("429 with Retry-After", vec![Does::StatusWith(429, vec![("retry-after", "1".to_owned())]), Does::Json(text())], 2),
        tried("408, 425, 504", vec![Does::Status(408), Does::Status(425), Does::Status(504), Does::Json(text())], 4),
        tried("a reset, a cut, then well", vec![Does::ResetAtOnce, Does::CutBody(text()), Does::Json(text())], 3),
        tried("cut JSON, then whole", vec![Does::JsonCut(text()), Does::Json(text())], 2),
        tried("cut gzip, then whole", vec![Does::GzipCut(text()), Does::Gzip(text())], 2),
        of_request(passing("500 for ever", Does::Status(500), "500 Internal Server Error")),
        passing("503 for ever", Does::Status(503), "503 Service Unavailable"),
        passing("429 with a far Retry-After", Does::StatusWith(429, vec![("retry-after", "1800".to_owned())]), "not to be asked again before 2"),
        passing("503 until a moment that a skewed clock shows",
            Does::StatusWith(503, vec![("retry-after", "Fri, 01 Jan 2100 00:30:00 GMT".to_owned()), ("date", "Fri, 01 Jan 2100 00:00:00 GMT".to_owned())]),
            "not to be asked again before 2"),
        passing("Retry-After in a thousand years", Does::StatusWith(429, vec![("retry-after", "Sat, 01 Jan 3025 00:00:00 GMT".to_owned())]), "not to be asked again before 2"),
        lasting("400", Does::Status(400), "400 Bad Request see whether its parameters"),
        lasting("404", Does::Status(404), "404 Not Found see whether its path"),
        lasting("410", Does::Status(410), "410 Gone"),
        lasting("422", Does::Status(422), "422 Unprocessable"),
        of_service(lasting("401", Does::Status(401), "401 Unauthorized see whether the token")),
        of_service(lasting("403", Does::Status(403), "403 Forbidden")),
        lasting("304", Does::Status(304), "304 Not Modified"),
        lasting("302 to nowhere", Does::Status(302), "302 Found"),
        lasting("206", Does::Partial(text()), "206 Partial Content"),
        hasty(passing("hangs", Does::HangBefore, "nothing came for 1.5 s")),
        hasty(passing("hangs in its head", Does::HangInHead, "nothing came for 1.5 s")),
        hasty(passing("hangs in its body", Does::HangInBody(text()), "nothing came for 1.5 s")),
        hasty(passing("drips its head", Does::DripHead(every), "nothing came for 1.5 s")),
        hasty(passing("drips its body", Does::DripBody(TEXT.repeat(9), every), "not whole after 5 s")),
        hasty(passing("continues for ever", Does::EndlessContinue, "")),
        passing("closes at once", Does::CloseAtOnce, "broke off"),
        passing("resets at once", Does::ResetAtOnce, "broke off"),
        passing("resets in its body", Does::ResetInBody(text()), "broke off"),
        passing("cuts its body", Does::CutBody(text()), "broke off"),
        of_request(passing("cuts its body where nothing tells", Does::CutUntilClose(text()), "its JSON ends too early")),
        passing("cuts its chunks", Does::CutChunked(text()), "broke off"),
        passing("no HTTP", Does::NotHttp, "broke off"),
        passing("a chunk without a length", Does::BadChunk(text()), "broke off"),
        passing("two lengths", Does::TwoLengths(text()), "broke off"),
        of_request(passing("a length that is too short", Does::ShortLength(text()), "its JSON ends too early")),
        passing("headers without an end", Does::EndlessHeaders, "broke off"),
        lasting("another protocol", Does::Upgrade, "101 Switching Protocols"),
        lasting("a length that is too long", Does::SaysTooLong, "more than 1000000 bytes ask for smaller pages"),
        lasting("a body without an end", Does::EndlessBody, "more than 1000000 bytes"),
        lasting("a bomb", Does::Bomb, "more than 1000000 bytes decompressed"),
        of_request(passing("gzip that is cut", Does::GzipCut(text()), "it ends too early")),
        of_request(passing("gzip with more behind it", Does::GzipTrailing(text()), "more follows it")),
        of_request(passing("gzip that is damaged", Does::GzipDamaged(text()), "it is damaged")),
        of_request(passing("gzip that is none", Does::GzipNot(text()), "does not begin as gzip does")),
        lasting("brotli", Does::Brotli, "encoded as br"),
        of_service(lasting("a captive portal", Does::Html, "200 OK, with a page of HTML")),
        of_service(lasting("a captive portal that says it is JSON", Does::HtmlAsJson, "200 OK, with a page of HTML")),
        lasting("an image", Does::Image, "image/png instead of JSON"),
        lasting("another charset", Does::Latin1(text()), "charset=iso-8859-1 instead of JSON in UTF-8"),
        of_request(passing("cut JSON", Does::JsonCut(text()), "its JSON ends too early")),
        lasting("bad JSON", Does::JsonBad, "no JSON (line 1, column 16)"),
        of_request(passing("nothing", Does::Empty, "its JSON ends too early")),
        Case {
            options: |options| options.error_when = Some(ValuePath::read("$.error").unwrap()),
            ..lasting("an error in 200", Does::Json(r#"{"error": "customer 4711 is unknown"}"#.to_owned()), "200 OK, with an error at $")
        },
        Case { media: Media::Csv, ..lasting("JSON instead of CSV", Does::Json(text()), "instead of CSV") },
        Case { media: Media::Csv, ..lasting("an error instead of CSV", Does::Text("text/csv", text()), "JSON instead of CSV") },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_behaviour_ends_in_the_right_answer_or_in_a_clear_error() {
    let service = Hostile::start().await;
    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    let began = Instant::now();
    let ask_one = async |(nth, case): (usize, Case)| {
        let path = format!("/{nth}");
        service.on(&path, case.script.clone());
        let mut options = options(&service);
        (case.options)(&mut options);
        let request = Request { media: case.media, ..get(&path) };
        let answer = ask(&asker(options), &request).await;
        match (case.comes, answer) {
            (Comes::Right(tries), Ok(answer)) => {
                assert_eq!(answer.body, TEXT, "{}", case.name);
                assert_eq!(answer.tries, tries, "{}", case.name);
                assert!(answer.asked_at <= answer.answered_at, "{}", case.name);
            }
            (Comes::Wrong(class, scope, words), Err(error)) => {
                let (found, text) = said(&error);
                assert_eq!(found, class, "{}: {text}", case.name);
                assert!(text.contains(words), "{}: {text}", case.name);
                assert!(text.starts_with(&format!("fx: GET {path}: ")), "{}: {text}", case.name);
                let error = AskError::of(&error).expect("the asker's own");
                assert_eq!(error.scope(), scope, "{}: {text}", case.name);
            }
            (Comes::Right(_), Err(error)) => panic!("{}: {}", case.name, said(&error).1),
            (Comes::Wrong(..), Ok(_)) => panic!("{}: it was taken for right", case.name),
        }
    };
    futures_util::future::join_all(cases.into_iter().enumerate().map(ask_one)).await;
    eprintln!("all behaviours in {:?}", began.elapsed());
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_is_told_as_such() {
    let service = Hostile::start().await;
    service.on("/x", [Does::Token("open-sesame", text()), Does::Token("another", text())]);
    let auth = barncat::source::http::Auth::Bearer(barncat::secret::Secret::new("open-sesame"));
    let asker = asker(Options { auth, attempts: 4, ..options(&service) });
    ask(&asker, &get("/x")).await.unwrap();
    let (class, text) = said(&ask(&asker, &get("/x")).await.unwrap_err());
    assert_eq!(class, Class::Lasting);
    assert!(text.contains("401 Unauthorized it was taken before: the token has expired"), "{text}");
    assert_eq!(service.seen().len(), 2, "what lasts is not tried again");
}

#[tokio::test]
async fn nobody_there_is_a_passing_error() {
    let service = Hostile::start().await;
    let mut options = options(&service);
    drop(service);
    options.attempts = 3;
    // The port may be somebody else's by now, but nobody listens at the first one.
    options.url = barncat::secret::Secret::new("http://127.0.0.1:1");
    let error = ask(&asker(options.clone()), &get("/x")).await.unwrap_err();
    let (class, text) = said(&error);
    assert_eq!(class, Class::Passing);
    assert!(text.contains("no connection to 127.0.0.1") && text.contains("(after 3 tries)"), "{text}");
    options.url = barncat::secret::Secret::new("http://nowhere.invalid");
    let (class, text) = said(&ask(&asker(options), &get("/x")).await.unwrap_err());
    assert_eq!(class, Class::Passing);
    assert!(text.contains("no connection to nowhere.invalid: its name is not known"), "{text}");
}

#[tokio::test]
async fn a_post_sends_what_it_was_given_again_and_again() {
    let service = Hostile::start().await;
    service.on("/search", [Does::Status(503), Does::Json(text())]);
    let body = barncat::source::http::Body::Json(serde_json::json!({"after": 17}));
    let request = Request { method: "POST".to_owned(), body: Some(body), ..get("/search") };
    let asker = asker(Options { attempts: 2, ..options(&service) });
    ask(&asker, &request).await.unwrap();
    let fields = vec![("a b".to_owned(), "c&d".to_owned())];
    let body = barncat::source::http::Body::Form(fields);
    ask(&asker, &Request { body: Some(body), ..request }).await.unwrap();
    let seen = service.seen();
    let bodies: Vec<&str> = seen.iter().map(|seen| seen.body.as_str()).collect();
    assert_eq!(bodies, [r#"{"after":17}"#, r#"{"after":17}"#, "a+b=c%26d"]);
    assert_eq!(seen[2].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_request_that_is_given_up_gives_its_connection_back() {
    let service = Hostile::start().await;
    service.on("/hangs", [Does::HangBefore]);
    service.on("/x", [Does::Json(text())]);
    let slots = std::sync::Arc::new(barncat::source::LocalSlots::new(1));
    let allowance = std::sync::Arc::new(barncat::source::http::Unlimited::default());
    let asker = barncat::source::http::Asker::new(options(&service), allowance, slots).unwrap();
    let hangs = get("/hangs");
    let given_up = tokio::time::timeout(Duration::from_millis(300), ask(&asker, &hangs)).await;
    assert!(given_up.is_err());
    assert_eq!(ask(&asker, &get("/x")).await.unwrap().body, TEXT);
}
