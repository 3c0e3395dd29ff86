//! What fails before a publish leaves the last good table live, whatever the strategy and the warehouse.

use serde_json::{Value, json};

use super::{check, full};
use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{INTO, Project, on_primary, task},
};

on_each_ground![
    what_fails_before_its_publish_keeps_the_last_good_table_and_its_rows_can_be_looked_at,
    what_warns_is_published,
    values_of_rows_that_stay_count_for_rows_that_come,
];

const SOURCE: &str = "
    CREATE TABLE whole (id int PRIMARY KEY, v int);
    CREATE TABLE wide (id int PRIMARY KEY, v int);
    CREATE TABLE log (id int PRIMARY KEY, v int);
    CREATE TABLE accounts (id int PRIMARY KEY, v int, at timestamptz DEFAULT now() - interval '3 hours');
    CREATE TABLE made_of (id int PRIMARY KEY, v int);
    INSERT INTO whole SELECT n, n FROM generate_series(1, 50) n;
    INSERT INTO wide SELECT n, n FROM generate_series(1, 50) n;
    INSERT INTO log SELECT n, n FROM generate_series(1, 50) n;
    INSERT INTO accounts SELECT n, n FROM generate_series(1, 50) n;
    INSERT INTO made_of SELECT n, n FROM generate_series(1, 50) n;";

const LOADERS: &str = r#"[tables]
made_of = "full"
whole = { strategy = "full", checks = { before_publish = true, not_null = ["v"] } }
wide = { strategy = "full", fill_jobs = 2 }
log = { strategy = "append", cursor = "id", checks = { before_publish = true, not_null = ["v"] } }
accounts = { strategy = "merge", cursor = "at", checks = { before_publish = true, not_null = ["v"] } }
"#;

const CHANGE: &str = "
    UPDATE whole SET v = NULL WHERE id = 7; UPDATE wide SET v = NULL WHERE id = 7;
    INSERT INTO log VALUES (51, 51), (52, NULL);
    UPDATE accounts SET v = NULL, at = now() WHERE id = 7; UPDATE accounts SET v = 1, at = now() WHERE id = 8;
    UPDATE made_of SET v = NULL WHERE id = 7;";

const MEND: &str = "
    UPDATE whole SET v = 0 WHERE v IS NULL; UPDATE wide SET v = 0 WHERE v IS NULL;
    UPDATE log SET v = 0 WHERE v IS NULL; UPDATE accounts SET v = 0 WHERE v IS NULL;
    UPDATE made_of SET v = 0 WHERE v IS NULL;";

/// Those that a check is asked of before they are published.
const TABLES: [&str; 5] = ["whole", "wide", "log", "accounts", "made"];

fn write_models(project: &Project) {
    project.write(
        "sql/models/made.sql",
        "/* barncat\nkey = [\"id\"]\nchecks = { not_null = { columns = [\"v\"], before_publish = true } }\n*/\nselect id, v from made_of",
    );
    project.write("sql/models/upon_whole.sql", "select count(*) as n from whole");
    // The table is called by its own name, and joined with one that is published.
    project.write(
        "sql/checks/wide_has_values.sql",
        "/* barncat\nbefore_publish = true\non = [\"wide\"]\n*/\n\
         select wide.id from wide join made_of on made_of.id = wide.id where wide.v is null -- none\n",
    );
}

async fn rows_of(scene: &Scene) -> Vec<Option<String>> {
    let mut rows = Vec::new();
    for table in TABLES {
        rows.push(scene.in_warehouse(table).await);
    }
    rows
}

