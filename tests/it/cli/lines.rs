//! What a run says while it goes: log lines as JSON, each with its run, and the stream of events.

use serde_json::Value;

use crate::support::project::Project;

const TABLES: &str =
    "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 100);";

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[tokio::test]
async fn each_line_of_the_log_says_what_it_is_of() {
    let project = Project::new(TABLES, "[tables]\norders = \"full\"\ngone = \"full\"\n").await;
    let output = project.barncat(&["run", "-v", "--log-format", "json"], &[]).await;
    let log = lines(&output.stderr);
    let run = log.iter().find(|line| line["message"] == "ended").expect("a run ends")["run"].clone();
    for line in &log {
        assert_eq!(line["run"], run, "{line:#}");
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line:#}");
        assert!(line.get("span").is_none() && line.get("spans").is_none(), "all on one level: {line:#}");
    }
    // One that is written deep below: the source knows nothing of runs and tasks.
    let deep = log.iter().find(|line| line["message"] == "snapshot.opened").expect("a snapshot is opened");
    assert!(deep["task"].is_string() && deep["attempt"] == 1, "{deep:#}");
    let of = |task: &str, begins: &str| -> Value {
        let is_it = |line: &&Value| {
            line["task"] == task && line["message"].as_str().is_some_and(|text| text.starts_with(begins))
        };
        log.iter().find(is_it).unwrap_or_else(|| panic!("no `{begins}` of {task} in {log:#?}")).clone()
    };
    assert_eq!(of("raw.orders", "started")["attempt"], 1);
    let ended = of("raw.orders", "succeeded");
    assert!(ended["load"].as_str().is_some_and(|load| load.len() == 26) && ended["rows"] == 100, "{ended:#}");
    assert_eq!(of("raw.gone", "failed")["level"], "ERROR");
}

#[tokio::test]
async fn events_are_one_object_a_line_and_the_last_is_the_outcome() {
    let project = Project::new(TABLES, "[tables]\norders = \"full\"\n").await;
    let output = project.barncat(&["run", "--output", "jsonl"], &[]).await;
    assert_eq!(output.status.code(), Some(0));
    let events = lines(&output.stdout);
    let names: Vec<&str> = events.iter().map(|line| line["event"].as_str().expect("a name")).collect();
    assert_eq!(
        (names[0], names[1], names.last()),
        ("run.started", "task.started", Some(&"run.finished")),
        "{names:?}"
    );
    assert!(names.contains(&"task.progress") && names.contains(&"task.finished"), "{names:?}");
    for event in &events {
        assert_eq!((&event["run"], &event["schedule"]), (&events[0]["run"], &Value::Null), "{event:#}");
    }
    let outcome = &events.last().expect("there are lines")["outcome"];
    assert_eq!(
        (&outcome["status"], &outcome["tasks"][0]["rows"]),
        (&"succeeded".into(), &100.into()),
        "{outcome:#}"
    );

    let checked = project.barncat(&["check", "--output", "jsonl"], &[]).await;
    let wrong = lines(&checked.stdout);
    assert_eq!(wrong.len(), 1, "an error is a line too");
    assert!(wrong[0]["error"]["message"].is_string(), "{wrong:#?}");
    let other = project.barncat(&["status", "--output", "jsonl"], &[]).await;
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("only `run`, `check` and `serve` write jsonl"));
}
