//! Schemas that change while tables are loaded again and again: one table is rebuilt, the others are not,
//! the history says why, and readers see one whole state after another.

use std::collections::BTreeMap;

use serde_json::Value;

use super::readers::{Readers, State};
use crate::support::{
    ground::{self, Ground, long_tests_on, tests_on},
    project::INTO,
};

tests_on!(on_postgres Postgres: a_change_rebuilds_one_table_and_readers_go_on, a_table_that_is_made_anew_is_loaded_anew_alone);
tests_on!(by_data_api DataApi: a_change_rebuilds_one_table_and_readers_go_on);
long_tests_on!(made_anew DataApi: a_table_that_is_made_anew_is_loaded_anew_alone);

/// Each has an enum of its own, so that a new label is one table's change.
const SOURCE: &str = "
    CREATE TYPE log_mood AS ENUM ('calm', 'busy');
    CREATE TABLE log (id bigint PRIMARY KEY, note text, mood log_mood);
    INSERT INTO log SELECT n, 'is ' || n, 'calm' FROM generate_series(1, 500) n;
    CREATE TYPE orders_mood AS ENUM ('calm', 'busy');
    CREATE TABLE orders (id bigint PRIMARY KEY, note text, mood orders_mood,
                         updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON orders (updated_at);
    INSERT INTO orders SELECT n, 'is ' || n, 'busy' FROM generate_series(1, 500) n;
    CREATE TYPE cities_mood AS ENUM ('calm', 'busy');
    CREATE TABLE cities (id bigint PRIMARY KEY, note text, mood cities_mood);
    INSERT INTO cities SELECT n, 'is ' || n FROM generate_series(1, 500) n;";

const LOADERS: &str = "[tables]
    log = { strategy = \"append\", cursor = \"id\" }
    orders = { strategy = \"merge\", cursor = \"updated_at\" }
    cities = \"full\"\n";

pub(super) const TABLES: &[&str] = &["log", "orders", "cities"];

/// A change of the table `~`, and how it is told.
const CHANGES: &[(&str, &str)] = &[
    ("ALTER TABLE ~ ADD COLUMN tip numeric(9,2) DEFAULT 1.50", "column `tip` was added"),
    ("ALTER TABLE ~ RENAME COLUMN tip TO gratuity", "column `tip` was renamed to `gratuity`"),
    ("ALTER TABLE ~ ALTER COLUMN gratuity TYPE text", "column `gratuity` changed from numeric(9,2) to text"),
    ("ALTER TABLE ~ DROP COLUMN gratuity", "column `gratuity` was dropped"),
    (
        "ALTER TABLE ~ ADD COLUMN other text; UPDATE ~ SET other = note; ALTER TABLE ~ DROP COLUMN note;
         ALTER TABLE ~ RENAME COLUMN other TO note",
        "the columns stand in another order",
    ),
    ("ALTER TYPE ~_mood ADD VALUE 'asleep'", "the labels of column `mood` changed: `asleep` added"),
    (
        "ALTER TABLE ~ ADD COLUMN part int NOT NULL DEFAULT 7; ALTER TABLE ~ DROP CONSTRAINT ~_pkey;
         ALTER TABLE ~ ADD PRIMARY KEY (id, part)",
        "the key changed from (`id`) to (`id`, `part`)",
    ),
];

struct Scene {
    project: ground::Scene,
    /// Those of the double are in tests/it/warehouse/readers.rs.
    readers: Option<Readers>,
}

impl Scene {
    async fn on(ground: Ground) -> Self {
        let project = ground::Scene::on(ground, SOURCE, LOADERS).await;
        project.run(&[]).await;
        let mut readers = (!ground.is_redshift()).then(|| Readers::start(&project.database.url()));
        if let Some(readers) = &mut readers {
            for table in TABLES {
                readers.publish(table, State::of(&project, table).await);
            }
        }
        Self { project, readers }
    }

    /// The tables that are changed: each costs as many runs as there are changes.
    fn changed(&self) -> &'static [&'static str] {
        if self.readers.is_some() { TABLES } else { &TABLES[1..2] }
    }

    /// Changes one table, loads all, and looks at what came of it: the task of that table.
    async fn change(&mut self, table: &str, sql: &str) -> Value {
        let before = self.bases().await;
        let schema = self.project.source.name();
        self.project.source.run_on_primary(&format!("SET search_path = {schema}; {sql}")).await;
        // The readers may see the new state before the run has ended.
        if let Some(readers) = &mut self.readers {
            readers.publish(table, State::of_source(&self.project, table).await);
        }
        let outcome = self.project.run(&[]).await;
        self.project.assert_equal(TABLES).await;
        let after = self.bases().await;
        for other in TABLES.iter().filter(|other| **other != table) {
            assert_eq!(before[*other], after[*other], "{sql}: {other} was rebuilt too: {outcome:#}");
            assert_was_left_alone(task(&outcome, other));
        }
        if table != "cities" {
            assert_ne!(before[table], after[table], "{sql}: {table} was not rebuilt: {outcome:#}");
        }
        let changed = task(&outcome, table).clone();
        assert_eq!(changed["publish"], "swap", "{sql}: {changed:#}");
        changed
    }

    /// The whole load that each table's last one goes back to.
    async fn bases(&self) -> BTreeMap<String, String> {
        let sql =
            "SELECT DISTINCT ON (table_name) table_name || ' ' || coalesce(state::json->>'base', 'none')
                   FROM barncat.loads ORDER BY table_name, load DESC";
        let bases = self.project.database.texts(sql).await;
        bases
            .iter()
            .filter_map(|base| base.split_once(' '))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect()
    }

    /// The history's newest load of a table tells the same reason, and each of these changes.
    async fn assert_told(&self, table: &str, reason: &str, changes: &[&str]) {
        let output = self.project.barncat(&["history", table, "--output", "json"], &[]).await;
        assert!(output.status.success(), "{output:?}");
        let history: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON object");
        let last = &history["tasks"][0];
        assert_eq!(last["reason"], reason, "{table}: {last:#}");
        let told = last["schema_changes"].as_array().expect("a list");
        for change in changes {
            assert!(told.iter().any(|told| told == change), "{table}: {change}: {last:#}");
        }
    }
}

/// A task whose table did not change: nothing was written, but perhaps that it was looked at.
fn assert_was_left_alone(task: &Value) {
    let is_unchanged = task["status"] == "unchanged";
    let brought_nothing = task["rows"] == 0 && (task["publish"] == "insert" || task["publish"] == "merge");
    assert!(is_unchanged || brought_nothing, "{task:#}");
    let reason = task["reason"].as_str().unwrap_or_default();
    assert!(!reason.contains("schema"), "{task:#}");
}

fn task<'a>(outcome: &'a Value, table: &str) -> &'a Value {
    let tasks = outcome["tasks"].as_array().expect("a run has tasks");
    let name = format!("{INTO}.{table}");
    tasks.iter().find(|task| task["task"] == *name).unwrap_or_else(|| panic!("no {name} in {outcome:#}"))
}

