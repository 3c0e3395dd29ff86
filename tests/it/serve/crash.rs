//! SIGKILL at every fail point that the service itself passes for a tick: the next one ends it, once.

use std::collections::BTreeSet;

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
        killed_at(&project, &point).await;
    }
    // What is passed where somebody goes on with a tick: when it is left, and taken over.
    for point in ["control.take_tick_over.before", "control.take_tick_over.after"] {
        killed_at(&project, "control.finish_run.before").await;
        killed_at(&project, point).await;
    }
    let last = Service::start(&project, &[], &[]);
    let before = ticks(&project, "hot", "succeeded").await;
    until("it goes on", async || ticks(&project, "hot", "succeeded").await > before + 1).await;
    assert_eq!(last.stop().await, Some(0));
    until("nothing is left", async || ticks(&project, "hot", "open").await == 0).await;
    assert_each_tick_ran_once(&project).await;
}

/// Runs a service until the point kills it; one of its end is passed when it is told to stop.
async fn killed_at(project: &Project, point: &str) {
    let points = format!("{point}=kill");
    let service = Service::start(project, &["--stop-timeout", "2s"], &[("BARNCAT_FAILPOINTS", &points)]);
    if point.contains("leave_ticks") {
        service.until_it_leads().await;
        service.send("TERM");
    }
    assert_eq!(service.end().await, None, "{point} was not passed");
}
