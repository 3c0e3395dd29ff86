//! Every other run is killed at a random fail point: nothing is lost by that either.

use std::time::Duration;

use super::trial::Trial;
use crate::support::ground::{Ground, long_tests_on, tests_on};

tests_on!(on_postgres Postgres: with_runs_that_are_killed_nothing_is_lost_either);
tests_on!(by_data_api DataApi: with_runs_that_are_killed_nothing_is_lost_either);
long_tests_on!(by_wire Wire: with_runs_that_are_killed_nothing_is_lost_either);

async fn with_runs_that_are_killed_nothing_is_lost_either(ground: Ground) {
    let trial = Trial { ground, seed: 21, lasts: Duration::from_secs(8), kills: true, ..Trial::SHORT };
    let outcome = trial.loses_nothing().await;
    assert!(!outcome.killed_at.is_empty(), "no run was killed: {outcome}");
}

/// The long form, a minute of writing a seed: `scripts/test.sh --run-ignored only -E 'test(killed_for_a_minute)'`.
mod killed_for_a_minute {
    use super::super::trial::{Trial, tests_of_a_minute};

    use crate::support::ground::Ground;

    async fn nothing_is_lost(ground: Ground, seed: u64) {
        let outcome = Trial { ground, kills: true, ..Trial::of_a_minute(seed) }.loses_nothing().await;
        assert!(outcome.killed_at.len() > 3, "seed {seed}: hardly a run was killed: {outcome}");
    }

    tests_of_a_minute! { nothing_is_lost:
        seed_200 200, seed_201 201, seed_202 202, seed_203 203, seed_204 204, seed_205 205,
    }

    tests_of_a_minute! { nothing_is_lost on DataApi: seed_210_by_data_api 210, seed_211_by_data_api 211 }

    tests_of_a_minute! { nothing_is_lost on Wire: seed_212_by_wire 212, seed_213_by_wire 213 }
}
