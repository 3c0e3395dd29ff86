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

#[tokio::test]
async fn what_a_run_would_fail_at_is_told_before() {
    let tables = "CREATE TABLE orders (id bigint PRIMARY KEY, tip int); CREATE TABLE cities (id int);
                  CREATE TABLE events (id int); CREATE TABLE riders (id int PRIMARY KEY, fee int);";
    let scene =
        Scene::new(tables, "orders = 'full'\nriders = { strategy = 'full', on_broken_view = 'drop' }\n")
            .await;
    assert!(scene.told(&["run"]).await.starts_with("exit status: 0\n"));
    let warehouse = scene.database();
    warehouse
        .run(
            "CREATE SCHEMA bi; CREATE VIEW bi.tips AS SELECT tip FROM raw.orders;
             CREATE VIEW bi.upon AS SELECT max(tip) FROM bi.tips; CREATE VIEW bi.ids AS SELECT id FROM raw.orders;
             CREATE VIEW bi.fees AS SELECT id FROM raw.riders ORDER BY fee;
             CREATE SEQUENCE raw.cities; CREATE DOMAIN raw.events AS int;
             GRANT USAGE, CREATE ON SCHEMA bi TO barncat_warehouse;
             ALTER VIEW bi.tips OWNER TO barncat_warehouse; ALTER VIEW bi.upon OWNER TO barncat_warehouse;
             ALTER VIEW bi.ids OWNER TO barncat_warehouse; ALTER VIEW bi.fees OWNER TO barncat_warehouse;",
        )
        .await;
    let name = scene.schema().name().to_owned();
    scene
        .schema()
        .run_on_primary(&format!(
            "ALTER TABLE {name}.orders DROP COLUMN tip; ALTER TABLE {name}.riders DROP COLUMN fee"
        ))
        .await;
    let rows = "orders = 'full'\ncities = 'full'\nevents = 'full'\nriders = { strategy = 'full', on_broken_view = 'drop' }\n";
    scene.write(
        "loaders/shop.toml",
        &format!("source = \"shop\"\nschema = \"{name}\"\ninto = \"raw\"\n[tables]\n{rows}"),
    );
    let (plan, status) = scene.json(&["plan"]).await;
    assert_eq!(status, 1);
    let message = |plan: &Value, name: &str| task(plan, name)["error"]["message"].as_str().map(str::to_owned);
    let expected = [
        ("raw.orders", Some("the new columns of raw.orders break bi.upon, bi.tips")),
        ("raw.cities", Some("raw.cities cannot be made: a sequence of that name is there")),
        ("raw.events", Some("raw.events cannot be made: a domain of that name is there")),
        ("raw.riders", None),
    ];
    for (name, said) in expected {
        assert_eq!(message(&plan, name).as_deref(), said, "{plan:#}");
    }
    assert_eq!(task(&plan, "raw.riders")["notes"], json!(["its new columns break bi.fees: dropped then"]));
    let (outcome, status) = scene.json(&["run"]).await;
    assert_ne!(status, 0);
    for (name, said) in expected {
        assert_eq!(message(&outcome, name).as_deref(), said, "a run says the same: {outcome:#}");
    }
}
