//! SIGKILL at every fail point that the service itself passes for a tick: the next one ends it, once.

use std::{collections::BTreeSet, time::Duration};

use super::{MARK, assert_each_tick_ran_once, project, service::Service, ticks, until};
use crate::support::project::Project;

/// What a service passes beyond what any run does.
fn is_its_own(point: &str) -> bool {
    let kinds = ["tick", "keep_schedules", "start_run", "finish_run", "session", "lock.", "serve."];
    kinds.iter().any(|kind| point.contains(kind))
}

async fn scene() -> Project {
    project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_of_a_tick_the_next_service_ends_it_once() {
    let listing = scene().await;
    let service = Service::start(&listing, &[], &[("BARNCAT_FAILPOINTS", "list")]);
    until("a tick ended", async || ticks(&listing, "hot", "succeeded").await > 1).await;
    service.send("TERM");
    service.says("stopped").await;
    let name = |line: serde_json::Value| Some(line.as_str()?.strip_prefix("fail point: ")?.to_owned());
    let points: BTreeSet<String> =
        service.said().into_iter().filter_map(name).filter(|point| is_its_own(point)).collect();
    assert!(points.len() >= 12, "{points:?}");
    for needed in
        ["control.take_tick.after", "control.end_tick.before", "control.leave_ticks.before", "serve.pass"]
    {
        assert!(points.contains(needed), "{points:?}");
    }
    service.end().await;
    let project = scene().await;
    for point in points {
        let killed = Service::start(
            &project,
            &["--stop-timeout", "2s"],
            &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))],
        );
        // What is passed at the end alone is passed now.
        if !ended_within(&killed, Duration::from_millis(2500)).await {
            killed.send("TERM");
        }
        let ended = killed.end().await;
        assert_eq!(ended, None, "{point} was not passed");
    }
    let last = Service::start(&project, &[], &[]);
    let before = ticks(&project, "hot", "succeeded").await;
    until("it goes on", async || ticks(&project, "hot", "succeeded").await > before + 1).await;
    assert_eq!(last.stop().await, Some(0));
    until("nothing is left", async || ticks(&project, "hot", "open").await == 0).await;
    assert_each_tick_ran_once(&project).await;
}

async fn ended_within(service: &Service, time: Duration) -> bool {
    let limit = std::time::Instant::now() + time;
    while std::time::Instant::now() < limit {
        if service.has_ended() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
