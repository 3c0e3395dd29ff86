//! Which hosts are asked, and what they are told.

use std::io::Write;

use barncat::{
    error::Class,
    secret::Secret,
    source::http::{AskError, Auth, Body, Options, Request, Scope, Target},
};

use super::{ask, asker, get, options, said};
use crate::support::hostile::{Does, Hostile, Paging, Records, Twist};

const TEXT: &str = r#"{"data": []}"#;

fn text() -> String {
    TEXT.to_owned()
}

async fn fails(options: Options, request: &Request) -> (Class, String) {
    said(&ask(&asker(options), request).await.unwrap_err())
}

#[tokio::test]
async fn who_asks_is_told_to_its_own_host_alone() {
    let (service, other) = (Hostile::start().await, Hostile::start().await);
    service.on("/x", [Does::Redirect(307, format!("{}/y?token=open-sesame", other.url()))]);
    service.on("/own", [Does::Json(text())]);
    other.on("/y", [Does::Redirect(302, format!("{}/z", other.url()))]);
    other.on("/z", [Does::Json(text())]);
    let secret = || Secret::new("open-sesame");
    for auth in [
        Auth::Bearer(secret()),
        Auth::Basic { user: "me".to_owned(), password: secret() },
        Auth::Header { name: "X-Key".to_owned(), value: secret() },
        Auth::Query { name: "token".to_owned(), value: secret() },
    ] {
        let headers = vec![("X-Tenant".to_owned(), secret())];
        let own = Options { auth, headers, redirects: vec![other.host()], ..options(&service) };
        let asker = asker(own);
        let mut request = get("/x");
        request.headers.push(("x-request".to_owned(), "open-sesame".to_owned()));
        let answer = ask(&asker, &request).await.unwrap();
        assert_eq!(answer.url, format!("{}/z", other.url()));
        let answer = ask(&asker, &get("/own")).await.unwrap();
        assert_eq!(answer.url, format!("{}/own?customer=hunter2", service.url()));
    }
    for seen in other.seen() {
        let told = format!("{seen:?}");
        let is_key = seen.path == "/y" && seen.parameter("token").is_some();
        assert!(is_key || !told.contains("open-sesame"), "{told}");
        assert!(!told.contains("b3Blbi1zZXNhbWU") && seen.header("authorization").is_none(), "{told}");
    }
    let seen = service.seen();
    let first = |nth: usize| &seen[2 * nth];
    assert_eq!(first(0).header("authorization"), Some("Bearer open-sesame"));
    assert_eq!(first(1).header("authorization"), Some("Basic bWU6b3Blbi1zZXNhbWU="));
    assert_eq!(first(2).header("x-key"), Some("open-sesame"));
    assert_eq!(first(3).parameter("token"), Some("open-sesame"));
    assert!(seen.iter().all(|seen| seen.header("x-tenant") == Some("open-sesame")));
    assert!(
        seen.iter().all(|seen| seen.header("user-agent").is_some_and(|agent| agent.starts_with("barncat/")))
    );
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused() {
    let (service, other) = (Hostile::start().await, Hostile::start().await);
    service.on("/x", [Does::Redirect(302, format!("{}/y", other.url()))]);
    let (class, text) = fails(options(&service), &get("/x")).await;
    assert_eq!(class, Class::Lasting);
    assert!(
        text.contains(&format!("leads to another host, {} if that host is meant", other.host())),
        "{text}"
    );
    assert!(other.seen().is_empty());
    // So is a next page there.
    let next = Request { target: Target::Url(format!("{}/y", other.url())), ..get("") };
    let error = ask(&asker(options(&service)), &next).await.unwrap_err();
    assert_eq!(AskError::of(&error).map(AskError::scope), Some(Scope::Service));
    assert!(said(&error).1.contains("leads to another host"));
    assert!(other.seen().is_empty());
    // And what is no place of the web at all.
    for nowhere in ["file:///etc/passwd", "gopher://127.0.0.1/", "//", "https:///"] {
        service.on("/nowhere", [Does::Redirect(302, nowhere.to_owned())]);
        assert_eq!(fails(options(&service), &get("/nowhere")).await.0, Class::Lasting, "{nowhere}");
    }
}

#[tokio::test]
async fn redirects_at_home_are_followed_to_an_end() {
    let service = Hostile::start().await;
    service.on("/a", [Does::Redirect(301, "/b?page=2".to_owned())]);
    service.on("/b", [Does::Redirect(308, "c".to_owned())]);
    service.on("/c", [Does::Json(text())]);
    service.on("/loop", [Does::Redirect(302, "/loop".to_owned())]);
    let asker = asker(options(&service));
    let answer = ask(&asker, &get("/a")).await.unwrap();
    assert_eq!((answer.url, answer.tries), (format!("{}/c", service.url()), 1));
    let (class, text) = said(&ask(&asker, &get("/loop")).await.unwrap_err());
    assert_eq!(class, Class::Lasting);
    assert!(text.contains("redirected more than 5 times"), "{text}");
    assert_eq!(service.seen().len(), 3 + 6);
}

#[tokio::test]
async fn what_a_post_sends_is_not_lost_on_the_way() {
    let service = Hostile::start().await;
    for status in [301, 302, 303, 307, 308] {
        service.on(&format!("/{status}"), [Does::Redirect(status, "/there".to_owned())]);
    }
    service.on_each("/there", |seen| Does::Json(format!("[{:?}, {:?}]", seen.method, seen.body)));
    let asker = asker(options(&service));
    let post = |status: u16| Request {
        method: "POST".to_owned(),
        body: Some(Body::Json(serde_json::json!([1]))),
        ..get(&format!("/{status}"))
    };
    for status in [307, 308] {
        assert_eq!(ask(&asker, &post(status)).await.unwrap().body, r#"["POST", "[1]"]"#);
    }
    assert_eq!(ask(&asker, &post(303)).await.unwrap().body, r#"["GET", ""]"#);
    for status in [301, 302] {
        let text = said(&ask(&asker, &post(status)).await.unwrap_err()).1;
        assert!(text.contains("would lose what it sends"), "{text}");
    }
}

#[tokio::test]
async fn private_addresses_are_not_asked_unless_that_is_allowed() {
    let service = Hostile::start().await;
    service.on("/x", [Does::Json(text())]);
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433"] {
        let url = Secret::new(format!("http://{host}:{}", service.port()));
        let own = Options { url, allow_private: false, ..options(&service) };
        let (class, text) = fails(own, &get("/x")).await;
        assert_eq!(class, Class::Lasting, "{text}");
        assert!(text.contains("of this machine or of a private network if it is meant"), "{host}: {text}");
    }
    assert!(service.seen().is_empty());
    let url = Secret::new(format!("http://localhost:{}", service.port()));
    assert!(ask(&asker(Options { url, ..options(&service) }), &get("/x")).await.is_ok());
}

#[tokio::test]
async fn tls_believes_who_it_is_told_to() {
    let (service, certificate) = Hostile::start_with_tls().await;
    let plain = Hostile::start().await;
    service.on("/x", [Does::Json(text())]);
    service.on("/down", [Does::Redirect(302, format!("{}/x", plain.url()))]);
    let url = || Secret::new(format!("https://localhost:{}", service.port()));
    let own = Options { url: url(), attempts: 3, ..options(&service) };
    let (class, text) = fails(own.clone(), &get("/x")).await;
    assert_eq!(class, Class::Lasting, "{text}");
    assert!(text.contains("TLS does not believe localhost") && text.contains("tls = { ca"), "{text}");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(certificate.as_bytes()).unwrap();
    let own = Options { ca: Some(file.path().to_owned()), redirects: vec![plain.host()], ..own };
    assert!(ask(&asker(own.clone()), &get("/x")).await.is_ok());
    let (class, text) = fails(own.clone(), &get("/down")).await;
    assert_eq!(class, Class::Lasting);
    assert!(text.contains("leads from https to http"), "{text}");
    assert!(plain.seen().is_empty());
    // TLS to one that has none.
    let url = Secret::new(format!("https://127.0.0.1:{}", plain.port()));
    let connect_timeout = std::time::Duration::from_millis(500);
    let (class, text) = fails(Options { url, connect_timeout, attempts: 1, ..own }, &get("/x")).await;
    assert_eq!(class, Class::Passing);
    assert!(text.contains("no connection to 127.0.0.1: it took too long"), "{text}");
}

#[tokio::test]
async fn pages_are_found_by_what_the_service_gives() {
    let service = Hostile::start().await;
    for (paging, path) in [(Paging::Next, "/next"), (Paging::Link, "/link")] {
        service.on_records(path, Records { total: 25, size: 10, paging, twist: Twist::None });
    }
    let asker = asker(options(&service));
    for path in ["/next", "/link"] {
        let mut request = get(path);
        let mut ids = Vec::new();
        loop {
            let answer = ask(&asker, &request).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            ids.extend(body["data"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()));
            let link = answer.headers.get("link").map(|link| link.trim_matches(['<', '>']));
            let link = link.and_then(|link| link.split('>').next());
            let Some(next) = body["next_url"].as_str().or(link) else { break };
            request = Request { target: Target::Url(next.to_owned()), query: vec![], ..get("") };
        }
        assert_eq!(ids, (0..25).collect::<Vec<u64>>(), "{path}");
    }
}
