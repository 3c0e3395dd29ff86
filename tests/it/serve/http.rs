//! What is answered, to whom.

use super::{project, service::Service};

/// What is there whether or not the control database is.
const ALWAYS: &str = "/api/v1/openapi.json";

const GET: &str = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_loopback_this_machine_may_read_and_nobody_may_act() {
    let project = project("").await;
    let service = Service::start(&project, &[], &[]);
    let index = service.get(ALWAYS).await;
    assert_eq!((index.status, &index.body["openapi"]), (200, &"3.1.0".into()), "{}", index.head);
    for header in [
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(index.head.contains(header), "{header}: {}", index.head);
    }
    assert!(!index.head.contains("access-control"), "{}", index.head);
    let get =
        |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    assert_eq!(service.ask(&get(ALWAYS, "evil.example")).await.status, 421);
    assert_eq!(service.ask(&get("/nothing", "localhost")).await.status, 404);
    let ready = service.until_ready("ready", |answer| answer.status == 200).await;
    assert_eq!(ready.body["role"], "leader", "{:#}", ready.body);
    let short = service.ask(&get("/readyz", "evil.example")).await;
    assert_eq!(short.body, serde_json::json!({ "ready": true }), "what it waits for is for readers");
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        for path in ["/", "/healthz", "/readyz"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            assert_eq!(service.ask(&request).await.status, 405, "{method} {path}");
        }
    }
    let large = "x".repeat(8 << 10);
    let request = format!("{GET}Content-Length: {}\r\n\r\n{large}", large.len());
    assert_eq!(service.ask(&request).await.status, 413);
    let long = format!("{GET}X-Long: {}\r\n\r\n", "x".repeat(64 << 10));
    assert_eq!(service.ask(&long).await.status, 431);
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_loopback_a_token_is_needed() {
    let project = project("").await;
    let everywhere = ["serve", "--listen", "0.0.0.0:0"];
    let refused = project.barncat(&everywhere, &[]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("BARNCAT_TOKEN is not set") && said.contains("openssl rand"), "{said}");
    let short = project.barncat(&everywhere, &[("BARNCAT_TOKEN", "hunter2")]).await;
    let said = String::from_utf8_lossy(&short.stderr).into_owned();
    assert_eq!(short.status.code(), Some(2), "{said}");
    assert!(said.contains("7 characters") && !said.contains("hunter2"), "{said}");
    // The same rules on loopback, where one is set.
    let token = "0123456789abcdef0123456789abcdef";
    let service = Service::start(&project, &[], &[("BARNCAT_TOKEN", token)]);
    let nothing = service.get(ALWAYS).await;
    assert_eq!(nothing.status, 401);
    assert!(nothing.head.contains("www-authenticate: bearer"), "{}", nothing.head);
    let with = |token: &str| format!("{GET}Authorization: Bearer {token}\r\n\r\n");
    assert_eq!(service.ask(&with(token)).await.status, 200);
    assert_eq!(service.ask(&with(&token.replace('f', "e"))).await.status, 401);
    assert_eq!(service.get("/healthz").await.status, 200, "whoever keeps containers alive has none");
    assert!(service.get("/readyz").await.body["role"].is_null());
    // Nobody guesses one.
    let mut last = 0;
    for _ in 0..40 {
        last = service.ask(&with("wrong")).await.status;
    }
    assert_eq!(last, 429);
    assert_eq!(service.ask(&with(token)).await.status, 200, "who has it is not turned away");
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_is_told_to_wait_and_the_health_check_is_not() {
    let project = project("").await;
    let service = Service::start(&project, &[], &[]);
    let address = service.address().await;
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let address = address.clone();
        askers.spawn(async move { flood(&address).await });
    }
    let turned_away: usize = askers.join_all().await.into_iter().sum();
    assert!(turned_away > 0, "nobody was turned away");
    assert_eq!(service.get("/healthz").await.status, 200);
    let check = project.barncat(&["healthcheck", "--listen", &address], &[]).await;
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    assert_eq!(service.stop().await, Some(0));
    let check = project.barncat(&["healthcheck", "--listen", &address], &[]).await;
    assert_eq!(check.status.code(), Some(1), "{check:?}");
}

/// Asks many times over one connection; how often it was turned away.
async fn flood(address: &str) -> usize {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let requests = 150;
    let one = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(one.repeat(requests).as_bytes()).await.expect("it reads");
    stream
        .write_all(one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .expect("it reads");
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.expect("it answers");
    let text = String::from_utf8_lossy(&answers).into_owned();
    assert_eq!(text.matches("HTTP/1.1 ").count(), requests + 1);
    text.matches("HTTP/1.1 429 ").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_half_a_head_or_nothing_keeps_no_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let project = project("").await;
    let service = Service::start(&project, &[], &[]);
    let address = service.address().await;
    let mut slow = tokio::task::JoinSet::new();
    for half in ["", "GET / HTTP/1.1\r\nHost: loc", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        slow.spawn(async move {
            let mut answer = Vec::new();
            tokio::time::timeout(std::time::Duration::from_secs(25), stream.read_to_end(&mut answer))
                .await
                .is_ok()
        });
    }
    assert!(slow.join_all().await.into_iter().all(|closed| closed), "a connection was kept");
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_one_clear_error() {
    let project = project("").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = project.barncat(&["serve", "--listen", &address], &[]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}
