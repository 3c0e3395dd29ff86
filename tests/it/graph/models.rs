//! What models make, in a Postgres warehouse and on the double of Redshift.

use serde_json::json;

use super::{LOADERS, SOURCE, model, status, write_models};
use crate::support::{
    project::{INTO, Project, on_primary, task},
    redshift::{OnRedshift, Way},
};

async fn number(project: &Project, sql: &str) -> String {
    project.database.text(&format!("SELECT ({sql})::text")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_upon_views_follows_what_is_behind_them() {
    let project = Project::new(SOURCE, LOADERS).await;
    let view = |sql: &str| format!("/* barncat\nkind = \"view\"\n*/ {sql}");
    model(&project, "inner_view", &view("select id, fee from orders"));
    model(&project, "outer_view", &view("select id, fee * 2 as fee from inner_view"));
    model(&project, "doubled", "select sum(fee) as fee from outer_view");
    let as_of = async || {
        let sql = "SELECT as_of::text FROM barncat.loads WHERE table_name = 'doubled' ORDER BY published_at DESC LIMIT 1";
        project.database.text(sql).await
    };
    project.run(&[]).await;
    let first = as_of().await;
    assert_eq!(status(&project.run(&[]).await, "doubled"), "unchanged");
    on_primary(&project, "UPDATE orders SET fee = fee + 1 WHERE id = 1").await;
    project.run(&["orders"]).await;
    // Also where the views are not of the run.
    let outcome = project.run(&["doubled"]).await;
    assert_eq!(status(&outcome, "doubled"), "succeeded", "{outcome:#}");
    let sums =
        format!("SELECT ((SELECT fee FROM {INTO}.doubled) = (SELECT 2 * sum(fee) FROM {INTO}.orders))::text");
    assert_eq!(project.database.text(&sums).await, "true");
    assert_ne!(as_of().await, first, "it is as old as what is behind the views");
    let outcome = project.run(&[]).await;
    assert_eq!((status(&outcome, "outer_view"), status(&outcome, "doubled")), ("unchanged", "unchanged"));
    // A view that asks for the time is another one each time.
    model(&project, "outer_view", &view("select id, fee, now() as at from inner_view"));
    project.run(&[]).await;
    assert_eq!(status(&project.run(&[]).await, "doubled"), "succeeded");
}

/// Made, found unchanged, made again where their inputs changed.
async fn lives(project: &Project) {
    write_models(project);
    let outcome = project.run(&[]).await;
    assert_eq!(outcome["status"], "succeeded", "{outcome:#}");
    for name in ["fees", "named", "best", "grown"] {
        assert_eq!(status(&outcome, name), "succeeded", "{outcome:#}");
    }
    assert_eq!(number(project, &format!("SELECT count(*) FROM {INTO}.fees")).await, "7");
    assert_eq!(number(project, &format!("SELECT count(*) FROM {INTO}.grown")).await, "500");
    let owed = number(project, &format!("SELECT sum(owed)::numeric(12,2) FROM {INTO}.named")).await;
    assert_eq!(owed, "31312.50");
    let ledger = "SELECT string_agg(table_name || ' ' || strategy, ', ' ORDER BY table_name) FROM barncat.loads WHERE source = ''";
    assert_eq!(project.database.text(ledger).await, "best view, fees model, grown incremental, named model");

    let outcome = project.run(&[]).await;
    for name in ["orders", "fees", "named", "best", "grown"] {
        assert_eq!(status(&outcome, name), "unchanged", "{outcome:#}");
    }

    on_primary(project, "UPDATE orders SET fee = fee + 1, at = at + INTERVAL '1 day' WHERE id = 1; INSERT INTO orders VALUES (1000, 1, 2, '2026-02-01Z')").await;
    let outcome = project.run(&[]).await;
    for name in ["orders", "fees", "named", "grown"] {
        assert_eq!(status(&outcome, name), "succeeded", "{outcome:#}");
    }
    assert_eq!((status(&outcome, "riders"), status(&outcome, "best")), ("unchanged", "unchanged"));
    let grown = task(&outcome, &format!("{INTO}.grown"));
    assert_eq!((&grown["publish"], &grown["rows"]), (&json!("merge"), &json!(2)), "{outcome:#}");
    assert_eq!(number(project, &format!("SELECT count(*) FROM {INTO}.grown")).await, "501");
    assert_eq!(
        number(project, &format!("SELECT sum(owed)::numeric(12,2) FROM {INTO}.named")).await,
        "31315.50"
    );

    // Another definition, with another column: the view upon it goes on to be right.
    model(
        project,
        "named",
        "select f.owed, r.name, f.deliveries from fees f join riders r on r.id = f.rider_id",
    );
    let outcome = project.run(&["named"]).await;
    assert_eq!(outcome["tasks"].as_array().map(Vec::len), Some(1), "only what was named: {outcome:#}");
    assert_eq!(outcome["tasks"][0]["reason"], "its definition changed", "{outcome:#}");
    assert_eq!(
        outcome["tasks"][0]["inputs"].as_array().map(Vec::len),
        Some(2),
        "it says what it took: {outcome:#}"
    );
    assert_eq!(number(project, &format!("SELECT count(*) FROM {INTO}.best")).await, "7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_live_in_postgres() {
    let project = Project::new(SOURCE, LOADERS).await;
    lives(&project).await;
    let comment = format!(
        "SELECT obj_description('{INTO}.fees'::regclass) || ', ' || col_description('{INTO}.fees'::regclass, 3)"
    );
    assert_eq!(project.database.text(&comment).await, "What riders got, in pounds");
    let key = format!(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{INTO}.fees'::regclass"
    );
    assert_eq!(project.database.text(&key).await, "PRIMARY KEY (rider_id)");
    let left = "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace";
    assert_eq!(project.database.text(left).await, "0", "staging tables are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_live_on_redshift_by_the_data_api() {
    lives(&OnRedshift::by(Way::DataApi, SOURCE, LOADERS).await.project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_live_on_redshift_by_wire() {
    lives(&OnRedshift::by(Way::Wire, SOURCE, LOADERS).await.project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_warehouse_cannot_run_is_told_by_file_and_line_and_nothing_is_published() {
    let project = Project::new(SOURCE, LOADERS).await;
    model(&project, "fees", "/* barncat\nattempts = 1\n*/\nselect rider_id,\n  nothing\nfrom orders\n");
    let (status_code, outcome) = project.try_run(&[]).await;
    assert_eq!(status_code, Some(1), "{outcome:#}");
    let error =
        task(&outcome, &format!("{INTO}.fees"))["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(error.starts_with("sql/models/fees.sql:5: ") && error.contains("\"nothing\""), "{error}");
    assert_eq!(project.in_warehouse("fees").await, None);

    model(&project, "fees", "select rider_id, fee from orders o join ridders r on true\n");
    let output = project.barncat(&["validate"], &[]).await;
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("model `raw.fees` reads `ridders`, which no loader or model makes"), "{told}");
    assert!(told.contains("sql/models/fees.sql:1:41") && told.contains("there is a task `riders`"), "{told}");
}
