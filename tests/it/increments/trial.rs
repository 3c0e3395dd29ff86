//! One trial: the writers write, barncat loads in a loop meanwhile, and then the two ends are compared
//! row by row.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_postgres::Client;

use super::writers::{Dice, SOURCE, TABLES, Writers};
use crate::support::{
    connect,
    ground::{Ground, Scene},
    project::{INTO, Project},
    wait_until_replayed,
};

/// How a trial goes.
#[derive(Clone, Copy)]
pub(super) struct Trial {
    /// Where the rows go.
    pub(super) ground: Ground,
    /// Decides what the writers write, and which runs are killed where.
    pub(super) seed: u64,
    /// For how long is written.
    pub(super) lasts: Duration,
    /// The longest time from a transaction's statements to its COMMIT.
    pub(super) delay_max: Duration,
    pub(super) overlap: &'static str,
    /// In seconds; `None` is `off`.
    pub(super) compare_every_seconds: Option<u64>,
    /// Every other run is killed at some fail point.
    pub(super) kills: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// By table; none for tables that are equal.
    pub(super) differences: BTreeMap<&'static str, Difference>,
    /// Rows that were caught below the watermark.
    pub(super) late_rows: u64,
    pub(super) runs: u32,
    /// At which points runs were killed.
    pub(super) killed_at: Vec<String>,
}

/// After so many runs none is waited for any more that is killed.
const RUNS_MAX: u32 = 30;

impl Trial {
    /// A window that reaches further than any transaction lasts, and comparisons now and then.
    pub(super) const SHORT: Self = Self {
        ground: Ground::Postgres,
        seed: 1,
        lasts: Duration::from_secs(6),
        delay_max: Duration::from_secs(2),
        overlap: "3s",
        compare_every_seconds: Some(3),
        kills: false,
    };

    /// The long form. An odd seed's window is shorter than the longest delay.
    pub(super) const fn of_a_minute(seed: u64) -> Self {
        Self {
            ground: Ground::Postgres,
            seed,
            lasts: Duration::from_secs(60),
            delay_max: Duration::from_secs(5),
            overlap: if seed.is_multiple_of(2) { "6s" } else { "1s" },
            compare_every_seconds: Some(10),
            kills: false,
        }
    }

    fn loaders(&self) -> String {
        let compare_every =
            self.compare_every_seconds.map_or_else(|| "off".to_owned(), |seconds| format!("{seconds}s"));
        format!(
            "[defaults]\noverlap = \"{}\"\ncompare_every = \"{compare_every}\"\nshrink_limit = \"100 %\"\n[tables]\n\
             events_1 = {{ strategy = \"append\", cursor = \"id\" }}\n\
             events_50 = {{ strategy = \"append\", cursor = \"id\" }}\n\
             clicks = {{ strategy = \"append\", cursor = \"created_at\" }}\n\
             orders = {{ strategy = \"merge\", cursor = \"updated_at\", deletes = \"detect\" }}\n",
            self.overlap
        )
    }

    /// Does it, and says what came of it.
    pub(super) async fn run(self) -> Outcome {
        let project = Scene::on(self.ground, SOURCE, &self.loaders()).await;
        project.run(&[]).await;
        let writers = Writers::start(self.seed, project.source.name(), self.lasts, self.delay_max);
        let (until, mut dice) = (Instant::now() + self.lasts, Dice::of(self.seed));
        let (mut outcome, mut points) = (Outcome::default(), BTreeSet::new());
        // On a machine that is busy with other things the writers are done before the second run begins.
        let is_enough = |outcome: &Outcome| {
            outcome.runs > 1 && (!self.kills || !outcome.killed_at.is_empty() || outcome.runs > RUNS_MAX)
        };
        while Instant::now() < until || !is_enough(&outcome) {
            outcome.runs += 1;
            if self.kills && outcome.runs % 2 == 0 {
                outcome.killed_at.extend(kill(&project, &points, &mut dice).await);
            } else {
                outcome.late_rows += listed(&project, &mut points).await;
            }
        }
        let written = writers.stopped().await;
        wait_until_replayed().await;
        let due = Duration::from_secs(self.compare_every_seconds.unwrap_or(0)) + Duration::from_millis(100);
        tokio::time::sleep(due).await;
        outcome.late_rows += late_rows(&project.run(&[]).await);
        outcome.differences = differences(&project).await;
        eprintln!("{:?}, seed {}: {written:?}, {outcome}", self.ground, self.seed);
        outcome
    }

