//! What people do by hand, on Redshift: restore, adopt, backfill, by the tests of a Postgres warehouse; clean
//! and history.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    run::{adopt, backfill, restore},
    support::{
        project::{INTO, on_primary, task},
        redshift::OnRedshift,
    },
};

/// Redshift has no numbers without bounds.
fn bounded(sql: &str) -> String {
    sql.replace("price numeric", "price numeric(9,2)")
}

async fn json_of(on: &OnRedshift, arguments: &[&str]) -> Value {
    let output = on.project.barncat(&[arguments, &["--output", "json"]].concat(), &[]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn earlier_states_come_back() {
    let on = OnRedshift::new(&bounded(restore::SOURCE), restore::LOADERS).await;
    restore::states_come_back(&on.project, &[2]).await;
    let history = json_of(&on, &["history", "orders"]).await;
    let kinds: Vec<&Value> =
        history["tasks"].as_array().expect("loads").iter().map(|task| &task["kind"]).collect();
    assert_eq!(kinds, ["load", "restore", "load", "load", "load", "load"], "{history:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_others_are_taken_over() {
    let on = OnRedshift::new(&bounded(adopt::SOURCE), adopt::LOADERS).await;
    on.project.run(&[]).await;
    // Somebody else's ledger is none.
    on.project.database.run("DROP SCHEMA barncat CASCADE").await;
    adopt::taken_over(&on.project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_are_brought_again() {
    let on = OnRedshift::new(backfill::SOURCE, backfill::LOADERS).await;
    on.project.run(&[]).await;
    backfill::range_then_whole(&on.project).await;
    backfill::rows_that_moved(&on.project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_run_left_goes() {
    let source = "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1);";
    let on = OnRedshift::new(source, "[tables]\norders = \"full\"\n").await;
    let mut command = on.project.command(&["run"]);
    command.env("BARNCAT_FAILPOINTS", "staging.copy.after=sleep(120000)");
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let there = format!(
        "SELECT count(*)::text FROM pg_class WHERE relname LIKE 'orders%' AND relnamespace = to_regnamespace('{INTO}')"
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    while on.text(&there).await != "1" {
        assert!(Instant::now() < deadline, "nothing was staged");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let alive = json_of(&on, &["clean"]).await;
    assert_eq!(alive["staging_tables"], json!([]), "{alive:#}");
    run.kill().expect("it still runs");
    run.wait().expect("it ends");
    let dead = json_of(&on, &["clean"]).await;
    assert_eq!(dead["staging_tables"].as_array().map(Vec::len), Some(1), "{dead:#}");
    assert_eq!(on.text(&there).await, "0");
}

/// Redshift holds nobody to a key: what would be lost by it is refused, as a Postgres warehouse does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_none_is_refused_and_a_row_that_is_there_twice_is_not_taken_for_gone() {
    let source = "CREATE TABLE lines (order_no int, line text, u timestamptz NOT NULL DEFAULT now() - interval '3 hours');
        INSERT INTO lines VALUES (1, 'a'), (1, 'b'), (2, 'c');
        CREATE TABLE events (id int PRIMARY KEY, u timestamptz NOT NULL DEFAULT now() - interval '3 hours');
        INSERT INTO events SELECT n FROM generate_series(1, 200) n;";
    let loaders = "[tables]\nlines = { strategy = \"merge\", cursor = \"u\", key = [\"order_no\"] }\n\
                   events = { strategy = \"merge\", cursor = \"u\", deletes = \"detect\" }\n";
    let on = OnRedshift::new(source, loaders).await;
    let (code, outcome) = on.project.try_run(&[]).await;
    assert_eq!(code, Some(1), "{outcome:#}");
    let error = &task(&outcome, "raw.lines")["error"];
    assert_eq!(error["message"], "raw.lines: the source has several rows of the same key (order_no)");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("`key = […]`")), "{error}");

    on.project.database.run("INSERT INTO raw.events SELECT * FROM raw.events WHERE id = 20").await;
    on_primary(&on.project, "DELETE FROM events WHERE id = 7").await;
    on.project.run(&["events"]).await;
    assert_eq!(on.text("SELECT count(*) || ' ' || count(DISTINCT id) FROM raw.events").await, "200 199");
    let verified = on.project.barncat(&["verify", "events", "--repair"], &[]).await;
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stderr));
    assert_eq!(on.text("SELECT count(*) || ' ' || count(DISTINCT id) FROM raw.events").await, "199 199");
}
