//! What is published and no longer in the project: tables and views of models.

use serde_json::Value;

use super::{LOADERS, SOURCE, model};
use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{INTO, Project},
};

on_each_ground![models_that_are_gone_are_planned_and_dropped_views_first];

async fn json_of(project: &Project, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = project.barncat(&[arguments, &["--output", "json"]].concat(), &[]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (json, output.status.code())
}

async fn relations(project: &Project) -> Vec<String> {
    let sql = format!(
        "SELECT relkind::text || ' ' || relname::text FROM pg_class WHERE relnamespace = '{INTO}'::regnamespace
         AND relkind IN ('r', 'v') AND relname !~ '__barncat' ORDER BY 1"
    );
    project.database.texts(&sql).await
}

async fn models_that_are_gone_are_planned_and_dropped_views_first(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let project: &Project = &scene;
    let view = |sql: &str| format!("/* barncat\nkind = \"view\"\n*/ {sql}");
    model(project, "a_fees", "select rider_id, sum(fee) as owed from orders group by rider_id");
    model(project, "b_best", &view("select rider_id from a_fees where owed > 100"));
    model(project, "c_few", &view("select rider_id from b_best where rider_id < 3"));
    model(project, "d_theirs", &view("select rider_id from orders"));
    project.run(&[]).await;
    // Somebody put a table where the view was: it is nobody's to drop.
    let schema = format!("{INTO}.d_theirs");
    scene.run_as_owner(&format!("DROP VIEW {schema}; CREATE TABLE {schema} (id int)")).await;
    for name in ["a_fees", "b_best", "c_few", "d_theirs"] {
        std::fs::remove_file(project.dir().join(format!("sql/models/{name}.sql"))).expect("it is there");
    }
    let (plan, _) = json_of(project, &["plan"]).await;
    assert_eq!(plan["orphans"], serde_json::json!(["raw.a_fees", "raw.b_best", "raw.c_few"]), "{plan:#}");
    let asked = project.barncat(&["clean", "--removed"], &[]).await;
    let asked = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(asked.contains("drop 1 table and 2 views?"), "{asked}");
    let (cleaned, status) = json_of(project, &["clean", "--removed", "--yes"]).await;
    assert_eq!(status, Some(0), "{cleaned:#}");
    let removed = cleaned["removed"].as_array().expect("a list");
    assert!(removed.iter().all(|one| one["dropped"] == true && one["error"].is_null()), "{cleaned:#}");
    assert_eq!(removed.iter().filter(|one| one["view"] == true).count(), 2, "{cleaned:#}");
    assert_eq!(relations(project).await, ["r d_theirs", "r orders", "r rates", "r riders"]);
    let (plan, _) = json_of(project, &["plan"]).await;
    assert_eq!(plan["orphans"], serde_json::json!([]), "what is gone is told no longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_something_reads_stays_and_what_it_reads() {
    let project = Project::new(SOURCE, LOADERS).await;
    model(&project, "fees", "select rider_id, sum(fee) as owed from orders group by rider_id");
    model(&project, "best", "/* barncat\nkind = \"view\"\n*/ select rider_id from fees");
    project.run(&[]).await;
    project.database.run(&format!("CREATE VIEW public.board AS SELECT * FROM {INTO}.best")).await;
    for name in ["fees", "best"] {
        std::fs::remove_file(project.dir().join(format!("sql/models/{name}.sql"))).expect("it is there");
    }
    let (cleaned, status) = json_of(&project, &["clean", "--removed", "--yes"]).await;
    assert_eq!(status, Some(1), "{cleaned:#}");
    let message = |number: usize| cleaned["removed"][number]["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(message(0), "raw.best is needed by view public.board", "{cleaned:#}");
    assert_eq!(message(1), "raw.fees is needed by view raw.best", "{cleaned:#}");
    project.database.run("DROP VIEW public.board").await;
    assert_eq!(json_of(&project, &["clean", "--removed", "--yes"]).await.1, Some(0));
    assert_eq!(relations(&project).await, ["r orders", "r rates", "r riders"]);
}

/// A table that was loaded under two names is one table of the source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_under_another_name_leaves_its_old_one_to_be_dropped() {
    let project = Project::new(SOURCE, LOADERS).await;
    project.run(&[]).await;
    project
        .write_loaders(&LOADERS.replace("rates = \"full\"", "rates = { strategy = \"full\", as = \"fx\" }"));
    project.run(&[]).await;
    let (plan, code) = json_of(&project, &["plan"]).await;
    assert_eq!((code, &plan["orphans"]), (Some(0), &serde_json::json!(["raw.rates"])), "{plan:#}");
    assert_eq!(json_of(&project, &["clean", "--removed", "--yes"]).await.1, Some(0));
    assert_eq!(relations(&project).await, ["r fx", "r orders", "r riders"]);
}
