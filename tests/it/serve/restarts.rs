//! Containers that come and go.

use std::time::Duration;

use super::{MARK, assert_each_tick_ran_once, control, project, service::Service, ticks, until};

/// How often a service is replaced.
const RESTARTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_and_rolling_restarts_run_each_tick_once() {
    let project = project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await;
    let start = || Service::start(&project, &["--stop-timeout", "5s"], &[]);
    let mut services = std::collections::VecDeque::from([start(), start()]);
    let mut seed = 7_u64;
    for restart in 0..RESTARTS {
        // Anywhere in a run, and between two.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(200 + seed % 700)).await;
        let old = services.pop_front().expect("there are two");
        services.push_back(start());
        match restart % 2 {
            0 => old.kill().await,
            _ => {
                // A signal that comes before the process listens for it ends it as it does any other.
                old.address().await;
                assert_eq!(old.stop().await, Some(0));
            }
        }
    }
    // The two that are left go on, however little was done in between on a busy machine.
    let before = ticks(&project, "hot", "succeeded").await;
    until("it goes on", async || ticks(&project, "hot", "succeeded").await >= before + 3).await;
    for service in services {
        assert_eq!(service.stop().await, Some(0));
    }
    let last = start();
    last.address().await;
    until("nothing is left", async || ticks(&project, "hot", "open").await == 0).await;
    assert_eq!(last.stop().await, Some(0));
    assert_each_tick_ran_once(&project).await;
    // None is lost: what nobody was there for is counted at the tick that was made up for.
    let missed = control(
        &project,
        "SELECT 'x' FROM (SELECT extract(epoch FROM max(tick) - min(tick))::bigint + 1 AS all_of_them,
             count(*) + sum(passed_over) FILTER (WHERE tick > (SELECT min(tick) FROM control.ticks)) AS known
         FROM control.ticks) t WHERE known <> all_of_them",
    )
    .await;
    assert!(missed.is_empty(), "ticks are missing");
}
