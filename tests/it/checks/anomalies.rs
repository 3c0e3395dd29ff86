//! Tables against their own history, on both warehouses: what is measured, what is found, what is usual again.

use serde_json::{Value, json};

use super::{check, found, full};
use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{Project, on_primary, task},
};

on_each_ground![
    a_table_is_held_against_its_own_history_and_a_new_level_is_accepted,
    what_is_abnormal_before_its_publish_is_not_published_until_somebody_accepts_it,
];

const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, rider_id int, note text, at timestamptz);
    INSERT INTO orders SELECT n, n % 7, CASE WHEN n % 50 > 0 THEN 'note ' || n END, now() - interval '5 minutes'
        FROM generate_series(1, 2000) n;";

const LOADERS: &str = r#"[tables]
orders = { strategy = "full", checks = { anomalies = { of = ["rows", "bytes", "duration", "freshness", "nulls"], column = "at" } } }
"#;

/// Twenty days on which the table was as now, growing by a hundred rows a day.
const HISTORY: &str = "
    INSERT INTO barncat_control.measures
    SELECT task, what, of, moment - day * interval '1 day 1 second', run,
        value - CASE WHEN what = 'rows' THEN 100 * day ELSE 0 END, of_rows - 100 * day, 'normal'
    FROM barncat_control.measures, generate_series(1, 20) day";

/// The table as it is now was measured yesterday.
const NEXT_DAY: &str = "UPDATE barncat_control.measures SET moment = moment - interval '1 day'";

