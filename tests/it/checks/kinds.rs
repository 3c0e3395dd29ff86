//! Each kind passes what is well and finds what is planted, on both warehouses.

use serde_json::{Value, json};

use super::{check, found, full};
use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{Project, on_primary, task},
};

on_each_ground![each_kind_passes_what_is_well_and_finds_what_is_planted, two_queries_must_agree];

const SOURCE: &str = "
    CREATE TABLE riders (id int PRIMARY KEY, name text);
    INSERT INTO riders SELECT n, 'rider ' || n FROM generate_series(0, 6) n;
    CREATE TABLE orders (id bigint PRIMARY KEY, code text, rider_id int, state text, fee numeric(9,2), email text, at timestamptz);
    INSERT INTO orders SELECT n, 'code ' || n, n % 7, 'paid', n / 4.0, 'mail ' || n, now() FROM generate_series(1, 200) n;";

const LOADERS: &str = r#"[tables]
riders = "full"
orders = { strategy = "full", tier = "critical", checks = { unique = ["code", ["rider_id", "code"]], not_null = ["email"], accepted_values = { state = ["new", "paid"], rider_id = [0, 1, 2, 3, 4, 5, 6, 99] }, relationship = { rider_id = "riders.id" }, row_count = { min = 150 }, freshness = { column = "at", max = "26h" }, range = { fee = { max = 100, min = 0, where = "id < 100" } }, match_source = "hash" } }
"#;

const LABELS: [&str; 10] = [
    "unique (code)",
    "unique (rider_id, code)",
    "not_null (email)",
    "accepted_values (state)",
    "accepted_values (rider_id)",
    "relationship (rider_id)",
    "row_count",
    "freshness (at)",
    "range (fee)",
    "match_source",
];

/// What none of the checks is about: one that passed only because it looked at nothing would be found.
const BREAK: &str = "
    UPDATE orders SET code = 'code 1', rider_id = 3 WHERE id IN (2, 3);
    UPDATE orders SET email = NULL WHERE id = 4;
    UPDATE orders SET state = 'odd' WHERE id IN (5, 6);
    UPDATE orders SET state = NULL, code = NULL WHERE id IN (20, 21);
    UPDATE orders SET rider_id = 99 WHERE id IN (7, 8, 9);
    UPDATE orders SET fee = -1 WHERE id IN (10, 110);
    UPDATE orders SET fee = 100.01 WHERE id IN (11, 12);
    UPDATE orders SET at = now() - interval '3 days';
    DELETE FROM orders WHERE id > 120;";

