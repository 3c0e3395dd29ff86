//! `hold` and `release`, and what a hold means to the other commands.

use std::path::Path;

use super::{assert_told, scene::Scene, told};

const TABLES: &str = "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1);
    CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1);
    CREATE TABLE riders (id int PRIMARY KEY);";

#[test]
fn help_says_what_a_hold_means() {
    assert_told!(told(Path::new(env!("CARGO_MANIFEST_DIR")), &["hold", "--help"]));
}

#[tokio::test]
async fn a_table_on_hold_keeps_its_rows_until_it_is_released() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    assert_told!(scene.told(&["hold", "ord*", "--for", "12h"]).await);
    let run = scene.told(&["run", "orders"]).await;
    assert!(run.starts_with("exit status: 3\n"), "all that was selected is held: {run}");
    assert!(
        run.contains("○ orders   held: on hold since ")
            && run.contains("`barncat release raw.orders` lets it go"),
        "{run}"
    );
    let (run, status) = scene.json(&["run"]).await;
    assert_eq!((status, &run["status"]), (0, &"succeeded".into()), "a hold is no failure: {run:#}");
    let orders = run["tasks"].as_array().unwrap().iter().find(|task| task["task"] == "raw.orders").unwrap();
    assert_eq!((&orders["status"], &orders["error"]["class"]), (&"held".into(), &"held".into()));
    assert_eq!(
        scene
            .database()
            .texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'raw' AND tablename = 'orders'")
            .await,
        [""; 0]
    );

    let again = ["hold", "orders", "--reason", "the source is being mended"];
    assert_told!(scene.told(&again).await);
    assert_told!(scene.told(&["status"]).await);
    let (status, _) = scene.json(&["status"]).await;
    let hold = &status["holds"][0];
    assert_eq!((&hold["task"], &hold["until"]), (&"raw.orders".into(), &serde_json::Value::Null));
    assert_eq!(hold["reason"], "the source is being mended");
    let plan = scene.told(&["plan", "orders"]).await;
    assert!(
        plan.contains("  ○ orders   on hold since ") && plan.contains("barncat release raw.orders"),
        "{plan}"
    );
    let (plan, _) = scene.json(&["plan"]).await;
    let held: Vec<_> =
        plan["tasks"].as_array().unwrap().iter().filter(|task| !task["hold"].is_null()).collect();
    assert_eq!((held.len(), &held[0]["task"]), (1, &"raw.orders".into()));

    assert_told!(scene.told(&["release", "*"]).await);
    let (run, status) = scene.json(&["run", "orders"]).await;
    assert_eq!((status, &run["tasks"][0]["status"]), (0, &"succeeded".into()));
    assert_eq!(
        scene.json(&["release", "orders"]).await,
        (serde_json::json!({"tasks": [{"task": "raw.orders", "released": false}]}), 0)
    );
}

#[tokio::test]
async fn a_table_that_must_match_one_on_hold_waits_with_it() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    let loaders = scene.read("loaders/shop.toml");
    scene.write(
        "loaders/shop.toml",
        &loaders.replace("\n[tables]", "consistent = [[\"orders\", \"items\"]]\n\n[tables]"),
    );
    let (held, status) = scene.json(&["hold", "orders"]).await;
    assert_eq!((status, &held["holds"][0]["extended"]), (0, &false.into()));
    let (plan, status) = scene.json(&["plan"]).await;
    assert_eq!(status, 0, "nothing is published yet of what must match: {plan:#}");
    let (run, status) = scene.json(&["run"]).await;
    assert_eq!(status, 0);
    let of = |name: &str| {
        let tasks = run["tasks"].as_array().unwrap();
        tasks.iter().find(|task| task["task"] == name).unwrap_or_else(|| panic!("no {name}: {run:#}")).clone()
    };
    assert_eq!(
        (&of("raw.riders")["status"], &of("raw.orders")["status"]),
        (&"succeeded".into(), &"held".into())
    );
    let items = of("raw.items");
    assert_eq!(items["status"], "held");
    let message = items["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("it must match raw.orders, which is on hold since "), "{message}");
    let (alone, status) = scene.json(&["run", "items"]).await;
    assert_eq!((status, &alone["tasks"][0]["status"]), (0, &"succeeded".into()), "{alone:#}");
}

#[tokio::test]
async fn a_table_on_hold_is_compared_as_it_is_and_not_brought_up_to_its_source() {
    let scene = Scene::new(TABLES, "orders = \"full\"").await;
    assert_eq!(scene.json(&["run"]).await.1, 0);
    assert_eq!(scene.json(&["hold", "orders"]).await.1, 0);
    assert_eq!(scene.json(&["verify"]).await.1, 3);
    let (verified, status) = scene.json(&["verify", "--as-is"]).await;
    assert_eq!((status, &verified["tasks"][0]["verification"]["equal"]), (0, &true.into()));
}

#[tokio::test]
async fn what_cannot_be_held_is_a_usage_error_and_holds_nothing() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    assert_told!(scene.told(&["hold", "ordrs"]).await);
    for span in ["12", "0h", "20000 w"] {
        let text = scene.told(&["hold", "orders", "--for", span]).await;
        assert!(text.starts_with("exit status: 2\n--- stdout\n--- stderr\nerror: invalid value"), "{text}");
    }
    assert!(scene.told(&["release"]).await.starts_with("exit status: 2\n"));
    assert_eq!(scene.json(&["status"]).await.0["holds"], serde_json::json!([]));
}

#[tokio::test]
async fn a_table_that_no_loader_names_any_more_can_still_be_released() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"").await;
    assert_eq!(scene.json(&["hold", "orders"]).await.1, 0);
    scene.write("loaders/shop.toml", &scene.read("loaders/shop.toml").replace("\"*\" =", "riders ="));
    let (released, status) = scene.json(&["release", "orders"]).await;
    assert_eq!((status, &released["tasks"][0]["released"]), (0, &true.into()));
}