async fn asked(scene: &Project, arguments: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = ["check", "orders", "--output", "json"].iter().chain(arguments).copied().collect();
    let output = scene.barncat(&all, &[]).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn message(outcome: &Value, of: &str, label: &str) -> String {
    check(outcome, of, label)["message"].as_str().unwrap_or_default().to_owned()
}

async fn a_table_is_held_against_its_own_history_and_a_new_level_is_accepted(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let name = full("orders.checks");
    let outcome = scene.run(&[]).await;
    for what in ["rows", "bytes", "duration", "freshness", "nulls"] {
        let label = format!("anomalies ({what})");
        assert_eq!(found(&outcome, &label).0, "passed", "{outcome:#}");
        assert!(message(&outcome, &name, &label).contains("too little history: 0 of 7 days"), "{outcome:#}");
    }
    let control = scene.control();
    let measured = "SELECT string_agg(what || ' ' || of || ' ' || found, ', ' ORDER BY what, of) FROM barncat_control.measures";
    let all = "bytes whole normal, duration whole normal, freshness at normal, nulls at normal, nulls id normal, \
        nulls note normal, nulls rider_id normal, rows  normal";
    assert_eq!(control.text(measured).await, all);
    // Asked again of the same rows it is the same measure.
    asked(&scene, &[]).await;
    assert_eq!(control.text(measured).await, all);

    control.run(HISTORY).await;
    let (status, outcome) = asked(&scene, &[]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    assert!(
        message(&outcome, &name, "anomalies (rows)").contains("it has 2000 rows; expected are 19"),
        "{outcome:#}"
    );
    for what in ["bytes", "duration", "freshness", "nulls"] {
        let label = format!("anomalies ({what})");
        assert_eq!(found(&outcome, &label).0, "passed", "{outcome:#}");
        assert!(!message(&outcome, &name, &label).contains("too little"), "{outcome:#}");
    }
    let rows = &check(&outcome, &name, "anomalies (rows)")["measures"][0];
    assert_eq!(
        (&rows["what"], &rows["value"], &rows["found"]),
        (&json!("rows"), &json!(2000.0), &json!("normal"))
    );
    let low = rows["low"].as_f64().unwrap_or_default();
    assert!(low > 1_900.0 && low < 2_000.0, "{rows}");

    // A day on which nothing came.
    control.run(NEXT_DAY).await;
    let (status, outcome) = asked(&scene, &[]).await;
    assert_eq!((status, found(&outcome, "anomalies (rows)").0.as_str()), (Some(0), "warned"), "{outcome:#}");
    let warnings = task(&outcome, &name)["warnings"].to_string();
    assert!(warnings.contains("anomalies (rows): it has 2000 rows; expected are 20"), "{warnings}");

    // A day of half the rows, the others twice as long, and a column without values.
    on_primary(
        &scene,
        "DELETE FROM orders WHERE id > 1000; UPDATE orders SET note = NULL, at = now() - interval '9 days'",
    )
    .await;
    let outcome = scene.run(&[]).await;
    for what in ["rows", "nulls", "freshness", "bytes"] {
        assert_eq!(found(&outcome, &format!("anomalies ({what})")).0, "warned", "{outcome:#}");
    }
    let told = message(&outcome, &name, "anomalies (nulls)");
    assert!(
        told.contains("100.0 % of `note` are NULL; expected are") && !told.contains("rider_id"),
        "{told}"
    );
    let odd = "SELECT string_agg(DISTINCT what || ' ' || of || ' ' || found, ', ') FROM barncat_control.measures WHERE found <> 'normal'";
    assert_eq!(control.text(odd).await, "bytes whole low, freshness at high, nulls note high, rows  low");

    // It is usual from now on, and known too little to say more.
    let (_, outcome) = asked(&scene, &["--accept"]).await;
    for what in ["rows", "nulls", "freshness", "bytes"] {
        let told = message(&outcome, &name, &format!("anomalies ({what})"));
        assert!(what == "nulls" || told.contains("accepted: it is usual from now on"), "{told}");
        assert_eq!(found(&outcome, &format!("anomalies ({what})")).0, "passed", "{told}");
    }
    assert_eq!(
        control.text("SELECT count(*)::text FROM barncat_control.measures WHERE found <> 'normal'").await,
        "0"
    );
    let (_, outcome) = asked(&scene, &[]).await;
    let told = message(&outcome, &name, "anomalies (rows)");
    assert!(told.contains("too little history"), "{told}");
    let told = message(&outcome, &name, "anomalies (duration)");
    assert!(!told.contains("too little history"), "nobody accepted it: {told}");
}

async fn what_is_abnormal_before_its_publish_is_not_published_until_somebody_accepts_it(ground: Ground) {
    let loaders = r#"[tables]
orders = { strategy = "append", cursor = "id", checks = { anomalies = { of = ["rows", "nulls"], columns = ["note"], severity = "error", before_publish = true } } }
"#;
    let scene = Scene::on(ground, SOURCE, loaders).await;
    scene.run(&[]).await;
    let control = scene.control();
    control.run(HISTORY).await;
    control.run(NEXT_DAY).await;
    scene.run_as_owner("UPDATE barncat.loads SET as_of = as_of - interval '1 day'").await;
    // What comes is right in number, and has no value in one column.
    on_primary(&scene, "INSERT INTO orders SELECT n, 1, NULL, now() FROM generate_series(2001, 2100) n")
        .await;
    let (status, outcome) = scene.try_run(&[]).await;
    let table = full("orders");
    assert_eq!((status, &task(&outcome, &table)["status"]), (Some(1), &json!("failed")), "{outcome:#}");
    assert_eq!(check(&outcome, &table, "anomalies (nulls)")["status"], "failed", "{outcome:#}");
    assert_eq!(check(&outcome, &table, "anomalies (rows)")["status"], "passed", "{outcome:#}");
    assert!(
        message(&outcome, &table, "anomalies (nulls)")
            .contains("100.0 % of `note` are NULL; expected are at most")
    );
    on_primary(
        &scene,
        "UPDATE orders SET note = 'there' WHERE id > 2000; DELETE FROM orders WHERE id > 2010",
    )
    .await;
    let (_, outcome) = scene.try_run(&[]).await;
    assert_eq!(
        check(&outcome, &table, "anomalies (rows)")["status"],
        "failed",
        "ten of a hundred: {outcome:#}"
    );
    assert_eq!(check(&outcome, &table, "anomalies (nulls)")["status"], "passed", "{outcome:#}");
    let (status, outcome) = asked(&scene, &[]).await;
    assert_eq!(status, Some(0), "what is published is as it was: {outcome:#}");
    let (status, outcome) = asked(&scene, &["--accept"]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    assert!(
        message(&outcome, &full("orders.checks"), "anomalies (rows)").contains("what comes next is accepted"),
        "{outcome:#}"
    );
    let outcome = scene.run(&[]).await;
    assert_eq!(task(&outcome, &table)["status"], "succeeded", "{outcome:#}");
}

#[tokio::test]
async fn a_history_that_cannot_be_read_passes_nothing() {
    let loaders = r#"[tables]
orders = { strategy = "full", checks = { anomalies = { of = ["rows"], before_publish = true, severity = "error" } } }
"#;
    let scene = Scene::on(Ground::Postgres, SOURCE, loaders).await;
    scene.run(&[]).await;
    scene.control().run("ALTER TABLE barncat_control.measures RENAME TO elsewhere").await;
    on_primary(&scene, "DELETE FROM orders WHERE id = 1").await;
    let (status, outcome) = scene.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let error = task(&outcome, &full("orders"))["error"]["message"].as_str().unwrap_or_default();
    assert!(
        error.contains("was not published") && error.contains("history could not be read"),
        "{outcome:#}"
    );
    let (status, _) = asked(&scene, &[]).await;
    assert_eq!(status, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_level_that_stays_is_usual_by_itself_and_test_mode_measures_nothing() {
    let loaders = "[tables]\norders = { strategy = \"full\", checks = { anomalies = [\"rows\"] } }\n";
    let project = Project::new(SOURCE, loaders).await;
    let outcome = project.run(&["--mode", "test"]).await;
    let tasks = outcome["tasks"].as_array().cloned().unwrap_or_default();
    let asked = tasks.iter().find(|task| task["kind"] == "check").expect("its checks are a task");
    assert!(asked["status"] == "succeeded" && asked["checks"].is_null(), "{outcome:#}");
    project.run(&[]).await;
    let control = &project.database;
    control.run(HISTORY).await;
    on_primary(&project, "DELETE FROM orders WHERE id > 1100").await;
    for number in 0..4 {
        control.run(NEXT_DAY).await;
        on_primary(&project, &format!("UPDATE orders SET note = 'day {number}' WHERE id = 1")).await;
        let outcome = project.run(&[]).await;
        let told = message(&outcome, &full("orders.checks"), "anomalies (rows)");
        let expected = if number < 3 { "warned" } else { "passed" };
        assert_eq!(found(&outcome, "anomalies (rows)").0, expected, "day {number}: {told}");
        assert_eq!(told.contains("it has stayed so, and is usual from now on"), number == 3, "{told}");
    }
    let states = "SELECT string_agg(DISTINCT found, ', ') FROM barncat_control.measures";
    assert_eq!(control.text(states).await, "normal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_backfill_brought_is_nobodys_anomaly_and_nothing_is_accepted_unasked() {
    // A check that stands in the defaults and in the row is measured once.
    let loaders = "[defaults]\nchecks = { anomalies = [\"rows\"] }\n[tables]\n\
        orders = { strategy = \"append\", cursor = \"id\", checks = { anomalies = [\"rows\"] } }\n";
    let project = Project::new(SOURCE, loaders).await;
    project.run(&[]).await;
    let control = &project.database;
    assert_eq!(control.text("SELECT count(*)::text FROM barncat_control.measures").await, "1");
    control.run(HISTORY).await;
    control.run(NEXT_DAY).await;
    on_primary(&project, "INSERT INTO orders SELECT n, 1, 'early', now() FROM generate_series(-4999, 0) n")
        .await;
    let output = project.barncat(&["backfill", "orders"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let (status, outcome) = asked(&project, &[]).await;
    let told = message(&outcome, &full("orders.checks"), "anomalies (rows)");
    assert_eq!(status, Some(0), "{outcome:#}");
    assert!(told.contains("it has 7000 rows") && told.contains("a person filled it back"), "{told}");
    let (_, outcome) = asked(&project, &[]).await;
    let told = message(&outcome, &full("orders.checks"), "anomalies (rows)");
    assert!(told.contains("too little history"), "{told}");
    let all = project.barncat(&["check", "--accept"], &[]).await;
    assert_eq!(all.status.code(), Some(2), "{}", String::from_utf8_lossy(&all.stderr));
    assert!(String::from_utf8_lossy(&all.stderr).contains("`--accept` is about tables, and none is named"));
}
