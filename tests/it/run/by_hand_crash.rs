//! SIGKILL at every fail point that `clean`, `hold` and `release` pass.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{
    ground::{Ground, Scene, long_tests_on, tests_on},
    project::Project,
};

tests_on!(on_postgres Postgres: killed_at_any_fail_point_the_same_command_ends_what_was_begun);
long_tests_on!(by_data_api DataApi: killed_at_any_fail_point_the_same_command_ends_what_was_begun);

const SOURCE: &str = "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1);
    CREATE TABLE riders (id int PRIMARY KEY); INSERT INTO riders VALUES (1);";

/// How many cases run at once: each waits some seconds until the killed process is surely dead.
const AT_ONCE: usize = 6;

const CLEAN: [&str; 3] = ["clean", "--removed", "--yes"];

/// A project with something of each kind to clean: a staging table and objects of a load that was killed,
/// loads past `keep`, a table without a loader.
async fn littered(ground: Ground) -> Scene {
    let project = Scene::on(ground, SOURCE, "[tables]\n\"*\" = \"full\"\n").await;
    if ground == Ground::Postgres {
        let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
        let keep = "url = \"file:./stage\"\nkeep = { loads = 9, days = 9 }";
        project.write("barncat.toml", &toml.replace("url = \"file:./stage\"", keep));
    }
    for _ in 0..3 {
        project.run(&["--full"]).await;
    }
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    let fill_jobs = if ground == Ground::Postgres { "fill_jobs = 2\n" } else { "" };
    project.write("barncat.toml", &format!("{}{fill_jobs}", toml.replace("loads = 9", "loads = 1")));
    project.write_loaders("[tables]\norders = \"full\"\n");
    kill_at(&project, &["run", "--full"], "staging.create.after").await;
    project
}

async fn kill_at(project: &Project, arguments: &[&str], point: &str) {
    let output = project.barncat(arguments, &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(9), "{point} was not reached: {told}");
}

async fn done(project: &Project, arguments: &[&str], point: &str) {
    let output = project.barncat(arguments, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{point}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn passed(project: &Project, arguments: &[&str]) -> BTreeSet<String> {
    let output = project.barncat(arguments, &[("BARNCAT_FAILPOINTS", "list")]).await;
    let text = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("fail point: ")).map(str::to_owned).collect()
}

/// What is left after a clean that went to its end.
async fn assert_clean(project: &Scene, point: &str) {
    assert_eq!(project.tables_of_loads().await, Vec::<String>::new(), "{point}");
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'raw'";
    assert_eq!(project.database.texts(tables).await, ["orders"], "{point}");
    let mut loads =
        project.database.texts("SELECT load FROM barncat.loads WHERE table_name = 'orders'").await;
    loads.sort();
    let staged = project.staged();
    let is_of = |load: &String| staged.iter().any(|path| path.to_string_lossy().contains(load.as_str()));
    let kept: Vec<&String> = loads.iter().filter(|load| is_of(load)).collect();
    assert_eq!(kept, [&loads[1], &loads[2]], "{point}: the newest and the one before");
    for path in &staged {
        let path = path.to_string_lossy();
        assert!(kept.iter().any(|load| path.contains(load.as_str())), "{point}: {path} is left");
    }
    project.assert_equal(&["orders"]).await;
}

async fn killed_in_a_clean(ground: Ground, point: &str) {
    let project = littered(ground).await;
    kill_at(&project, &CLEAN, point).await;
    project.assert_equal(&["orders"]).await;
    done(&project, &CLEAN, point).await;
    assert_clean(&project, point).await;
    done(&project, &["run", "--full"], point).await;
}

/// Killed, it holds or it does not; said again, it does.
async fn killed_in_a_hold(point: &str) {
    let project = Project::new(SOURCE, "[tables]\n\"*\" = \"full\"\n").await;
    project.run(&[]).await;
    let verbs = if point.starts_with("control.release") { ["release", "hold"] } else { ["hold", "release"] };
    let [verb, before] = verbs.map(|verb| [verb, "orders"]);
    done(&project, &before, point).await;
    kill_at(&project, &verb, point).await;
    done(&project, &verb, point).await;
    let holds = project.database.text("SELECT count(*)::text FROM barncat_control.holds").await;
    assert_eq!(holds, if verb[0] == "hold" { "1" } else { "0" }, "{point}");
    let (_, outcome) = project.try_run(&[]).await;
    let is_held =
        outcome["tasks"].as_array().is_some_and(|all| all.iter().any(|task| task["status"] == "held"));
    assert_eq!(is_held, verb[0] == "hold", "{point}: {outcome:#}");
}

async fn killed_at_any_fail_point_the_same_command_ends_what_was_begun(ground: Ground) {
    let project = littered(ground).await;
    let clean = passed(&project, &CLEAN).await;
    assert_clean(&project, "none").await;
    // What every command does with the control database is tried by the killed runs.
    let clean: BTreeSet<String> = clean.into_iter().filter(|point| !point.starts_with("control.")).collect();
    for kind in ["tidy.sweep", "tidy.retain", "clean.forget", "warehouse.sweep", "warehouse.remove"] {
        assert!(clean.contains(&format!("{kind}.before")), "{kind}: {clean:?}");
    }
    let holds =
        ["control.hold.before", "control.hold.after", "control.release.before", "control.release.after"];
    // What has nothing to do with the warehouse is killed on Postgres.
    let holds = holds.into_iter().filter(|_| ground == Ground::Postgres);
    let is_of = |point: &String| !ground.is_redshift() || point.starts_with("warehouse.");
    let clean = clean.into_iter().filter(is_of);
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut cases = JoinSet::new();
    for point in clean.chain(holds.map(str::to_owned)) {
        let slots = slots.clone();
        cases.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("it is never closed");
            match point.starts_with("control.") {
                true => killed_in_a_hold(&point).await,
                false => killed_in_a_clean(ground, &point).await,
            }
        });
    }
    let mut failed = 0;
    while let Some(case) = cases.join_next().await {
        failed += usize::from(case.is_err());
    }
    assert_eq!(failed, 0, "the cases' own messages are above");
}