async fn what_fails_before_its_publish_keeps_the_last_good_table_and_its_rows_can_be_looked_at(
    ground: Ground,
) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    write_models(&scene);
    let outcome = scene.run(&[]).await;
    for table in TABLES {
        let checks = task(&outcome, &full(table))["checks"].as_array().cloned().unwrap_or_default();
        assert_eq!(checks.len(), 1, "{table}: {outcome:#}");
        assert_eq!((&checks[0]["status"], &checks[0]["before_publish"]), (&json!("passed"), &json!(true)));
    }
    let good = rows_of(&scene).await;
    on_primary(&scene, CHANGE).await;

    let (status, outcome) = scene.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    assert_eq!(rows_of(&scene).await, good, "{outcome:#}");
    for table in TABLES {
        let failed = task(&outcome, &full(table));
        assert_eq!(failed["status"], "failed", "{table}: {outcome:#}");
        assert_eq!(failed["attempts"], 1, "another try would find the same: {outcome:#}");
        assert_eq!(failed["error"]["class"], "lasting", "{outcome:#}");
        assert_eq!(failed["checks"][0]["rows"], 1, "{outcome:#}");
        let kept = kept(failed);
        let bad =
            format!("SELECT count(*) || ' of ' || (SELECT count(*) FROM {kept}) FROM {kept} WHERE v IS NULL");
        // Of what is loaded by new rows the staging table has those alone; an overlap may come with them.
        let told = scene.database.text(&bad).await;
        let expected = if matches!(table, "log" | "accounts") { "1 of " } else { "1 of 50" };
        assert!(told.starts_with(expected), "{table}: {told}");
    }
    let message = task(&outcome, &full("whole"))["error"]["message"].as_str().unwrap_or_default();
    let not_null = "raw.whole was not published: not_null (v): 1 of 50 rows have no `v`";
    assert_eq!(message, not_null);
    let blocked = task(&outcome, &full("upon_whole"));
    assert_eq!((&blocked["status"], &blocked["blocked_by"]), (&json!("blocked"), &json!([full("whole")])));

    // Other runs let it be, and the next failure takes its place.
    scene.run(&["made_of"]).await;
    let before = kept_tables(&scene).await;
    assert_eq!(before.len(), TABLES.len(), "{before:?}");
    let (_, outcome) = scene.try_run(&["whole"]).await;
    assert_eq!(task(&outcome, &full("whole"))["status"], "failed");
    scene.run(&["made_of"]).await;
    let after = kept_tables(&scene).await;
    assert_eq!(after.len(), TABLES.len(), "{after:?}");
    assert_eq!(after.iter().filter(|table| before.contains(table)).count(), TABLES.len() - 1, "{after:?}");

    // `clean` takes them away.
    let output = scene.barncat(&["clean"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(scene.tables_of_loads().await, Vec::<String>::new());
    assert_eq!(rows_of(&scene).await, good);

    on_primary(&scene, MEND).await;
    scene.run(&[]).await;
    scene.assert_equal(&["whole", "wide", "log", "accounts"]).await;
    assert_ne!(rows_of(&scene).await, good);
    scene.run(&["made_of"]).await;
    assert_eq!(scene.tables_of_loads().await, Vec::<String>::new());
}

/// The staging tables that are there, without their keys.
async fn kept_tables(scene: &Scene) -> Vec<String> {
    let mut tables = scene.tables_of_loads().await;
    tables.retain(|table| !table.ends_with("_pkey"));
    tables
}

/// The staging table that the hint names, for SQL.
fn kept(task: &Value) -> String {
    let hint = task["error"]["hint"].as_str().unwrap_or_default();
    let name = hint.split("are kept in ").nth(1).and_then(|rest| rest.split(" until").next());
    name.unwrap_or_else(|| panic!("no staging table in {hint}")).to_owned()
}

async fn what_warns_is_published(ground: Ground) {
    let loaders = r#"[tables]
whole = { strategy = "full", checks = { before_publish = true, not_null = { columns = ["v"], severity = "warn" }, unique = { columns = ["v"], error_if = "> 10%" } } }
"#;
    let scene = Scene::on(ground, SOURCE, loaders).await;
    on_primary(&scene, "UPDATE whole SET v = NULL WHERE id = 7; UPDATE whole SET v = 1 WHERE id = 2").await;
    let outcome = scene.run(&[]).await;
    let whole = task(&outcome, &full("whole"));
    assert_eq!(whole["status"], "succeeded", "{outcome:#}");
    for (label, rows) in [("not_null (v)", 1), ("unique (v)", 2)] {
        let check = check(&outcome, &full("whole"), label);
        assert_eq!((&check["status"], &check["rows"]), (&json!("warned"), &json!(rows)), "{outcome:#}");
    }
    assert_eq!(whole["warnings"].as_array().map(Vec::len), Some(2), "{outcome:#}");
    scene.assert_equal(&["whole"]).await;
    assert_eq!(scene.tables_of_loads().await, Vec::<String>::new());
}

/// `v` is no key: only what is there already tells that a new row's is taken.
async fn values_of_rows_that_stay_count_for_rows_that_come(ground: Ground) {
    let unique = "checks = { before_publish = true, unique = [\"v\"] }";
    let loaders = format!(
        "[tables]\nlog = {{ strategy = \"append\", cursor = \"id\", {unique} }}\n\
         accounts = {{ strategy = \"merge\", cursor = \"at\", {unique} }}\n"
    );
    let scene = Scene::on(ground, SOURCE, &loaders).await;
    scene.run(&[]).await;
    // Two values change places: that is no double, though both are there before.
    on_primary(
        &scene,
        "UPDATE accounts SET v = 9 - v, at = now() WHERE id IN (4, 5); INSERT INTO log VALUES (51, 51)",
    )
    .await;
    scene.run(&[]).await;
    scene.assert_equal(&["log", "accounts"]).await;
    let good = (scene.in_warehouse("log").await, scene.in_warehouse("accounts").await);
    on_primary(&scene, "INSERT INTO log VALUES (52, 7); UPDATE accounts SET v = 7, at = now() WHERE id = 8")
        .await;
    let (status, outcome) = scene.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    for table in ["log", "accounts"] {
        assert_eq!(check(&outcome, &full(table), "unique (v)")["rows"], 1, "{table}: {outcome:#}");
    }
    assert_eq!((scene.in_warehouse("log").await, scene.in_warehouse("accounts").await), good);
    let double = format!("SELECT count(*)::text FROM {INTO}.log WHERE id = 52");
    assert_eq!(scene.database.text(&double).await, "0");
}
