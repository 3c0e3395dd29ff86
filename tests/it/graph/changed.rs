//! `state:changed`: what is not as it was when it was last published.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{LOADERS, SOURCE, model, status};
use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{Project, on_primary},
};

on_each_ground![what_is_written_otherwise_or_never_published_is_changed_and_newer_rows_are_not];

/// The names that a command selects, without their schema.
async fn selected(project: &Project, command: &str, select: &str) -> BTreeSet<String> {
    let output = project.barncat(&[command, select, "--output", "json"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let of = |key: &str| shown[key].as_array().cloned().unwrap_or_default();
    let tasks = of("tasks").into_iter().chain(of("others"));
    let name =
        |task: Value| task["task"].as_str().and_then(|full| full.rsplit('.').next()).map(str::to_owned);
    tasks.filter_map(name).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn what_is_written_otherwise_or_never_published_is_changed_and_newer_rows_are_not(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let project: &Project = &scene;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    let command = |word: &str| {
        project.write(
            "barncat.toml",
            &format!("{toml}\n[tasks.tell]\ncommand = [\"echo\", \"{word}\"]\nneeds = [\"fees\"]\n"),
        );
    };
    command("one");
    model(project, "fees", "select rider_id, sum(fee) as owed from orders group by rider_id");
    model(project, "named", "select r.name, f.owed from fees f join riders r on r.id = f.rider_id");
    model(project, "best", "/* barncat\nkind = \"view\"\n*/ select name from named where owed > 100");
    project.write("sql/checks/no_debts.sql", "select 1 from named where owed < 0");
    let all = names(&["orders", "riders", "rates", "fees", "named", "best", "no_debts", "tell"]);
    for command in ["plan", "graph"] {
        assert_eq!(selected(project, command, "state:changed").await, all, "none was ever published");
    }
    project.run(&["state:changed"]).await;
    on_primary(project, "UPDATE orders SET fee = fee + 1").await;
    for command in ["plan", "graph"] {
        assert_eq!(selected(project, command, "state:changed").await, names(&[]), "rows do not count");
    }
    let outcome = project.run(&["state:changed"]).await;
    assert_eq!(
        (&outcome["status"], outcome["tasks"].as_array().map(Vec::len)),
        (&"succeeded".into(), Some(0))
    );

    // Nothing of a task's own: neither whose it is nor how often it is tried.
    model(
        project,
        "fees",
        "/* barncat\ntags = [\"x\"]\nattempts = 2\n*/ select rider_id, sum(fee) as owed from orders group by rider_id",
    );
    assert_eq!(selected(project, "plan", "state:changed").await, names(&[]));

    on_primary(project, "ALTER TABLE rates ADD COLUMN day date").await;
    project.write_loaders("[tables]\norders = \"full\"\nriders = { strategy = \"full\", where = \"id < 5\" }\nrates = \"full\"\n");
    model(project, "fees", "select rider_id, sum(fee) + 1 as owed from orders group by rider_id");
    model(project, "extra", "select count(*) as n from rates");
    project.write(
        "sql/checks/no_debts.sql",
        "/* barncat\nseverity = \"warn\"\n*/ select 1 from named where owed < 0",
    );
    command("two");
    let changed = names(&["riders", "rates", "fees", "extra", "no_debts", "tell"]);
    for command in ["plan", "graph"] {
        assert_eq!(selected(project, command, "state:changed").await, changed);
    }
    let models = selected(project, "plan", "kind:model,state:changed").await;
    assert_eq!(models, names(&["fees", "extra"]));
    assert!(selected(project, "plan", "state:changed+").await.contains("best"), "with what needs it");
    let outcome = project.run(&["state:changed"]).await;
    assert_eq!(outcome["tasks"].as_array().map(Vec::len), Some(6), "{outcome:#}");
    assert_eq!(status(&outcome, "fees"), "succeeded", "{outcome:#}");
    assert_eq!(selected(project, "plan", "state:changed").await, names(&[]), "it is as it is published");

    // What did not end well is not as it was published.
    project.write("sql/checks/no_debts.sql", "select 1 from named");
    let (code, outcome) = project.try_run(&["state:changed"]).await;
    assert_eq!((code, status(&outcome, "no_debts")), (Some(1), "failed"), "{outcome:#}");
    assert_eq!(selected(project, "plan", "state:changed").await, names(&["no_debts"]));
    // Nobody knows what the source has: better done than left out.
    let output = project
        .barncat(
            &["graph", "state:changed", "--output", "json"],
            &[("SHOP_URL", "postgres://nobody@127.0.0.1:1/x")],
        )
        .await;
    let shown: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let tasks = shown["tasks"].as_array().map(Vec::len);
    assert_eq!(tasks, Some(4), "three loads and the check: {shown:#}");
}
