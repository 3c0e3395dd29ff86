//! What a service says of its limits is heeded by all who ask it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use barncat::{
    load::SharedAllowance,
    source::http::{Ask, Options},
};

use super::{ask, asker, asker_within, get, limits, options};
use crate::support::hostile::{Does, Hostile};

fn used_up(seconds: u32) -> Does {
    let headers = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", seconds.to_string())];
    Does::With(headers, "[]".to_owned())
}

/// From the first request to the second.
fn between(service: &Hostile) -> Duration {
    let seen = service.seen();
    seen[1].at.duration_since(seen[0].at)
}

#[tokio::test]
async fn where_nothing_remains_the_next_request_waits_for_the_reset() {
    let service = Hostile::start().await;
    service.on("/x", [used_up(1), Does::Json("[]".to_owned())]);
    let asker = asker(options(&service));
    for _ in 0..2 {
        ask(&asker, &get("/x")).await.unwrap();
    }
    assert!(between(&service) >= Duration::from_secs(1), "{:?}", between(&service));
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let service = Hostile::start().await;
    let later = Does::StatusWith(503, vec![("retry-after", "1".to_owned())]);
    service.on("/x", [later, Does::Json("[]".to_owned())]);
    let asker = asker(Options { attempts: 2, ..options(&service) });
    assert_eq!(ask(&asker, &get("/x")).await.unwrap().tries, 2);
    assert!(between(&service) >= Duration::from_secs(1), "{:?}", between(&service));
}

#[tokio::test]
async fn other_processes_wait_for_the_reset_too() {
    let schema = limits::fresh_schema();
    let windows = [vec![], vec![limits::sliding(Duration::from_secs(1), 50)]];
    for of_the_other in windows {
        let service = Hostile::start().await;
        service.on("/x", [used_up(1), Does::Json("[]".to_owned())]);
        let name = service.host();
        let process = async |windows| {
            let control = limits::open(&schema).await;
            let allowance = SharedAllowance::new(control, &name, limits::of(windows));
            asker_within(options(&service), Arc::new(allowance))
        };
        let (one, other) = (process(vec![]).await, process(of_the_other).await);
        ask(&one, &get("/x")).await.unwrap();
        ask(&other, &get("/x")).await.unwrap();
        assert!(between(&service) >= Duration::from_secs(1), "{:?}", between(&service));
    }
}

#[tokio::test]
async fn redirects_at_home_count_as_well() {
    let service = Hostile::start().await;
    service.on("/x", [Does::Redirect(302, "/y".to_owned())]);
    service.on("/y", [Does::Json("[]".to_owned())]);
    let control = limits::open(&limits::fresh_schema()).await;
    let window = Duration::from_secs(2);
    let allowance = SharedAllowance::new(control, "fx", limits::of(vec![limits::sliding(window, 3)]));
    let asker = asker_within(options(&service), Arc::new(allowance));
    let began = Instant::now();
    for _ in 0..2 {
        asker.ask(&get("/x"), barncat::event::Tier::Optional).await.unwrap();
    }
    assert_eq!(service.seen().len(), 4);
    assert!(service.most_within(window) <= 3);
    assert!(began.elapsed() >= window, "the fourth waits");
}
