//! Runs whose process is killed, and those that go on with them.

use std::os::unix::process::ExitStatusExt;

use super::{LOADERS, SOURCE, model};
use crate::support::project::{INTO, Project, task};

/// Runs until the process kills itself at a point.
async fn killed(project: &Project, arguments: &[&str], point: &str) {
    let all: Vec<&str> = ["run", "--jobs", "1"].iter().chain(arguments).copied().collect();
    let output = project.barncat(&all, &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))]).await;
    assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
}

fn names(outcome: &serde_json::Value) -> Vec<String> {
    let tasks = outcome["tasks"].as_array().expect("a run has tasks").iter();
    let mut names: Vec<String> = tasks.filter_map(|task| task["task"].as_str().map(str::to_owned)).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_well_is_not_done_again_and_the_rest_is() {
    let project = Project::new(SOURCE, LOADERS).await;
    model(&project, "named", "select r.name, o.fee from orders o join riders r on r.id = o.rider_id");
    // After the first task has ended.
    killed(&project, &["orders", "riders", "named"], "control.finish_task.after").await;
    let done = project
        .database
        .text("SELECT string_agg(task, ' ') FROM barncat_control.tasks WHERE status = 'succeeded'")
        .await;
    assert!([format!("{INTO}.orders"), format!("{INTO}.riders")].contains(&done), "{done}");
    let outcome = project.run(&["--resume"]).await;
    let expected = ["named", "orders", "riders"].map(|name| format!("{INTO}.{name}"));
    let expected: Vec<String> = expected.into_iter().filter(|name| *name != done).collect();
    assert_eq!(names(&outcome), expected, "the selection of before, but for what is done");
    assert_eq!(project.database.text(&format!("SELECT count(*)::text FROM {INTO}.named")).await, "500");
    let output = project.barncat(&["run", "--resume"], &[]).await;
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("came to its end: there is nothing to go on with"), "{told}");
    let output = project.barncat(&["run", "--resume", "01XYZ"], &[]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("there is no run `01XYZ` to go on with"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_before_the_last_one_did_is_not_done_again_either() {
    let project = Project::new(SOURCE, LOADERS).await;
    let three = ["orders", "riders", "rates"];
    killed(&project, &three, "control.finish_task.after").await;
    killed(&project, &["--resume"], "control.finish_task.after").await;
    let outcome = project.run(&["--resume"]).await;
    assert_eq!(names(&outcome).len(), 1, "two were done by the two before: {outcome:#}");
    let loads = "SELECT count(*)::text FROM barncat.loads";
    assert_eq!(project.database.text(loads).await, "3");
}

/// By `--full` a table is published although nothing of it has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_for_is_asked_for_again() {
    let project = Project::new(SOURCE, LOADERS).await;
    let two = ["orders", "riders"];
    project.run(&two).await;
    killed(&project, &["--full", "orders", "riders"], "control.finish_task.after").await;
    let outcome = project.run(&["--resume"]).await;
    let left = &outcome["tasks"][0];
    assert_eq!((names(&outcome).len(), left["status"].as_str()), (1, Some("succeeded")), "{outcome:#}");
    let (code, outcome) = project.try_run(&two).await;
    assert_eq!(code, Some(0), "{outcome:#}");
    assert_eq!(outcome["tasks"][0]["status"], "unchanged", "else this test would show nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_kills_its_process_each_time_is_given_up() {
    let project = Project::new(
        SOURCE,
        &LOADERS.replace("orders = \"full\"", "orders = { strategy = \"full\", attempts = 2 }"),
    )
    .await;
    killed(&project, &["orders"], "control.start_attempt.after").await;
    killed(&project, &["--resume"], "control.start_attempt.after").await;
    let (code, outcome) = project.try_run(&["--resume"]).await;
    assert_eq!(code, Some(1), "{outcome:#}");
    let error = &task(&outcome, &format!("{INTO}.orders"))["error"];
    assert_eq!(error["message"], "its process was killed in each of 2 attempts", "{outcome:#}");
    project.run(&["orders"]).await;
    project.assert_equal(&["orders"]).await;
}
