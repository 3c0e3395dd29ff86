//! Schemas that change while tables are loaded again and again: one table is rebuilt, the others are not,
//! and readers see nothing of it but the change.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde_json::Value;

use crate::support::project::{INTO, Project};

const SOURCE: &str = "
    CREATE TYPE mood AS ENUM ('calm', 'busy');
    CREATE TABLE log (id bigint PRIMARY KEY, note text, mood mood);
    INSERT INTO log SELECT n, 'is ' || n, 'calm' FROM generate_series(1, 500) n;
    CREATE TABLE orders (id bigint PRIMARY KEY, note text, mood mood, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON orders (updated_at);
    INSERT INTO orders SELECT n, 'is ' || n, 'busy' FROM generate_series(1, 500) n;
    CREATE TABLE cities (id bigint PRIMARY KEY, note text, mood mood);
    INSERT INTO cities SELECT n, 'is ' || n FROM generate_series(1, 500) n;";

const LOADERS: &str = "[tables]
    log = { strategy = \"append\", cursor = \"id\" }
    orders = { strategy = \"merge\", cursor = \"updated_at\" }
    cities = \"full\"\n";

const TABLES: &[&str] = &["log", "orders", "cities"];

/// A change of the table `~`, and how it is told.
const CHANGES: &[(&str, &str)] = &[
    ("ALTER TABLE ~ ADD COLUMN tip numeric(9,2) DEFAULT 1.50", "column `tip` was added"),
    ("ALTER TABLE ~ RENAME COLUMN tip TO gratuity", "column `tip` was renamed to `gratuity`"),
    ("ALTER TABLE ~ ALTER COLUMN gratuity TYPE text", "column `gratuity`"),
    ("ALTER TABLE ~ DROP COLUMN gratuity", "column `gratuity` was dropped"),
    (
        "ALTER TABLE ~ ADD COLUMN other text; UPDATE ~ SET other = note; ALTER TABLE ~ DROP COLUMN note;
         ALTER TABLE ~ RENAME COLUMN other TO note",
        "the columns stand in another order",
    ),
    (
        "ALTER TABLE ~ ADD COLUMN part int NOT NULL DEFAULT 7; ALTER TABLE ~ DROP CONSTRAINT ~_pkey;
         ALTER TABLE ~ ADD PRIMARY KEY (id, part)",
        "the key",
    ),
    ("ALTER TYPE ? ADD VALUE 'asleep'", "label"),
];

/// One reader of all tables.
async fn read(url: String, stop: Arc<AtomicBool>, reads: Arc<AtomicU64>) {
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("it connects");
    tokio::spawn(connection);
    while !stop.load(Ordering::Relaxed) {
        for table in TABLES {
            let sql = format!("SELECT count(*), sum(id), count(note) FROM {INTO}.{table}");
            let row = client.query_one(&sql, &[]).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
            assert!(
                row.get::<_, i64>(0) >= 500 && row.get::<_, i64>(2) >= 500,
                "{table} is not whole: {row:?}"
            );
            reads.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn task<'a>(outcome: &'a Value, table: &str) -> &'a Value {
    let tasks = outcome["tasks"].as_array().expect("a run has tasks");
    let name = format!("{INTO}.{table}");
    tasks
        .iter()
        .find(|task| task["task"] == name.as_str())
        .unwrap_or_else(|| panic!("no {name} in {outcome:#}"))
}

async fn bases(project: &Project) -> Vec<String> {
    let sql =
        "SELECT DISTINCT ON (table_name) state->>'base' FROM barncat.loads ORDER BY table_name, load DESC";
    project.database.texts(sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_rebuilds_one_table_and_readers_go_on() {
    let project = Project::new(SOURCE, LOADERS).await;
    project.run(&[]).await;
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> =
        (0..2).map(|_| tokio::spawn(read(project.database.url(), stop.clone(), reads.clone()))).collect();
    let schema = project.source.name().to_owned();
    for (place, table) in TABLES.iter().enumerate() {
        for (number, (change, told)) in CHANGES.iter().enumerate() {
            let before = bases(&project).await;
            let change = match *change {
                // A type of the table's own, so that the others' do not change.
                "ALTER TYPE ? ADD VALUE 'asleep'" => {
                    let own = format!("mood_of_{table}");
                    let sql = format!(
                        "CREATE TYPE {own} AS ENUM ('calm', 'busy');
                         ALTER TABLE {table} ALTER COLUMN mood TYPE {own} USING mood::text::{own}"
                    );
                    on_primary(&project, &schema, &sql).await;
                    project.run(&[]).await;
                    format!("ALTER TYPE {own} ADD VALUE 'asleep'")
                }
                change => change.replace('~', table),
            };
            on_primary(&project, &schema, &change).await;
            let row = format!("INSERT INTO {table} (id, note) VALUES ({}, 'new')", 1_000 + number);
            on_primary(&project, &schema, &row).await;
            let outcome = project.run(&[]).await;
            project.assert_equal(TABLES).await;
            let reason = task(&outcome, table)["reason"].as_str().expect("a reason");
            assert!(
                reason.starts_with("the schema changed: ") && reason.contains(told),
                "{change}: {reason}"
            );
            // In the order of their names: cities, log, orders.
            let after = bases(&project).await;
            let name_order = ["cities", "log", "orders"];
            for (other, (before, after)) in name_order.iter().zip(before.iter().zip(&after)) {
                let is_rebuilt = before != after;
                assert_eq!(
                    is_rebuilt,
                    other == table || (*other == "cities" && is_rebuilt),
                    "{change}: {other}"
                );
                if other != table {
                    let reason = task(&outcome, other)["reason"].as_str().unwrap_or_default();
                    assert!(!reason.contains("schema"), "{change} of {table}: {other}: {reason}");
                }
            }
        }
        let columns = if place == 1 { ", updated_at timestamptz NOT NULL DEFAULT now()" } else { "" };
        on_primary(
            &project,
            &schema,
            &format!(
                "CREATE TABLE anew (id bigint PRIMARY KEY, note text {columns});
                 INSERT INTO anew SELECT n, 'anew ' || n FROM generate_series(1, 600) n;
                 DROP TABLE {table}; ALTER TABLE anew RENAME TO {table}"
            ),
        )
        .await;
        let outcome = project.run(&[]).await;
        project.assert_equal(TABLES).await;
        assert_eq!(task(&outcome, table)["publish"], "swap");
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.expect("no reader saw an error");
    }
    assert!(reads.load(Ordering::Relaxed) > 100, "readers were at work");
}

async fn on_primary(project: &Project, schema: &str, sql: &str) {
    project.source.run_on_primary(&format!("SET search_path = \"{schema}\"; {sql}")).await;
}
