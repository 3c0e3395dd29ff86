//! `doctor` on Redshift: what it tests, what it leaves behind, and the policies that it prints.

use serde_json::Value;

use crate::support::{
    project::INTO,
    redshift::{OnRedshift, Way},
};

const SOURCE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1);";

async fn by(way: Way) -> OnRedshift {
    OnRedshift::by(way, SOURCE, "[tables]\norders = \"full\"\n").await
}

async fn doctor(on: &OnRedshift, arguments: &[&str]) -> Value {
    let output = on.project.barncat(&[&["doctor", "--output", "json"], arguments].concat(), &[]).await;
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What the tests of the warehouse found: test, status, message.
fn found(report: &Value) -> Vec<String> {
    let text = |found: &Value, key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let tests = report["tests"].as_array().expect("a list").iter();
    tests
        .filter(|found| found["part"] == "warehouse")
        .map(|found| ["status", "test", "message"].map(|key| text(found, key)).join(" "))
        .collect()
}

async fn all_is_well(on: &OnRedshift, tables: &str) -> Vec<String> {
    let who = on.text("SELECT current_database() || ' as ' || current_user").await;
    vec![
        format!("ok login logs in to {who}, Redshift 1.0.12103"),
        "ok clock its clock agrees with this machine's".to_owned(),
        format!("ok schemas may create tables in barncat, {INTO}"),
        format!("ok tables {tables}"),
        "ok policies policies and datashares of tables can be asked for".to_owned(),
        "ok copy COPY reads the stage by arn:aws:iam::111122223333:role/copy".to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_needs_is_tested_and_nothing_is_left() {
    let on = by(Way::DataApi).await;
    assert_eq!(found(&doctor(&on, &[]).await), all_is_well(&on, "none of the tables is there yet").await);
    on.project.run(&[]).await;
    assert_eq!(found(&doctor(&on, &[]).await), all_is_well(&on, "may replace the table that is there").await);
    let on = by(Way::Wire).await;
    assert_eq!(found(&doctor(&on, &[]).await), all_is_well(&on, "none of the tables is there yet").await);
    let left = "SELECT count(*)::text FROM pg_class WHERE relname LIKE '%doctor%'";
    assert_eq!(on.text(left).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_read_the_stage_is_told_with_what_it_needs() {
    let on = by(Way::DataApi).await;
    let file = on.project.dir().join("barncat.toml");
    let text = std::fs::read_to_string(&file).expect("the project's file");
    on.project.write("barncat.toml", &text.replace("role/copy", "role/nobody"));
    let report = doctor(&on, &[]).await;
    let copy = found(&report).pop().expect("a finding");
    assert!(copy.starts_with("fail copy cannot copy a probe from the stage: "), "{copy}");
    let hint = report["tests"].as_array().expect("a list").iter().find(|found| found["test"] == "copy");
    assert!(hint.expect("a test")["hint"].as_str().expect("a hint").contains("doctor --roles"), "{report:#}");
    let policies = doctor(&on, &["--roles"]).await["policies"].to_string();
    for needed in
        ["redshift-data:BatchExecuteStatement", "redshift-serverless:GetCredentials", "sts:AssumeRole"]
    {
        assert!(policies.contains(needed), "{policies}");
    }
}
