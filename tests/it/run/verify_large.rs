//! `verify` in a table of five million rows: single planted differences are found, and mended alone.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::project::{INTO, Project};

const SOURCE: &str = "
    CREATE TABLE readings (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL, value float8, note text);
    INSERT INTO readings
        SELECT n, '2026-01-01 00:00Z'::timestamptz + n * INTERVAL '1 second', n / 7.0, nullif(n % 5, 0)::text
        FROM generate_series(1, 5000000) n;
    CREATE INDEX ON readings (updated_at);";

const LOADERS: &str = "[tables]
readings = { strategy = \"merge\", cursor = \"updated_at\", compare_every = \"off\", deletes = \"detect\" }
";

/// What is planted, and what verify says of it. A table that has lost its key, and so can hold a row
/// twice, is built anew with it: just the row cannot be mended.
const PLANTED: [(&str, &str, &str); 4] = [
    ("UPDATE ~ SET value = value * (1 + 1e-15) WHERE id = 4000001", "1 row differs in value", "1 merge"),
    ("DELETE FROM ~ WHERE id = 1234567", "1 row is missing from the warehouse", "1 merge"),
    ("UPDATE ~ SET note = '' WHERE id = 3000000", "1 row differs in note", "1 merge"),
    (
        "ALTER TABLE ~ DROP CONSTRAINT readings_pkey; INSERT INTO ~ SELECT * FROM ~ WHERE id = 777777",
        "1 row is only in the warehouse",
        "5000000 swap",
    ),
];

async fn verify(project: &Project, arguments: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = ["verify", "--output", "json"].iter().chain(arguments).copied().collect();
    let output = project.barncat(&all, &[]).await;
    let outcome: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no outcome: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), outcome["tasks"][0].clone())
}

#[tokio::test]
#[ignore = "makes five million rows"]
async fn single_differences_in_five_million_rows_are_found_and_mended_alone() {
    let project = Project::new(SOURCE, LOADERS).await;
    project.run(&[]).await;
    let table = format!("{INTO}.readings");
    for (planted, said, written) in PLANTED {
        project.database.run(&planted.replace('~', &table)).await;
        let begun = Instant::now();
        let (status, task) = verify(&project, &["--as-is"]).await;
        eprintln!("{planted}: {} in {:.1} s", task["error"]["message"], begun.elapsed().as_secs_f64());
        assert_eq!((status, &task["error"]["message"]), (Some(1), &json!(said)), "{planted}: {task:#}");
        let begun = Instant::now();
        let (status, task) = verify(&project, &["--repair"]).await;
        eprintln!("    mended in {:.1} s: {}", begun.elapsed().as_secs_f64(), task["reason"]);
        assert_eq!((status, &task["verification"]["equal"]), (Some(0), &json!(true)), "{planted}: {task:#}");
        let newest = project
            .database
            .text("SELECT rows || ' ' || publish FROM barncat.loads ORDER BY load DESC LIMIT 1")
            .await;
        assert_eq!(newest, written, "{planted}");
    }
    project.assert_equal(&["readings"]).await;
}