    /// Does it, and fails unless source and warehouse are equal in the end.
    pub(super) async fn loses_nothing(self) -> Outcome {
        let outcome = self.run().await;
        assert!(outcome.differences.is_empty(), "seed {}: {outcome}", self.seed);
        outcome
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs, {} late rows", self.runs, self.late_rows)?;
        if !self.killed_at.is_empty() {
            write!(f, ", killed at {}", self.killed_at.join(", "))?;
        }
        for (table, difference) in &self.differences {
            write!(f, "\n  {table}: {difference}")?;
        }
        Ok(())
    }
}

/// A run that must go well: its late rows. Notes which fail points it passed.
async fn listed(project: &Project, points: &mut BTreeSet<String>) -> u64 {
    let output = project.barncat(&["run", "--output", "json"], &[("BARNCAT_FAILPOINTS", "list")]).await;
    let told = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{told}");
    points.extend(told.lines().filter_map(|line| line.strip_prefix("fail point: ")).map(str::to_owned));
    late_rows(&serde_json::from_slice(&output.stdout).expect("stdout is one JSON object"))
}

/// A run that is killed at a random point: which one, if it came by there.
async fn kill(project: &Project, points: &BTreeSet<String>, dice: &mut Dice) -> Option<String> {
    let place = usize::try_from(dice.roll(points.len() as u64)).expect("there are few");
    let point = points.iter().nth(place).expect("the roll is below their number");
    let output = project.barncat(&["run"], &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))]).await;
    // Not every run passes every point.
    let is_killed = output.status.signal() == Some(9);
    assert!(is_killed || output.status.success(), "{point}: {output:?}");
    is_killed.then(|| point.clone())
}

fn late_rows(outcome: &Value) -> u64 {
    let tasks = outcome["tasks"].as_array().expect("a run has tasks");
    tasks.iter().filter_map(|task| task["late_rows"].as_u64()).sum()
}

/// In what a table's two ends differ, by the rows' keys.
#[derive(Debug)]
pub(super) struct Difference {
    missing: Vec<String>,
    extra: Vec<String>,
    changed: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("missing", &self.missing), ("extra", &self.extra), ("changed", &self.changed)];
        for (kind, keys) in kinds.iter().filter(|(_, keys)| !keys.is_empty()) {
            let first: Vec<&str> = keys.iter().take(20).map(String::as_str).collect();
            write!(f, "{} {kind} ({}) ", keys.len(), first.join(" "))?;
        }
        Ok(())
    }
}

/// One ignored test a seed: each ends within the time that a test has, and tells its seed by its name.
macro_rules! tests_of_a_minute {
    ($test:ident: $($name:ident $seed:literal),* $(,)?) => {
        $crate::increments::trial::tests_of_a_minute! { $test on Postgres: $($name $seed),* }
    };
    ($test:ident on $ground:ident: $($name:ident $seed:literal),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "takes more than a minute"]
            async fn $name() {
                $test($crate::support::ground::Ground::$ground, $seed).await;
            }
        )*
    };
}
pub(super) use tests_of_a_minute;

async fn differences(project: &Project) -> BTreeMap<&'static str, Difference> {
    let (source, warehouse) = (connect("BARNCAT_REPLICA_ADMIN_URL").await, project.database.connect().await);
    let mut found = BTreeMap::new();
    for table in TABLES.iter().copied() {
        let here = rows(&source, project.source.name(), table).await;
        let there = rows(&warehouse, INTO, table).await;
        assert!(here.len() >= 300 || table == "orders", "{table}: the writers' rows are not in the source");
        if here != there {
            found.insert(table, Difference::between(&here, &there));
        }
    }
    found
}

impl Difference {
    /// Whether the warehouse lacks rows.
    pub(super) fn is_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    fn between(here: &BTreeMap<String, String>, there: &BTreeMap<String, String>) -> Self {
        let not_in = |these: &BTreeMap<String, String>, those: &BTreeMap<String, String>| {
            these.keys().filter(|key| !those.contains_key(*key)).cloned().collect()
        };
        let is_changed = |(key, row): (&String, &String)| {
            there.get(key).is_some_and(|other| other != row).then(|| key.clone())
        };
        Self {
            missing: not_in(here, there),
            extra: not_in(there, here),
            changed: here.iter().filter_map(is_changed).collect(),
        }
    }
}

/// A table's rows as texts, by their keys.
async fn rows(client: &Client, schema: &str, table: &str) -> BTreeMap<String, String> {
    let sql = format!("SELECT id::text, t::text FROM \"{schema}\".{table} t");
    let rows = client.query(&sql, &[]).await.expect("the table is there");
    let count = rows.len();
    let rows: BTreeMap<_, _> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows.len(), count, "{schema}.{table}: a key is there twice");
    rows
}
