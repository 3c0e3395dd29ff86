//! SIGKILL at every fail point that a load from a service passes.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    double::Double,
    scene::{ITEMS, Items, expected, items, project},
};
use crate::support::project::Project;

/// How many cases run at once: each waits until the killed run is surely dead.
const AT_ONCE: usize = 4;

async fn scene(all: &Items) -> (Project, Double) {
    let serving = all.clone();
    let double = Double::start(move |target| serving.answer(target)).await;
    let since = "parameters = { since = \"{since}\" }, cursor = \"at\"";
    let project = project(&double, &format!("items = {{ strategy = \"merge\", {since}, {ITEMS} }}")).await;
    (project, double)
}

/// What a run passes from its collection on; what comes before is no matter of a service's.
async fn passed(project: &Project) -> BTreeSet<String> {
    let output = project.barncat(&["run"], &[("BARNCAT_FAILPOINTS", "list")]).await;
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let points = text.lines().filter_map(|line| line.strip_prefix("fail point: "));
    let begins =
        ["collect.", "extract.", "control.start_collection", "control.end_collection", "stage.", "publish."];
    points.filter(|point| begins.iter().any(|begin| point.starts_with(begin))).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_fail_point_nothing_is_lost_and_nothing_asked_twice_but_the_page_in_flight() {
    let all = Items::new(6);
    let (first, double) = scene(&all).await;
    let points = passed(&first).await;
    let pages = double.asked();
    assert_eq!(pages.len(), 3);
    for point in
        ["collect.question.before", "collect.answer.after", "collect.manifest.after", "extract.note.after"]
    {
        assert!(points.contains(point), "{point} in {points:?}");
    }
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut cases = JoinSet::new();
    for point in points {
        let (slots, all, pages) = (slots.clone(), all.clone(), pages.clone());
        cases.spawn(async move {
            let _slot = slots.acquire_owned().await.unwrap();
            killed_at(&point, &all, &pages).await;
        });
    }
    let mut failed = 0;
    while let Some(case) = cases.join_next().await {
        failed += usize::from(case.is_err());
    }
    assert_eq!(failed, 0, "the cases' own messages are above");
}

async fn killed_at(point: &str, all: &Items, pages: &[String]) {
    let (project, double) = scene(all).await;
    let output = project.barncat(&["run"], &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), Some(9), "{point} was not reached: {told}");
    let before = double.asked();
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(0), "{point}: {outcome:#}");
    assert_eq!(items(&project).await, expected(all), "{point}");
    let after = double.asked();
    let is_published = outcome["tasks"][0]["status"] == "unchanged"
        || after.first().is_some_and(|asked| asked.contains("since"));
    if is_published {
        // The killed run had published: this one asked for what is new.
        return;
    }
    let twice = before.iter().filter(|page| after.contains(page)).count();
    assert!(twice <= 1, "{point}: {before:?} and then {after:?}");
    let together: BTreeSet<&String> = before.iter().chain(&after).collect();
    assert_eq!(together, pages.iter().collect(), "{point}");
}
