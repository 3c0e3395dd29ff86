//! A row that COPY refuses: named by file and line, and by its key where that tells nothing of anybody.

use std::time::Duration;

use redshift_double::StatementFault;

use crate::support::redshift::OnRedshift;

/// One value that is longer than all others.
const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, part integer, note varchar(40));
    INSERT INTO orders SELECT n, n * 3, CASE n WHEN 17 THEN 'a secret that is long' ELSE 'n' || n END FROM generate_series(1, 60) n;
    CREATE TABLE people (email varchar(80) PRIMARY KEY, note varchar(40));
    INSERT INTO people SELECT 'p' || n || '@example.com', CASE n WHEN 5 THEN 'a secret that is long' ELSE 'n' || n END
        FROM generate_series(1, 20) n;
    CREATE TABLE lines (id uuid PRIMARY KEY, note varchar(40));
    INSERT INTO lines SELECT ('a0eebc99-9c0b-4ef8-bb6d-' || lpad(n::text, 12, '0'))::uuid,
        CASE n WHEN 2 THEN E'n\\n' WHEN 7 THEN 'a secret that is long' ELSE 'n' || n END FROM generate_series(1, 20) n;";

/// What a run says whose staging table gets a smaller column before the COPY begins.
async fn refused(table: &str, more: &str) -> String {
    let loaders = format!("[tables]\n{table} = {{ strategy = \"full\", attempts = 1{more} }}\n");
    let on = OnRedshift::new(SOURCE, &loaders).await;
    on.double.knobs().on_statement("COPY \"raw\"", StatementFault::Wait(Duration::from_secs(3)), 1);
    let shrink = async {
        let staging = format!(
            "SELECT coalesce(max(relname), '') FROM pg_class WHERE relname LIKE '{table}\\_\\_barncat%' AND relkind = 'r'"
        );
        let mut name = String::new();
        while name.is_empty() {
            name = on.text(&staging).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        on.project
            .database
            .run(&format!("ALTER TABLE raw.\"{name}\" ALTER COLUMN note TYPE varchar(9)"))
            .await;
    };
    let ((status, outcome), ()) = tokio::join!(on.project.try_run(&[]), shrink);
    assert_eq!(status, Some(1), "{outcome:#}");
    let told = outcome.to_string();
    assert!(!told.contains("secret") && !told.contains("@example.com"), "a value is told: {told}");
    outcome["tasks"][0]["error"]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_row_is_named_by_numbers_and_uuids_alone() {
    let message = refused("orders", "").await;
    assert!(message.contains(".csv.zst, line 17 (its key: id 17), column note of "), "{message}");
    let message = refused("orders", ", key = [\"part\", \"id\"], compression = \"gzip\"").await;
    assert!(message.contains("line 17 (its key: part 51, id 17), column note"), "{message}");
    let message = refused("people", "").await;
    assert!(message.contains("line 5 (its key, email, is not shown), column note"), "{message}");
    // A line break before it: whether lines or rows are counted, nobody says.
    let message = refused("lines", "").await;
    assert!(message.contains(" (its key, id, is not known), column note"), "{message}");
}
