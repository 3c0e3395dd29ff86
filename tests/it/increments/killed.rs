//! Every other run is killed at a random fail point: nothing is lost by that either.

use std::time::Duration;

use super::trial::Trial;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_runs_that_are_killed_nothing_is_lost_either() {
    let trial = Trial { seed: 21, lasts: Duration::from_secs(8), kills: true, ..Trial::SHORT };
    let outcome = trial.loses_nothing().await;
    assert!(!outcome.killed_at.is_empty(), "no run was killed: {outcome}");
}

/// The long form, 5 minutes: `scripts/test.sh --run-ignored only -E 'test(killed_for_a_minute)'`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes 5 minutes"]
async fn killed_for_a_minute_four_times_nothing_is_lost() {
    let mut killed_at = Vec::new();
    for seed in 200..204 {
        let trial = Trial {
            seed,
            lasts: Duration::from_secs(60),
            delay_max: Duration::from_secs(5),
            overlap: "1s",
            compare_every_seconds: Some(10),
            kills: true,
        };
        killed_at.extend(trial.loses_nothing().await.killed_at);
    }
    assert!(killed_at.iter().any(|point| point.starts_with("publish.")), "{killed_at:?}");
}
