//! One service leads; another takes over when it dies, or stands still.

use std::time::{Duration, Instant};

use super::{MARK, assert_each_tick_ran_once, project, service::Service, ticks, until};

/// The promise.
const WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_dies_or_stands_still_is_replaced_and_starts_nothing_when_it_wakes() {
    let project = project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await;
    let first = Service::start(&project, &[], &[]);
    first.until_it_leads().await;
    let second = Service::start(&project, &[], &[]);
    second.until_ready("on standby", |answer| answer.body["role"] == "standby" && answer.status == 200).await;
    let third = Service::start(&project, &[], &[]);
    third.until_ready("on standby", |answer| answer.body["role"] == "standby").await;
    // Dead, and its connections gone.
    let died_at = Instant::now();
    first.kill().await;
    until("another one leads", async || leads(&second).await || leads(&third).await).await;
    assert!(died_at.elapsed() < WITHIN, "{:?}", died_at.elapsed());
    let (leader, other) = if leads(&second).await { (second, third) } else { (third, second) };
    // It hangs, and its connections stay.
    let stopped_at = Instant::now();
    leader.send("STOP");
    other.until_it_leads().await;
    assert!(stopped_at.elapsed() < WITHIN, "{:?}", stopped_at.elapsed());
    let before = ticks(&project, "hot", "succeeded").await;
    until("it runs the ticks", async || ticks(&project, "hot", "succeeded").await > before).await;
    leader.send("CONT");
    leader.until_ready("on standby", |answer| answer.body["role"] == "standby").await;
    for service in [other, leader] {
        assert_eq!(service.stop().await, Some(0));
    }
    // What the one had begun when it stood still, and nobody ended, the next one ends.
    let last = Service::start(&project, &[], &[]);
    // A signal that comes before it listens for signals would end it at once.
    last.until_it_leads().await;
    until("nothing is left", async || ticks(&project, "hot", "open").await == 0).await;
    assert_eq!(last.stop().await, Some(0));
    assert_each_tick_ran_once(&project).await;
}

async fn leads(service: &Service) -> bool {
    service.get("/readyz").await.body["role"] == "leader"
}
