//! `discover`: what it lists, writes and refuses.

use super::{assert_told, scene::Scene};

const TABLES: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON orders (updated_at);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
    CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    INSERT INTO orders SELECT n FROM generate_series(1, 5000) n;
    CREATE TABLE events (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, happened_at timestamptz NOT NULL);
    CREATE TABLE \"Odd *name\" (note text);
    CREATE TABLE tmp_import (note text);
    CREATE TABLE notes (a int, b int, PRIMARY KEY (b, a), modified timestamptz NOT NULL);
    CREATE VIEW big AS SELECT * FROM orders;
    ANALYZE;";

const ROWS: &str = "# the hot ones
orders = { strategy = 'full', tags = [\"hot\"] }   # every half hour
\"tmp_*\" = \"skip\"
";

/// A project whose source's role sees the test's schema alone: others' tests have schemas too.
async fn scene(rows: &str) -> (Scene, String) {
    let scene = Scene::new(TABLES, rows).await;
    let url = scene.own_role().await;
    (scene, url)
}

#[tokio::test]
async fn tables_that_nothing_lists_are_printed_as_rows() {
    let (scene, url) = scene(ROWS).await;
    let before = scene.read("loaders/shop.toml");
    assert_told!(scene.told_with(&["discover", "shop"], &[("SHOP_URL", &url)]).await);
    assert_eq!(scene.read("loaders/shop.toml"), before, "it only looks");
}

#[tokio::test]
async fn written_rows_leave_what_people_wrote_and_are_valid() {
    let (scene, url) = scene(ROWS).await;
    let url = [("SHOP_URL", url.as_str())];
    let before = scene.read("loaders/shop.toml");
    assert_told!(scene.told_with(&["discover", "shop", "--check"], &url).await);
    let told = scene.told_with(&["discover", "shop", "--write"], &url).await;
    assert!(told.ends_with("wrote 4 rows to loaders/shop.toml\n"), "{told}");
    let after = scene.read("loaders/shop.toml");
    assert!(after.starts_with(&before), "{after}");
    insta::assert_snapshot!(after[before.len()..].to_owned());
    assert!(scene.told(&["validate"]).await.starts_with("exit status: 0\n"));
    assert_told!(scene.told_with(&["discover", "shop", "--check"], &url).await);
    let again = scene.told_with(&["discover", "shop", "--write"], &url).await;
    assert!(again.ends_with("--- stderr\nlisted: all of 6 tables\n"), "{again}");
    assert_eq!(scene.read("loaders/shop.toml"), after, "nothing is written twice");
}

#[tokio::test]
async fn a_wildcard_lists_every_table() {
    let (scene, url) = scene("\"*\" = \"full\"\n").await;
    let told = scene.told_with(&["discover", "shop", "--check"], &[("SHOP_URL", &url)]).await;
    assert_eq!(told, "exit status: 0\n--- stdout\n--- stderr\nlisted: all of 6 tables\n");
}

#[tokio::test]
async fn a_source_without_a_file_gets_one() {
    let (scene, url) = scene(ROWS).await;
    std::fs::remove_file(scene.path().join("loaders/shop.toml")).expect("it is removed");
    let url = [("SHOP_URL", url.as_str())];
    let told = scene.told_with(&["discover", "shop", "--write"], &url).await;
    assert!(told.ends_with("wrote 6 rows to loaders/shop.toml\n"), "{told}");
    let schema = format!("schema = \"{}\"\n", scene.schema().name());
    assert!(scene.read("loaders/shop.toml").contains(&schema));
    assert!(scene.told_with(&["discover", "shop", "--check"], &url).await.starts_with("exit status: 0\n"));
}

#[tokio::test]
async fn json_has_bytes_and_nulls() {
    let (scene, url) = scene(ROWS).await;
    let (found, status) = scene.json_with(&["discover", "shop"], &[("SHOP_URL", &url)]).await;
    assert_eq!(status, 0);
    assert_eq!((&found["source"], &found["written"]), (&"shop".into(), &serde_json::json!([])));
    let table = |name: &str| {
        let mut tables = found["tables"].as_array().expect("a list").iter();
        tables.find(|table| table["table"] == name).expect("it is listed").clone()
    };
    let orders = table("orders");
    assert_eq!((&orders["rows_estimate"], &orders["listed_by"]), (&5000.into(), &"orders".into()));
    assert!(orders["bytes"].as_u64().expect("bytes") > 100_000, "{orders}");
    let cursor = serde_json::json!({
        "column": "updated_at", "type": "timestamp with time zone", "indexed": true,
        "unique": false, "nullable": false, "set_by": { "trigger": "touch" }, "tells": "updates"
    });
    assert_eq!(orders["cursor"], cursor);
    let view = table("big");
    for key in ["rows_estimate", "cursor", "listed_by"] {
        assert_eq!(view[key], serde_json::Value::Null, "{key}");
    }
    assert_eq!(table("tmp_import")["listed_by"], "tmp_*");
    let (found, status) = scene.json_with(&["discover", "shop", "--check"], &[("SHOP_URL", &url)]).await;
    assert_eq!((status, found["tables"].as_array().map(Vec::len)), (1, Some(4)));
}

#[tokio::test]
async fn an_unknown_source_is_a_usage_error_with_a_suggestion() {
    let scene = Scene::new("", ROWS).await;
    assert_told!(scene.told(&["discover", "shp"]).await);
    assert_told!(scene.told(&["discover", "billing"]).await);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_error_and_stays() {
    let (scene, url) = scene("orders = \"full\"\n").await;
    let before = scene.read("loaders/shop.toml");
    // A folder where the new file would be: not even root can write that.
    std::fs::create_dir(scene.path().join("loaders/.shop.toml.new")).expect("a folder is made");
    assert_told!(scene.told_with(&["discover", "shop", "--write"], &[("SHOP_URL", &url)]).await);
    assert_eq!(scene.read("loaders/shop.toml"), before);
}
