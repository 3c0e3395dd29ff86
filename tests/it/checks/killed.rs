//! SIGKILL at each fail point about a check that fails, and about one that passes.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt};

use super::full;
use crate::support::{
    ground::{Ground, Scene, tests_on},
    project::{on_primary, task},
};

tests_on!(on_postgres Postgres: killed_about_a_check_nothing_is_wrong_and_the_next_run_goes_on);
tests_on!(by_data_api DataApi: killed_about_a_check_nothing_is_wrong_and_the_next_run_goes_on);

const SOURCE: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, v int);
    INSERT INTO orders SELECT n, n FROM generate_series(1, 20) n;";

const LOADERS: &str =
    "[tables]\norders = { strategy = \"full\", checks = { before_publish = true, not_null = [\"v\"] } }\n";

async fn points(scene: &Scene) -> BTreeSet<String> {
    let output = scene.barncat(&["run"], &[("BARNCAT_FAILPOINTS", "list")]).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_ours = |point: &&str| {
        ["staging.audit.", "staging.keep.", "control.record_checks."]
            .iter()
            .any(|kind| point.starts_with(kind))
    };
    text.lines()
        .filter_map(|line| line.strip_prefix("fail point: "))
        .filter(is_ours)
        .map(str::to_owned)
        .collect()
}

async fn kill_at(scene: &Scene, point: &str) {
    let output = scene.barncat(&["run"], &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(9), "{point} was not reached: {told}");
}

async fn killed_about_a_check_nothing_is_wrong_and_the_next_run_goes_on(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let passing = points(&scene).await;
    assert!(
        passing.contains("staging.audit.before") && passing.contains("staging.audit.after"),
        "{passing:?}"
    );
    let good = scene.in_warehouse("orders").await;
    on_primary(&scene, "UPDATE orders SET v = NULL WHERE id = 7").await;
    let failing = points(&scene).await;
    assert!(failing.contains("staging.keep.before") && failing.contains("staging.keep.after"), "{failing:?}");
    for point in &failing {
        kill_at(&scene, point).await;
        assert_eq!(scene.in_warehouse("orders").await, good, "{point}");
        let (status, outcome) = scene.try_run(&[]).await;
        assert_eq!(status, Some(1), "{point}: {outcome:#}");
        assert_eq!(task(&outcome, &full("orders"))["checks"][0]["rows"], 1, "{point}: {outcome:#}");
        assert_eq!(scene.in_warehouse("orders").await, good, "{point}");
    }
    on_primary(&scene, "UPDATE orders SET v = -7 WHERE id = 7").await;
    for (number, point) in passing.iter().enumerate() {
        on_primary(&scene, &format!("UPDATE orders SET v = {number} WHERE id = 8")).await;
        let before = scene.in_warehouse("orders").await;
        kill_at(&scene, point).await;
        let after = scene.in_warehouse("orders").await;
        assert!(after == before || after == scene.in_source("orders").await, "{point}: {after:?}");
        scene.run(&[]).await;
        scene.assert_equal(&["orders"]).await;
    }
    scene.run(&[]).await;
    assert_eq!(scene.tables_of_loads().await, Vec::<String>::new());
    let locks = "SELECT name FROM barncat_control.locks WHERE session IS NOT NULL";
    assert_eq!(scene.control().texts(locks).await, Vec::<String>::new());
}
