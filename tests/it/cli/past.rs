//! `status` and `history`, before and after real runs.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{assert_told, scene::Scene};

const TABLES: &str = "CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 1000) n;
    CREATE TABLE riders (id int PRIMARY KEY); REVOKE SELECT ON riders FROM barncat_source;";

#[tokio::test]
async fn before_the_first_run_there_is_nothing_and_nothing_is_made() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    assert_told!(scene.told(&["status"]).await);
    assert_told!(scene.told(&["history"]).await);
    assert_told!(scene.told(&["history", "orders"]).await);
    assert_eq!(
        scene.json(&["status"]).await,
        (
            serde_json::json!({
                "runs": [], "holds": [], "awaiting_backfill": [], "deadlines": [], "limits": [], "paused": [],
                "service": null, "schedules": []
            }),
            0
        )
    );
    assert_eq!(scene.json(&["history"]).await, (serde_json::json!({ "runs": [] }), 0));
    assert_eq!(scene.json(&["history", "orders"]).await, (serde_json::json!({ "tasks": [] }), 0));
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'barncat_control%'";
    let row = scene.database().connect().await.query_one(sql, &[]).await.expect("it answers");
    assert_eq!(row.get::<_, i64>(0), 0, "who only looks makes nothing");
}

#[tokio::test]
async fn history_tells_what_ran_and_what_it_cost() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    let run = scene.told(&["run"]).await;
    assert!(run.starts_with("exit status: 1\n"), "one table cannot be read: {run}");
    let run = scene.told(&["run", "orders", "--mode", "test"]).await;
    assert!(run.starts_with("exit status: 0\n"), "{run}");

    assert_told!(scene.told(&["history"]).await);
    assert_told!(scene.told(&["history", "orders"]).await);
    let riders = scene.told(&["history", "raw.riders"]).await;
    assert!(riders.contains("failed") && riders.contains("may not"), "{riders}");

    let (runs, status) = scene.json(&["history", "-n", "1"]).await;
    assert_eq!((status, runs["runs"].as_array().map(Vec::len)), (0, Some(1)));
    assert_eq!(runs["runs"][0]["mode"], "test", "the latest first");
    let (tasks, _) = scene.json(&["history", "orders"]).await;
    let task = &tasks["tasks"][0];
    assert_eq!(
        (&task["strategy"], &task["publish"], &task["reason"]),
        (&"full".into(), &"swap".into(), &"the first load".into())
    );
    assert_eq!((&task["task"], &task["status"]), (&"raw.orders".into(), &"succeeded".into()));
    assert_eq!((&task["rows"], &task["error"]), (&1000.into(), &serde_json::Value::Null));
    for time in ["started_at", "as_of"] {
        let at: jiff::Timestamp = task[time].as_str().expect("a time").parse().expect("RFC 3339");
        assert!(task[time].as_str().expect("a time").ends_with('Z'), "{at}: not UTC");
    }
    assert_eq!(scene.json(&["status"]).await.0["runs"], serde_json::json!([]));
}

#[tokio::test]
async fn history_of_a_table_tells_what_each_load_brought_and_how_the_schema_changed() {
    let rows = "orders = { strategy = \"append\", cursor = \"id\", on_schema_change = \"extend\" }";
    let scene = Scene::new(TABLES, rows).await;
    assert!(scene.told(&["run"]).await.starts_with("exit status: 0\n"));
    let schema = scene.schema().name();
    let change = format!(
        "ALTER TABLE {schema}.orders ADD tip int, ALTER note TYPE varchar(80);
         INSERT INTO {schema}.orders VALUES (1001, 'new', 1), (-1, 'late', 2)"
    );
    scene.schema().run_on_primary(&change).await;
    assert!(scene.told(&["run", "--full"]).await.starts_with("exit status: 0\n"));
    scene.schema().run_on_primary(&format!("INSERT INTO {schema}.orders VALUES (1002, 'newer', 3)")).await;
    assert!(scene.told(&["run"]).await.starts_with("exit status: 0\n"));

    let (history, _) = scene.json(&["history", "orders"]).await;
    let of = |key: &str| -> Vec<serde_json::Value> {
        history["tasks"].as_array().expect("loads").iter().map(|task| task[key].clone()).collect()
    };
    assert_eq!(of("rows"), [1, 1002, 1000].map(serde_json::Value::from), "{history:#}");
    assert_eq!(of("late_rows"), [0.into(), serde_json::Value::Null, serde_json::Value::Null]);
    assert_eq!(of("watermark"), ["1002", "1001", "1000"].map(serde_json::Value::from));
    let hashes = of("schema_hash");
    assert!(hashes[0] == hashes[1] && hashes[1] != hashes[2], "{hashes:?}");
    let changes = of("schema_changes");
    assert_eq!((&changes[0], &changes[2]), (&serde_json::json!([]), &serde_json::json!([])));
    let changes = changes[1].as_array().expect("a list");
    assert_eq!(changes.len(), 2, "{changes:?}");
    let text = scene.told(&["history", "orders"]).await;
    for change in changes {
        assert!(text.contains(change.as_str().expect("words")), "{change}: {text}");
    }
}

