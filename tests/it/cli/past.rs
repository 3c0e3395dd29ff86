//! `status` and `history`, before and after real runs.

use super::{assert_told, scene::Scene};

const TABLES: &str = "CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 1000) n;
    CREATE TABLE riders (id int PRIMARY KEY); REVOKE SELECT ON riders FROM barncat_source;";

#[tokio::test]
async fn before_the_first_run_there_is_nothing_and_nothing_is_made() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    assert_told!(scene.told(&["status"]));
    assert_told!(scene.told(&["history"]));
    assert_told!(scene.told(&["history", "orders"]));
    assert_eq!(scene.json(&["status"]), (serde_json::json!({ "runs": [] }), 0));
    assert_eq!(scene.json(&["history"]), (serde_json::json!({ "runs": [] }), 0));
    assert_eq!(scene.json(&["history", "orders"]), (serde_json::json!({ "tasks": [] }), 0));
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'barncat_control%'";
    let row = scene.database.connect().await.query_one(sql, &[]).await.expect("it answers");
    assert_eq!(row.get::<_, i64>(0), 0, "who only looks makes nothing");
}

#[tokio::test]
async fn history_tells_what_ran_and_what_it_cost() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    let run = scene.told(&["run"]);
    assert!(run.starts_with("exit status: 1\n"), "one table cannot be read: {run}");
    let run = scene.told(&["run", "orders", "--mode", "test"]);
    assert!(run.starts_with("exit status: 0\n"), "{run}");

    assert_told!(scene.told(&["history"]));
    assert_told!(scene.told(&["history", "orders"]));
    let riders = scene.told(&["history", "raw.riders"]);
    assert!(riders.contains("failed") && riders.contains("may not"), "{riders}");

    let (runs, status) = scene.json(&["history", "-n", "1"]);
    assert_eq!((status, runs["runs"].as_array().map(Vec::len)), (0, Some(1)));
    assert_eq!(runs["runs"][0]["mode"], "test", "the latest first");
    let (tasks, _) = scene.json(&["history", "orders"]);
    let task = &tasks["tasks"][0];
    assert_eq!((&task["task"], &task["status"]), (&"raw.orders".into(), &"succeeded".into()));
    assert_eq!((&task["rows"], &task["error"]), (&1000.into(), &serde_json::Value::Null));
    for time in ["started_at", "as_of"] {
        let at: jiff::Timestamp = task[time].as_str().expect("a time").parse().expect("RFC 3339");
        assert!(task[time].as_str().expect("a time").ends_with('Z'), "{at}: not UTC");
    }
    assert_eq!(scene.json(&["status"]).0["runs"], serde_json::json!([]));
}

#[tokio::test]
async fn a_name_in_two_schemas_is_refused_with_the_choices() {
    let scene = Scene::new(TABLES, "orders = \"full\"").await;
    let other = scene.loader().replace("\"raw\"", "\"other\"") + "\n[tables]\norders = \"full\"\n";
    scene.write("loaders/other.toml", &other);
    let run = scene.told(&["run"]);
    assert!(run.starts_with("exit status: 0\n"), "{run}");
    assert_told!(scene.told(&["history", "orders"]));
}

#[tokio::test]
async fn a_server_that_is_away_is_one_clear_error() {
    let scene = Scene::new("", "\"*\" = \"full\"").await;
    let nowhere = [("WAREHOUSE_URL", "postgres://me:hunter2@127.0.0.1:1/warehouse")];
    for command in ["status", "history"] {
        let text = scene.told_with(&[command], &nowhere);
        assert!(text.starts_with("exit status: 1\n--- stdout\n--- stderr\nerror: "), "{text}");
        assert!(text.contains("cannot reach 127.0.0.1:1/warehouse"), "{text}");
    }
}

#[tokio::test]
async fn a_variable_that_is_missing_is_named() {
    let scene = Scene::new("", "\"*\" = \"full\"").await;
    scene.write("barncat.toml", &scene.read("barncat.toml").replace("WAREHOUSE_URL", "NOT_SET_URL"));
    assert_told!(scene.told(&["status"]));
}
