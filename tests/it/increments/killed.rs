//! Every other run is killed at a random fail point: nothing is lost by that either.

use std::time::Duration;

use super::trial::Trial;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_runs_that_are_killed_nothing_is_lost_either() {
    let trial = Trial { seed: 21, lasts: Duration::from_secs(8), kills: true, ..Trial::SHORT };
    let outcome = trial.loses_nothing().await;
    assert!(!outcome.killed_at.is_empty(), "no run was killed: {outcome}");
}

/// The long form, a minute of writing a seed: `scripts/test.sh --run-ignored only -E 'test(killed_for_a_minute)'`.
mod killed_for_a_minute {
    use super::super::trial::{Trial, tests_of_a_minute};

    async fn nothing_is_lost(seed: u64) {
        let outcome = Trial { kills: true, ..Trial::of_a_minute(seed) }.loses_nothing().await;
        assert!(outcome.killed_at.len() > 3, "seed {seed}: hardly a run was killed: {outcome}");
    }

    tests_of_a_minute! { nothing_is_lost:
        seed_200 200, seed_201 201, seed_202 202, seed_203 203, seed_204 204, seed_205 205,
    }
}
