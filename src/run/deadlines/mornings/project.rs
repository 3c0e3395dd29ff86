//! A random project: its graph, what its tasks usually take, and what is known of that.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::super::forecast::after;
use crate::{
    config::Deadline,
    dag::{Graph, NodeId, drawn},
};

/// Random numbers by a seed: SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(super) fn happens(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// What usual times vary by: a factor around 1, by a standard deviation of its logarithm.
    pub(super) fn factor(&mut self, sigma: f64) -> f64 {
        let normal = (-2.0 * self.between(f64::MIN_POSITIVE, 1.0).ln()).sqrt()
            * (std::f64::consts::TAU * self.share()).cos();
        (sigma * normal).exp()
    }
}

/// How much a task's time varies from night to night.
pub(super) const SIGMA: f64 = 0.2;

/// A project with one deadline.
pub(super) struct Drawn {
    pub(super) graph: Graph,
    /// The task with the deadline.
    pub(super) target: NodeId,
    pub(super) jobs: usize,
    /// What each task takes in the middle, by the tasks' numbers.
    pub(super) true_seconds: Vec<f64>,
    /// What the control database knows of that: medians of five nights.
    pub(super) medians: Vec<f64>,
    /// How much longer than usual the deadline leaves.
    slack: f64,
}

impl Drawn {
    pub(super) fn new(random: &mut Random) -> Self {
        let loads = 5 + random.below(25);
        let models = 4 + random.below(16);
        let mut lines: Vec<String> = (0..loads).map(|n| format!("load raw.l{n:02}")).collect();
        for model in 0..models {
            let mut needs: Vec<String> = (0..1 + random.below(3))
                .map(|_| match model > 0 && random.happens(0.5) {
                    true => format!("m{:02}", random.below(model)),
                    false => format!("l{:02}", random.below(loads)),
                })
                .collect();
            needs.sort();
            needs.dedup();
            let deadline = if model + 1 == models { " deadline" } else { "" };
            lines.push(format!("model m.m{model:02}{deadline}: {}", needs.join(", ")));
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let graph = drawn::graph(&lines);
        let target = graph.tasks().find(|task| graph.node(*task).has_deadline).unwrap();
        // Most take some minutes, some an hour.
        let true_seconds: Vec<f64> = graph.tasks().map(|_| 600.0 * random.factor(1.0)).collect();
        let median = |seconds: &f64| {
            let mut nights: Vec<f64> = (0..5).map(|_| seconds * random.factor(SIGMA)).collect();
            nights.sort_by(f64::total_cmp);
            nights[2]
        };
        let medians = true_seconds.iter().map(median).collect();
        let (jobs, slack) = (2 + random.below(4), random.between(1.3, 2.5));
        Self { graph, target, jobs, true_seconds, medians, slack }
    }

    /// Each night at half past midnight: before the clock is changed.
    pub(super) fn starts_at(&self, date: Date, zone: &TimeZone) -> Timestamp {
        date.at(0, 30, 0, 0).to_zoned(zone.clone()).unwrap().timestamp()
    }

    /// By an ordinary night, rounded up to five minutes; at noon at the latest, for which a night still counts.
    pub(super) fn deadline(&self) -> Deadline {
        let begin =
            jiff::civil::date(2026, 1, 15).at(0, 30, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let night = super::night::Night::ordinary(self);
        let usual = night.ends(self, begin)[self.target.index()].unwrap().end;
        let seconds = usual.duration_since(begin).as_secs_f64() * self.slack;
        let at = after(begin, ((seconds / 300.0).ceil() * 300.0).min(11.5 * 3600.0));
        Deadline::daily(at.to_zoned(TimeZone::UTC).time())
    }
}
