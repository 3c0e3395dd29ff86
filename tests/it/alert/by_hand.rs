//! `incidents` and `alert` by the built binary.

use super::*;
use crate::support::project::Project;

async fn with_one_open(alerts: &str) -> (Project, AlertDouble) {
    let project = Project::new(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "[tables]\nt = \"full\"\ngone = { strategy = \"full\", tier = \"critical\" }\n",
    )
    .await;
    let double = AlertDouble::start().await.unwrap();
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &format!("{config}\n[alerts]\n{}\n", with_addresses(alerts, &double)));
    project.try_run(&[]).await;
    (project, double)
}

async fn json(project: &Project, arguments: &[&str]) -> (Value, Option<i32>) {
    let all: Vec<&str> = arguments.iter().copied().chain(["--output", "json"]).collect();
    let output = project.barncat(&all, &[]).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (serde_json::from_slice(&output.stdout).unwrap_or_default(), output.status.code())
}

#[tokio::test]
async fn an_incident_is_listed_acknowledged_and_muted() {
    let (project, double) = with_one_open(BOT).await;
    let (listed, _) = json(&project, &["incidents"]).await;
    let incident = &listed["incidents"][0];
    assert_eq!((&incident["task"], &incident["state"]), (&"raw.gone".into(), &"open".into()), "{listed:#}");
    let id = incident["incident"].as_str().unwrap().to_owned();
    let (acked, _) = json(&project, &["incidents", "ack", &id[..12]]).await;
    assert_eq!(acked, serde_json::json!({"what": id, "changed": true}));
    assert_eq!(json(&project, &["incidents", "ack", &id]).await.0["changed"], false);
    let kept = double.knobs().kept_by("slack");
    assert!(kept.len() == 2 && headline(&kept[1]).contains("is at it") && kept[1].thread_ts == kept[0].ts);

    let (muted, _) = json(&project, &["incidents", "mute", "gone", "--for", "2h"]).await;
    assert_eq!(muted["what"], "raw.gone");
    let text = project.barncat(&["incidents"], &[]).await;
    let text = String::from_utf8(text.stdout).unwrap();
    for part in [
        &*id,
        "raw.gone failed",
        "is at it",
        "muted until",
        "barncat why raw.gone",
        "raw.gone is muted until",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(json(&project, &["incidents", "unmute", "gone"]).await.0["changed"], true);
    assert_eq!(json(&project, &["incidents", "unmute", "gone"]).await.0["changed"], false);
    let unknown = project.barncat(&["incidents", "ack", "nothing"], &[]).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no incident and no task `nothing`"));

    crate::support::project::on_primary(&project, "CREATE TABLE gone (id int PRIMARY KEY)").await;
    project.run(&[]).await;
    assert_eq!(json(&project, &["incidents"]).await.0["incidents"], serde_json::json!([]));
    assert_eq!(json(&project, &["incidents", "--all"]).await.0["incidents"][0]["state"], "recovered");
}

#[tokio::test]
async fn what_is_muted_from_the_beginning_is_told_after_the_mute() {
    let (project, double) = with_one_open(BOT).await;
    assert_eq!(told(&double).len(), 1);
    json(&project, &["incidents", "mute", "raw.t", "--for", "1h"]).await;
    crate::support::project::on_primary(&project, "ALTER TABLE t RENAME TO t_away").await;
    project.write_loaders("[tables]\nt = \"full\"\n");
    project.try_run(&[]).await;
    let of_t = || told(&double).into_iter().filter(|text| text.contains("raw.t ")).collect::<Vec<_>>();
    assert_eq!(of_t(), [""; 0]);
    json(&project, &["incidents", "unmute", "raw.t"]).await;
    project.try_run(&[]).await;
    assert!(of_t().len() == 1 && of_t()[0].contains("raw.t failed"), "{:#?}", of_t());
}

#[tokio::test]
async fn the_channels_are_tried_and_what_is_off_is_said() {
    let alerts = format!(
        "{BOT}\nwebhook.url = \"${{HOOK:-}}\"\npagerduty = {{ key = \"0123456789abcdef0123456789abcdef\", url = \"PAGER\" }}\n\
         heartbeat = \"HEART\""
    );
    let (project, double) = with_one_open(&alerts).await;
    let before = double.knobs().kept_by("slack").len();
    let (tests, status) = json(&project, &["alert", "test"]).await;
    let found: Vec<(&str, &str)> = tests["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| (test["channel"].as_str().unwrap(), test["status"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("pagerduty", "sent"), ("slack", "sent"), ("heartbeat", "sent"), ("webhook", "off")]);
    assert_eq!(status, Some(0));
    let actions: Vec<Value> =
        double.knobs().kept_by("pagerduty").iter().map(|kept| kept.body["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "resolve"], "whoever is woken can sleep on");
    assert_eq!(double.knobs().kept_by("slack").len(), before + 2);
    project.write(
        "barncat.local.toml",
        "[alerts]\nslack = { token = \"xoxb-hunter2\", channel = \"C1\", api = \"APIX\" }\n"
            .replace("APIX", &double.slack_api())
            .as_str(),
    );
    let output = project.barncat(&["--env", "local", "alert", "test", "slack"], &[]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("Slack refuses: invalid_auth") && text.contains("hint:") && !text.contains("hunter2"),
        "{text}"
    );
    nothing_refused(&double);
}

#[tokio::test]
async fn doctor_says_which_channels_are_off_and_what_waits() {
    let alerts = "slack.webhook = \"http://127.0.0.1:1/hunter2\"\npagerduty.key = \"${PD_KEY}\"\nheartbeat = \"HEART\"";
    let (project, _double) = with_one_open(alerts).await;
    let (report, _) = json(&project, &["doctor"]).await;
    let tests = report["tests"].as_array().unwrap();
    let of =
        |test: &str| tests.iter().find(|found| found["part"] == "alerts" && found["test"] == test).unwrap();
    assert_eq!((&of("slack")["status"], &of("heartbeat")["status"]), (&"ok".into(), &"ok".into()));
    let off = of("pagerduty");
    let message = off["message"].as_str().unwrap();
    assert!(off["status"] == "warn" && message.starts_with("is off: the variable at barncat.toml:"), "{off}");
    let waits = of("outbox")["message"].as_str().unwrap();
    assert!(waits.starts_with("1 of slack not sent yet: cannot reach Slack"), "{waits}");
    assert!(!report.to_string().contains("hunter2"));
}
