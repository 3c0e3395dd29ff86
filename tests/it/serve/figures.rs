//! What a service writes to stdout: figures for CloudWatch, and what happens in its runs.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use super::{MARK, project, ticks, until};
use crate::support::{process::send, project::Project};

/// Starts a service, lets it do something, and stops it: the lines of its stdout, each of which must be JSON.
async fn lines_of(project: &Project, arguments: &[&str], is_done: impl AsyncFn() -> bool) -> Vec<Value> {
    let mut command = project.command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the built binary starts");
    let (pid, stdout) = (child.id(), child.stdout.take().expect("it is piped"));
    let read = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let lines =
            lines.map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
        let lines: Vec<Value> = lines.collect();
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        lines
    });
    until("something was done", is_done).await;
    send("TERM", pid);
    read.await.expect("all lines are JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_of_the_published_form_and_events_are_lines() {
    let project = project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await;
    let done = async || ticks(&project, "hot", "succeeded").await > 2;
    let lines = lines_of(&project, &["--metrics", "emf", "--output", "jsonl"], done).await;

    let figures: Vec<&Value> = lines.iter().filter(|line| line.get("_aws").is_some()).collect();
    assert_eq!(figures.len(), 1, "one a minute: {figures:#?}");
    let schema: Value = serde_json::from_str(include_str!("../../emf.schema.json")).expect("it is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let wrong: Vec<String> = validator.iter_errors(figures[0]).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let figure = figures[0];
    assert_eq!(
        (&figure["Project"], &figure["Leads"], &figure["ControlReachable"]),
        (&"tests".into(), &1.0.into(), &1.0.into())
    );
    let names = figure["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().expect("a list");
    for metric in names {
        assert!(figure[metric["Name"].as_str().expect("a name")].is_number(), "{figure:#}");
    }
    // What is paid for: each of these, once a project.
    assert!(names.len() <= 13, "{names:?}");

    let events: Vec<&Value> = lines.iter().filter(|line| line.get("event").is_some()).collect();
    assert_eq!(events.len() + figures.len(), lines.len(), "nothing else is there");
    let of = |name: &str| events.iter().filter(|line| line["event"] == name).count();
    assert!(of("run.started") >= 3 && of("task.finished") >= 3 && of("run.finished") >= 3, "{events:#?}");
    for event in &events {
        assert!(event["run"].is_string() && event["at"].is_string(), "{event:#}");
        assert_eq!(event["schedule"], "hot", "{event:#}");
    }
    let ended = events.iter().find(|line| line["event"] == "task.finished").expect("there is one");
    assert_eq!(
        (&ended["task"], &ended["outcome"]["status"]),
        (&"mark".into(), &"succeeded".into()),
        "{ended:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_nothing_gets_nothing_on_stdout() {
    let project = project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await;
    let done = async || ticks(&project, "hot", "succeeded").await > 0;
    assert_eq!(lines_of(&project, &[], done).await, [Value::Null; 0]);
}