async fn checked(project: &Project, arguments: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = ["check", "--output", "json"].iter().chain(arguments).copied().collect();
    let output = project.barncat(&all, &[]).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

async fn each_kind_passes_what_is_well_and_finds_what_is_planted(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let outcome = scene.run(&[]).await;
    let name = full("orders.checks");
    let checks = task(&outcome, &name);
    assert_eq!(
        (&checks["status"], &checks["tier"], &checks["kind"]),
        (&json!("succeeded"), &json!("critical"), &json!("check"))
    );
    for label in LABELS {
        assert_eq!(check(&outcome, &name, label)["status"], "passed", "{label}: {outcome:#}");
    }

    let compiled = scene.barncat(&["compile", "orders.checks"], &[]).await;
    let sql = String::from_utf8_lossy(&compiled.stdout).into_owned();
    // One scan, two statements for `unique`, one for `relationship`.
    assert_eq!((sql.matches(";\n").count(), sql.matches("sum(").count()), (4, 3), "{sql}");

    // The warehouse is as it was; the source is not.
    on_primary(&scene, BREAK).await;
    let (status, outcome) = checked(&scene, &["orders"]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    assert_eq!(outcome["tasks"].as_array().map(Vec::len), Some(1), "{outcome:#}");
    // 120 rows differ in `at`, 80 are gone.
    assert_eq!(found(&outcome, "match_source"), ("failed".into(), Some(200)), "{outcome:#}");
    for label in LABELS.iter().filter(|label| **label != "match_source") {
        assert_eq!(found(&outcome, label).0, "passed", "{label}: {outcome:#}");
    }

    let (status, outcome) = scene.try_run(&[]).await;
    assert_eq!(status, Some(1), "the check of a critical table failed: {outcome:#}");
    assert_eq!(task(&outcome, &full("orders"))["status"], "succeeded");
    let failed = |rows: u64| ("failed".to_owned(), Some(rows));
    assert_eq!(found(&outcome, "unique (code)"), failed(3), "{outcome:#}");
    assert_eq!(found(&outcome, "unique (rider_id, code)"), failed(2), "{outcome:#}");
    assert_eq!(found(&outcome, "not_null (email)"), failed(1), "{outcome:#}");
    assert_eq!(found(&outcome, "accepted_values (state)"), failed(2), "NULL is no value: {outcome:#}");
    assert_eq!(found(&outcome, "accepted_values (rider_id)"), ("passed".into(), Some(0)), "{outcome:#}");
    assert_eq!(found(&outcome, "relationship (rider_id)"), failed(3), "{outcome:#}");
    assert_eq!(found(&outcome, "range (fee)"), failed(3), "the row 110 is not looked at: {outcome:#}");
    assert_eq!(found(&outcome, "row_count").0, "failed", "{outcome:#}");
    assert_eq!(found(&outcome, "freshness (at)").0, "failed", "{outcome:#}");
    assert_eq!(found(&outcome, "match_source").0, "passed", "{outcome:#}");
    let checks = task(&outcome, &name);
    let told = checks["error"]["message"].as_str().unwrap_or_default();
    assert!(told.contains("unique (code): 3 of 120 rows share `code` with another row"), "{told}");
    assert!(told.contains("row_count: it has 120 rows, and at least 150 are expected"), "{told}");
}

async fn two_queries_must_agree(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, "[tables]\nriders = \"full\"\norders = \"full\"\n").await;
    scene.write(
        "sql/models/totals.sql",
        "select rider_id, count(*) as orders, sum(fee) as fees from orders group by rider_id",
    );
    let reconcile = |other: &str| {
        format!(
            "/* barncat\nreconcile = \"\"\"\n{other} -- of the model\n\"\"\"\n*/\nselect sum(fees), sum(orders) from totals -- all\n"
        )
    };
    scene.write("sql/checks/agree.sql", &reconcile("select sum(fee), count(*) from orders"));
    let outcome = scene.run(&[]).await;
    assert_eq!(task(&outcome, "agree")["status"], "succeeded", "{outcome:#}");
    scene.write("sql/checks/agree.sql", &reconcile("select sum(fee) + 1, count(*) from orders"));
    let (status, outcome) = checked(&scene, &["agree"]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    assert_eq!(
        task(&outcome, "agree")["error"]["message"],
        "sql/checks/agree.sql found 2 rows",
        "{outcome:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_held_against_the_loads_before_and_thresholds_say_what_it_means() {
    let loaders = r#"[tables]
riders = { strategy = "full", checks = { row_count = { change = "20%", severity = "warn" }, freshness = { max = "1h" }, not_null = { columns = ["name"], error_if = "> 50%" } } }
"#;
    let project = Project::new(SOURCE, loaders).await;
    let name = full("riders.checks");
    for round in 0..3 {
        on_primary(&project, &format!("UPDATE riders SET name = 'round {round}' WHERE id = 0")).await;
        let outcome = project.run(&[]).await;
        assert_eq!(check(&outcome, &name, "row_count")["status"], "passed", "{outcome:#}");
    }
    on_primary(&project, "INSERT INTO riders SELECT n, NULL FROM generate_series(7, 8) n").await;
    let outcome = project.run(&[]).await;
    assert_eq!(check(&outcome, &name, "row_count")["status"], "warned", "{outcome:#}");
    assert_eq!(check(&outcome, &name, "not_null (name)")["status"], "warned", "2 of 9: {outcome:#}");
    assert_eq!(check(&outcome, &name, "freshness")["status"], "passed", "{outcome:#}");
    let warnings = task(&outcome, &name)["warnings"].to_string();
    assert!(
        warnings.contains("it has 9 rows, more than 20 % off 7, the median of the loads before"),
        "{warnings}"
    );
    let incident = "SELECT (alarm->>'severity') || ' ' || state FROM barncat_control.incidents WHERE cause = 'task raw.riders.checks'";
    assert_eq!(project.database.text(incident).await, "warn open");
    // The ledger says that it is old, whoever looks.
    project.database.run("UPDATE barncat.loads SET as_of = as_of - interval '2 hours'").await;
    let (status, outcome) = checked(&project, &["kind:check"]).await;
    assert_eq!(
        (status, &check(&outcome, &name, "freshness")["status"]),
        (Some(1), &json!("failed")),
        "{outcome:#}"
    );
}
