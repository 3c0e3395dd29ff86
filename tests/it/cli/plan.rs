//! `plan`: what it says of loaders of new rows.

use serde_json::{Value, json};

use super::{assert_told, scene::Scene};

const TABLES: &str = "
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
    CREATE TABLE orders (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON orders (updated_at);
    CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE TABLE riders (id bigint PRIMARY KEY, updated_at timestamptz DEFAULT now());
    CREATE TABLE cities (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL);
    CREATE TABLE events (id bigint UNIQUE NOT NULL, updated_at timestamptz);
    CREATE TABLE visits (at date, note text);
    CREATE VIEW recent AS SELECT * FROM orders;
    INSERT INTO orders VALUES (1); INSERT INTO riders VALUES (1); INSERT INTO cities VALUES (1, now());
    INSERT INTO events VALUES (1);";

const ROWS: &str = "
orders = { strategy = 'merge', cursor = 'updated_at' }
riders = { strategy = 'merge', cursor = 'updated_at' }
cities = { strategy = 'merge', cursor = 'updated_at', compare_every = 'off' }
events = { strategy = 'append', cursor = 'id', overlap = '5m' }
visits = { strategy = 'append', cursor = 'at' }
recent = { strategy = 'merge', cursor = 'updated_at', key = ['id'], deletes = 'detect' }
";

fn task<'a>(plan: &'a Value, name: &str) -> &'a Value {
    let tasks = plan["tasks"].as_array().expect("a list");
    tasks.iter().find(|task| task["task"] == name).unwrap_or_else(|| panic!("no {name} in {plan:#}"))
}

#[tokio::test]
async fn cursors_are_judged_and_late_rows_promised_once() {
    let scene = Scene::new(TABLES, ROWS).await;
    assert_told!(scene.told(&["plan"]).await);
    let (plan, status) = scene.json(&["plan"]).await;
    assert_eq!(status, 1, "visits has no key");
    let orders = task(&plan, "raw.orders");
    let cursor = json!({
        "column": "updated_at", "indexed": true, "unique": false, "nullable": false,
        "set_by": { "trigger": "touch" }
    });
    assert_eq!(orders["cursor"], cursor);
    assert_eq!(orders["notes"], json!([]));
    let late_rows = &orders["late_rows"];
    assert_eq!(
        (&late_rows["overlap_seconds"], &late_rows["compare_every_seconds"]),
        (&3600.0.into(), &86400.0.into())
    );
    assert_eq!(task(&plan, "raw.cities")["late_rows"]["compare_every_seconds"], Value::Null);
    assert_eq!(task(&plan, "raw.riders")["cursor"]["nullable"], true);
    assert_eq!(task(&plan, "raw.riders")["cursor"]["set_by"], "default");
    let events = &task(&plan, "raw.events")["cursor"];
    assert_eq!((&events["unique"], &events["set_by"]), (&true.into(), &"writer".into()));
    assert_eq!(task(&plan, "raw.recent")["cursor"]["set_by"], Value::Null);
    let visits = task(&plan, "raw.visits");
    assert_eq!((&visits["cursor"], &visits["late_rows"]), (&Value::Null, &Value::Null));
}
