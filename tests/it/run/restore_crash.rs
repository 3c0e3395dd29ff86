//! SIGKILL at every fail point that a restore and the taking over of a table pass.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{
    ground::{Ground, Scene, long_tests_on, tests_on},
    project::Project,
};

tests_on!(on_postgres Postgres: killed_at_any_fail_point_the_table_is_one_of_two_states_and_the_next_try_mends_all);
long_tests_on!(by_data_api DataApi: killed_at_any_fail_point_the_table_is_one_of_two_states_and_the_next_try_mends_all);
long_tests_on!(by_wire Wire: killed_at_any_fail_point_the_table_is_one_of_two_states_and_the_next_try_mends_all);

const SOURCE: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, status text, at timestamptz NOT NULL DEFAULT now());
    INSERT INTO orders SELECT n, 'new', now() - interval '2 days' FROM generate_series(1, 50) n;";

const LOADERS: &str = "[tables]
    orders = { strategy = \"merge\", cursor = \"at\", deletes = \"detect\", compare_every = \"0s\" }\n";

/// How many cases run at once: each waits some seconds until the killed process is surely dead.
const AT_ONCE: usize = 6;

/// A project after three loads, with the id of the second and its rows.
struct Loaded {
    project: Scene,
    load: String,
    rows: Option<String>,
}

impl Loaded {
    async fn on(ground: Ground) -> Self {
        let project = Scene::on(ground, SOURCE, LOADERS).await;
        project.run(&[]).await;
        change(
            &project,
            "UPDATE orders SET status = 'paid', at = now() WHERE id = 7; DELETE FROM orders WHERE id = 8",
        )
        .await;
        project.run(&[]).await;
        let load = project.database.text("SELECT load FROM barncat.tables").await;
        let rows = project.in_warehouse("orders").await;
        change(
            &project,
            "UPDATE orders SET status = 'sent', at = now() WHERE id = 7; INSERT INTO orders VALUES (51, 'x')",
        )
        .await;
        project.run(&[]).await;
        Self { project, load, rows }
    }

    fn restore(&self) -> [&str; 5] {
        ["restore", "orders", "--load", &self.load, "--yes"]
    }
}

async fn change(project: &Project, sql: &str) {
    project.source.run_on_primary(&format!("SET search_path = {}; {sql}", project.source.name())).await;
}

async fn passed(project: &Project, arguments: &[&str]) -> BTreeSet<String> {
    let output = project.barncat(arguments, &[("BARNCAT_FAILPOINTS", "list")]).await;
    let text = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("fail point: ")).map(str::to_owned).collect()
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

async fn nothing_is_left(project: &Scene, point: &str) {
    assert_eq!(project.tables_of_loads().await, Vec::<String>::new(), "{point}: staging tables are left");
    for (what, sql) in [
        ("locks", "SELECT name FROM barncat_control.locks WHERE session IS NOT NULL"),
        ("runs", "SELECT run FROM barncat_control.runs WHERE ended_at IS NULL"),
    ] {
        assert_eq!(project.control().texts(sql).await, Vec::<String>::new(), "{point}: {what} are left");
    }
}

async fn killed_in_a_restore(ground: Ground, point: &str) {
    let loaded = Loaded::on(ground).await;
    let project = &loaded.project;
    let before = project.in_warehouse("orders").await;
    kill_at(project, &loaded.restore(), point).await;
    let now = project.in_warehouse("orders").await;
    assert!(now == before || now == loaded.rows, "{point}: the table is {now:?}");
    // Whether it is on hold or not, a run does not undo what was restored.
    project.try_run(&[]).await;
    assert_eq!(project.in_warehouse("orders").await, now, "{point}");
    // Again, as a person would; then the loads go on.
    done(project, &loaded.restore(), point).await;
    assert_eq!(project.in_warehouse("orders").await, loaded.rows, "{point}");
    done(project, &["release", "orders"], point).await;
    project.run(&[]).await;
    project.assert_equal(&["orders"]).await;
    nothing_is_left(project, point).await;
}

const ADOPT: [&str; 3] = ["adopt", "orders", "--yes"];

/// The ledger forgets the table.
async fn foreign(ground: Ground) -> Loaded {
    let loaded = Loaded::on(ground).await;
    loaded.project.run_as_owner("DELETE FROM barncat.loads").await;
    if ground.is_redshift() {
        let heads = "SELECT 'DELETE FROM barncat.' || relname FROM pg_class
                     WHERE relname LIKE 'head%' AND relnamespace = 'barncat'::regnamespace";
        let forget = loaded.project.database.text(heads).await;
        loaded.project.run_as_owner(&forget).await;
    }
    loaded
}

async fn killed_while_taking_over(ground: Ground, point: &str) {
    let Loaded { project, .. } = foreign(ground).await;
    let before = project.in_warehouse("orders").await;
    kill_at(&project, &ADOPT, point).await;
    assert_eq!(project.in_warehouse("orders").await, before, "{point}");
    if project.database.text("SELECT count(*)::text FROM barncat.loads").await == "0" {
        done(&project, &ADOPT, point).await;
    }
    change(&project, "INSERT INTO orders VALUES (52, 'y')").await;
    let outcome = project.run(&[]).await;
    assert_eq!(outcome["tasks"][0]["publish"], "merge", "{point}: {outcome:#}");
    project.assert_equal(&["orders"]).await;
    nothing_is_left(&project, point).await;
}

async fn killed_at_any_fail_point_the_table_is_one_of_two_states_and_the_next_try_mends_all(ground: Ground) {
    let loaded = Loaded::on(ground).await;
    let restore = passed(&loaded.project, &loaded.restore()).await;
    assert!(restore.iter().any(|point| point == "staging.apply.before"), "{restore:?}");
    let foreign = foreign(ground).await.project;
    let adopt = passed(&foreign, &ADOPT).await;
    assert!(adopt.iter().any(|point| point == "adopt.ledger.before"), "{adopt:?}");
    // What every command does with the control database is tried by the killed runs.
    let adopt: BTreeSet<String> = adopt.difference(&restore).cloned().collect();
    let is_others = |point: &str| point.starts_with("control.") && !point.starts_with("control.hold.");
    let restore = restore.into_iter().filter(|point| !is_others(point));
    // What has nothing to do with the warehouse is killed on Postgres; by wire what it alone has.
    let is_of = move |point: &str| match ground {
        Ground::Postgres => true,
        Ground::DataApi => {
            ["staging.", "publish.", "adopt.", "restore."].iter().any(|of| point.starts_with(of))
        }
        Ground::Wire => point.starts_with("wire."),
    };
    let restore = restore.filter(|point| is_of(point));
    let adopt = adopt.into_iter().filter(|point| is_of(point));
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut cases = JoinSet::new();
    for (is_restore, point) in restore.map(|point| (true, point)).chain(adopt.map(|point| (false, point))) {
        let slots = slots.clone();
        cases.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("it is never closed");
            match is_restore {
                true => killed_in_a_restore(ground, &point).await,
                false => killed_while_taking_over(ground, &point).await,
            }
        });
    }
    let mut failed = 0;
    while let Some(case) = cases.join_next().await {
        failed += usize::from(case.is_err());
    }
    assert_eq!(failed, 0, "the cases' own messages are above");
}