async fn a_change_rebuilds_one_table_and_readers_go_on(ground: Ground) {
    let mut scene = Scene::on(ground).await;
    for table in scene.changed() {
        for (number, (change, told)) in CHANGES.iter().enumerate() {
            let change = change.replace('~', table);
            let sql = format!("{change}; INSERT INTO {table} (id, note) VALUES ({}, 'new')", 1_000 + number);
            let changed = scene.change(table, &sql).await;
            let reason = changed["reason"].as_str().expect("a reason");
            assert!(reason.starts_with("the schema changed: ") && reason.contains(told), "{sql}: {reason}");
            scene.assert_told(table, reason, &[told]).await;
        }
    }
    if let Some(readers) = scene.readers {
        readers.saw_only_what_was_published().await;
    }
}

/// Dropped and created again: with the same columns and other rows, then with other columns.
async fn a_table_that_is_made_anew_is_loaded_anew_alone(ground: Ground) {
    let mut scene = Scene::on(ground).await;
    for table in scene.changed() {
        let time = match *table {
            "orders" => ", updated_at timestamptz NOT NULL DEFAULT now()",
            _ => "",
        };
        let anew = |columns: &str, rows: &str| {
            format!(
                "DROP TABLE {table}; CREATE TABLE {table} (id bigint PRIMARY KEY, {columns}{time});
                 INSERT INTO {table} SELECT n, {rows} FROM generate_series(1, 600) n"
            )
        };
        let same = anew(&format!("note text, mood {table}_mood"), "'anew ' || n");
        let changed = scene.change(table, &same).await;
        let reason = changed["reason"].as_str().expect("a reason").to_owned();
        let is_whole_always = *table == "cities";
        assert_eq!(reason == "the source's table was made anew", !is_whole_always, "{same}: {reason}");
        scene.assert_told(table, &reason, &[]).await;

        let other = anew("note text, tip int", "'once more ' || n, n");
        let changed = scene.change(table, &other).await;
        let reason = changed["reason"].as_str().expect("a reason").to_owned();
        let changes = ["column `tip` was added", "column `mood` was dropped"];
        assert!(changes.iter().all(|change| reason.contains(change)), "{other}: {reason}");
        scene.assert_told(table, &reason, &changes).await;
    }
    if let Some(readers) = scene.readers {
        readers.saw_only_what_was_published().await;
    }
}