#[tokio::test]
async fn a_name_that_nothing_bears_is_a_usage_error_and_what_never_ran_is_none() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    assert_told!(scene.told(&["history", "ordrs"]).await);
    assert!(scene.told(&["run", "orders"]).await.starts_with("exit status: 0\n"));
    // Of the past, and named by no loader any more.
    scene.write("loaders/shop.toml", &scene.read("loaders/shop.toml").replace("\"*\" =", "riders ="));
    assert_told!(scene.told(&["history", "raw.ordrs"]).await);
    let (history, status) = scene.json(&["history", "raw.orders"]).await;
    assert_eq!((status, history["tasks"].as_array().map(Vec::len)), (0, Some(1)));
    assert_eq!(scene.json(&["history", "riders"]).await, (serde_json::json!({ "tasks": [] }), 0));
}

#[tokio::test]
async fn a_name_in_two_schemas_is_refused_with_the_choices() {
    let scene = Scene::new(TABLES, "orders = \"full\"").await;
    let other = scene.read("loaders/shop.toml").replace("\"raw\"", "\"other\"");
    scene.write("loaders/other.toml", &other);
    let run = scene.told(&["run"]).await;
    assert!(run.starts_with("exit status: 0\n"), "{run}");
    assert_told!(scene.told(&["history", "orders"]).await);
}

#[tokio::test]
async fn a_server_that_is_away_is_one_clear_error() {
    let scene = Scene::new("", "\"*\" = \"full\"").await;
    let nowhere = [("WAREHOUSE_URL", "postgres://me:hunter2@127.0.0.1:1/warehouse")];
    for command in ["status", "history"] {
        let text = scene.told_with(&[command], &nowhere).await;
        assert!(text.starts_with("exit status: 1\n--- stdout\n--- stderr\nerror: "), "{text}");
        assert!(text.contains("cannot reach 127.0.0.1:1/warehouse"), "{text}");
    }
}

#[tokio::test]
async fn a_variable_that_is_missing_is_named() {
    let scene = Scene::new("", "\"*\" = \"full\"").await;
    scene.write("barncat.toml", &scene.read("barncat.toml").replace("WAREHOUSE_URL", "NOT_SET_URL"));
    assert_told!(scene.told(&["status"]).await);
}

#[tokio::test]
async fn status_tells_what_runs_and_what_has_crashed() {
    let scene = Scene::new(TABLES, "orders = \"full\"").await;
    let mut command = scene.command(&["run"]);
    // It waits for longer than the test takes, after its first bytes and before it publishes.
    command.env("BARNCAT_FAILPOINTS", "stage.manifest.before=sleep(120000)");
    let mut run =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the built binary starts");
    let runs = until(&scene, |run| run["tasks"][0]["attempt"] == 1).await;
    assert_eq!((&runs["mode"], &runs["is_crashed"]), (&"production".into(), &false.into()));
    assert_eq!((&runs["pid"], &runs["selection"]), (&run.id().into(), &"*".into()));
    assert_eq!(runs["tasks"][0]["task"], "raw.orders");
    assert!(runs["started_at"].as_str().expect("a time").ends_with('Z'));
    let text = scene.told(&["status"]).await;
    assert!(
        text.contains("\nrunning   production by ") && text.contains("  raw.orders   attempt 1   "),
        "{text}"
    );

    run.kill().expect("it still runs");
    run.wait().expect("it ends");
    until(&scene, |run| run["is_crashed"] == true).await;
    let text = scene.told(&["status"]).await;
    assert!(text.contains("\ncrashed   production by "), "{text}");
}

/// Asks for the status until the only run is as wanted.
async fn until(scene: &Scene, is_wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, exit) = scene.json(&["status"]).await;
        assert_eq!(exit, 0, "{status:#}");
        if is_wanted(&status["runs"][0]) {
            return status["runs"][0].clone();
        }
        assert!(Instant::now() < deadline, "{status:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_command_that_looks_ends_at_the_first_signal() {
    let scene = Scene::new("", "\"*\" = \"full\"").await;
    for command in ["status", "history", "doctor", "discover"] {
        // A server that takes connections and never says a word.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("postgres://me@{}/nothing", silent.local_addr().expect("it is bound"));
        let arguments: &[&str] = if command == "discover" { &["discover", "shop"] } else { &[command] };
        let mut command = scene.command(arguments);
        command.env("WAREHOUSE_URL", &url).env("SHOP_URL", &url).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the built binary starts");
        let _connection = silent.accept().await.expect("it connects");
        let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
        assert!(sent.expect("kill is there").success());
        let asked = Instant::now();
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("no panic");
        assert_eq!(ended.expect("it ends").code(), Some(130), "{arguments:?}");
        assert!(asked.elapsed() < Duration::from_secs(8), "{arguments:?} took {:?}", asked.elapsed());
    }
}
