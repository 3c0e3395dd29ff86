//! Tasks that cannot run as things stand: named before a run, with why.

use serde_json::Value;

use super::{LOADERS, SOURCE, model};
use crate::support::project::{Project, on_primary};

async fn shown(project: &Project, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = project.barncat(&[arguments, &["--output", "json"]].concat(), &[]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (json, output.status.code())
}

/// What a list of tasks says of one, under a key.
fn said<'a>(tasks: &'a Value, name: &str, key: &str) -> &'a Value {
    let all = tasks.as_array().expect("a list");
    &all.iter().find(|task| task["task"] == name).unwrap_or_else(|| panic!("no {name} in {tasks:#}"))[key]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_on_a_table_that_is_not_there_is_named_by_plan_and_graph() {
    let project = Project::new(SOURCE, LOADERS).await;
    model(&project, "fees", "select rider_id, sum(fee) as owed from orders group by rider_id");
    model(&project, "named", "select r.name, f.owed from fees f join riders r on r.id = f.rider_id");
    model(
        &project,
        "soft",
        "/* barncat\nsoft = { orders = \"24h\" }\n*/ select o.id from orders o join riders r on true",
    );
    project.run(&[]).await;
    let (plan, code) = shown(&project, &["plan"]).await;
    assert_eq!((code, said(&plan["others"], "raw.named", "error")), (Some(0), &Value::Null));

    on_primary(&project, "ALTER TABLE orders RENAME TO orders_away").await;
    let (plan, code) = shown(&project, &["plan"]).await;
    assert_eq!(code, Some(1), "{plan:#}");
    let error = |name: &str| said(&plan["others"], name, "error")["message"].as_str();
    assert_eq!(error("raw.fees"), Some("raw.orders cannot be done"), "{plan:#}");
    assert_eq!(said(&plan["others"], "raw.fees", "error")["hint"], Value::Null, "it did not fail yet");
    assert_eq!(error("raw.named"), Some("raw.orders cannot be done; between them stands raw.fees"));
    assert_eq!(error("raw.soft"), None, "it goes on with what is published");
    let (graph, _) = shown(&project, &["graph"]).await;
    let why = |name: &str| said(&graph["tasks"], name, "unreachable").as_str();
    assert_eq!(why("raw.orders"), Some("its source has no such table"), "{graph:#}");
    assert_eq!(why("raw.fees"), Some("raw.orders cannot be done"));
    assert_eq!((why("raw.riders"), why("raw.soft")), (None, None));
    let text = project.barncat(&["graph"], &[]).await;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("unreachable  raw.orders: its source has no such table\n"), "{text}");

    let (code, outcome) = project.try_run(&[]).await;
    assert_eq!(code, Some(1));
    let hint = said(&outcome["tasks"], "raw.named", "error")["hint"].as_str().unwrap_or_default();
    assert_eq!(
        hint, "`barncat why raw.orders` tells why; once it is mended, `barncat run --failed` does both",
        "{outcome:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_something_held_or_unpublished_is_named_and_how_to_bring_it() {
    let project = Project::new(SOURCE, LOADERS).await;
    model(&project, "fees", "select rider_id, sum(fee) as owed from orders group by rider_id");
    let (plan, code) = shown(&project, &["plan", "fees"]).await;
    assert_eq!(code, Some(1), "{plan:#}");
    let error = said(&plan["others"], "raw.fees", "error");
    assert_eq!(error["message"], "raw.orders was never published, and is not of this run");
    let hint = error["hint"].as_str().unwrap_or_default();
    assert!(hint.starts_with("`barncat run +raw.fees` brings what it needs too"), "{hint}");
    let held = project.barncat(&["hold", "orders"], &[]).await;
    assert_eq!(held.status.code(), Some(0), "{}", String::from_utf8_lossy(&held.stderr));
    let (graph, _) = shown(&project, &["graph"]).await;
    let why = said(&graph["tasks"], "raw.fees", "unreachable");
    assert_eq!(why, "raw.orders was never published, and is not of this run", "{graph:#}");
    assert_eq!(said(&graph["tasks"], "raw.orders", "unreachable"), &Value::Null, "it is only held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_a_row_skips_is_made_by_nobody_and_validate_says_so() {
    let project = Project::new(SOURCE, "[tables]\n\"*\" = \"full\"\nrates = \"skip\"\n").await;
    model(&project, "margins", "select rate from rates");
    let output = project.barncat(&["validate"], &[]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("model `raw.margins` reads `rates`, which no loader or model makes"), "{stderr}");
    model(&project, "margins", "select id from riders");
    assert_eq!(project.barncat(&["validate"], &[]).await.status.code(), Some(0), "a wildcard may make it");
}
