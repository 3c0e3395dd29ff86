//! Rows that are committed late arrive; and each of the two nets that catch them is needed.

use std::time::Duration;

use super::trial::{Outcome, Trial};
use crate::support::ground::{Ground, tests_on};

async fn late_rows_arrive(ground: Ground, seed: u64) {
    // A run into the double takes longer, and while it is written there must be several.
    let lasts = if ground.is_redshift() { Duration::from_secs(12) } else { Trial::SHORT.lasts };
    let outcome = Trial { ground, seed, lasts, ..Trial::SHORT }.loses_nothing().await;
    assert!(outcome.late_rows > 0, "seed {seed}: nothing was late: the writers are too tame");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_committed_late_arrive_seed_1() {
    late_rows_arrive(Ground::Postgres, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_committed_late_arrive_seed_2() {
    late_rows_arrive(Ground::Postgres, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_committed_late_arrive_seed_3() {
    late_rows_arrive(Ground::Postgres, 3).await;
}

async fn rows_that_are_committed_late_arrive(ground: Ground) {
    late_rows_arrive(ground, 1).await;
}

tests_on!(by_data_api DataApi: rows_that_are_committed_late_arrive);
tests_on!(by_wire Wire: rows_that_are_committed_late_arrive);

/// Nothing is read twice, so each late row is one that the comparison found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_window_too_short_misses_the_comparison_finds() {
    let trial = Trial { seed: 4, overlap: "0s", compare_every_seconds: Some(1), ..Trial::SHORT };
    let outcome = trial.loses_nothing().await;
    assert!(outcome.late_rows > 0, "nothing was missed: the writers are too tame");
}

/// Single identities and times are drawn in the order of time, so the window alone holds them. Identities
/// drawn fifty at once are older than any window, and what is deleted has no cursor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_longer_than_any_transaction_catches_what_is_drawn_in_order() {
    let trial = Trial {
        seed: 5,
        lasts: Duration::from_secs(8),
        delay_max: Duration::from_secs(1),
        overlap: "4s",
        compare_every_seconds: None,
        ..Trial::SHORT
    };
    let outcome = trial.run().await;
    assert!(outcome.late_rows > 0, "nothing was late: the writers are too tame");
    for table in ["events_1", "clicks"] {
        assert!(!outcome.differences.contains_key(table), "seed {}: {outcome}", trial.seed);
    }
    assert!(outcome.differences.contains_key("orders"), "what was deleted went without a comparison");
}

/// What the two nets are for: without them rows are lost, of every kind of cursor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_overlap_and_comparison_rows_are_lost() {
    let mut last = Outcome::default();
    for seed in 6..=10 {
        let trial = Trial { seed, overlap: "0s", compare_every_seconds: None, ..Trial::SHORT };
        last = trial.run().await;
        let lost = |table| last.differences.get(table).is_some_and(|difference| difference.is_missing());
        if ["events_1", "events_50", "clicks"].into_iter().all(lost) {
            return;
        }
    }
    panic!("not every table lost a row: the writers are too tame: {last}");
}

/// The long form, a minute of writing a seed: `scripts/test.sh --run-ignored only -E 'test(twenty_seeds)'`. Odd
/// seeds have a window shorter than the longest delay.
mod twenty_seeds {
    use super::super::trial::{Trial, tests_of_a_minute};
    use crate::support::ground::Ground;

    async fn nothing_is_lost(ground: Ground, seed: u64) {
        let outcome = Trial { ground, ..Trial::of_a_minute(seed) }.loses_nothing().await;
        assert!(outcome.late_rows > 0, "seed {seed}: nothing was late");
    }

    tests_of_a_minute! { nothing_is_lost:
        seed_100 100, seed_101 101, seed_102 102, seed_103 103, seed_104 104, seed_105 105, seed_106 106,
        seed_107 107, seed_108 108, seed_109 109, seed_110 110, seed_111 111, seed_112 112, seed_113 113,
        seed_114 114, seed_115 115, seed_116 116, seed_117 117, seed_118 118, seed_119 119,
    }

    tests_of_a_minute! { nothing_is_lost on DataApi:
        seed_120_by_data_api 120, seed_121_by_data_api 121, seed_122_by_data_api 122, seed_123_by_data_api 123,
    }

    tests_of_a_minute! { nothing_is_lost on Wire:
        seed_124_by_wire 124, seed_125_by_wire 125, seed_126_by_wire 126, seed_127_by_wire 127,
    }
}
