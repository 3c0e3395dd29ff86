//! What a run tells, by the built binary.

use super::*;
use crate::support::project::{Project, on_primary, task};

const SOURCE: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'private hunter3');
    CREATE TABLE extras (id int PRIMARY KEY);";

const LOADERS: &str =
    "[tables]\norders = { strategy = \"full\", owner = \"logistics\", attempts = 1 }\nextras = \"full\"\n";

/// A critical model on orders that fails on demand: it reads a text as a number. Its deadline is never near.
const MODEL: &str = "/* barncat\ndeadline = { at = \"06:00\", within = \"1s\" }\n*/\nselect id, 100 / note::int as share from orders";

async fn project(alerts: &str) -> (Project, AlertDouble) {
    let project = Project::new(SOURCE, LOADERS).await;
    let double = AlertDouble::start().await.unwrap();
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &format!("{config}\n[alerts]\n{}\n", with_addresses(alerts, &double)));
    (project, double)
}

#[tokio::test]
async fn a_failure_is_told_once_with_what_it_does_and_its_end_below_it() {
    let (project, double) =
        project(&format!("{BOT}\nheartbeat = \"HEART\"\ndashboard = \"https://barncat.internal\"")).await;
    project.write("sql/models/pay.sql", MODEL);
    project.write("sql/models/report.sql", "select count(*) as n from pay");
    project
        .write("sql/models/top.sql", "/* barncat\ntier = \"critical\"\n*/\nselect max(n) as n from report");
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!((status, task(&outcome, "raw.pay")["status"].as_str()), (Some(1), Some("failed")));
    let (status, _) = project.try_run(&[]).await;
    assert_eq!(status, Some(1));
    let kept = double.knobs().kept_by("slack");
    assert_eq!(
        kept.len(),
        1,
        "blocked ones are a part of it, and a repeat does not ring: {:#?}",
        told(&double)
    );
    assert!(headline(&kept[0]).starts_with("🔴 tests: raw.pay failed"), "{}", headline(&kept[0]));
    let text = all_text(&kept[0].body);
    for part in
        ["<!here>", "`raw.top`", "barncat why raw.pay", "https://barncat.internal", "barncat incidents ack"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(
        !text.contains("hunter3") && !text.contains(double.slack_token()),
        "no row's value, no secret: {text}"
    );
    assert_eq!(double.knobs().kept_by("heartbeat").len(), 0, "no pass was good");

    on_primary(&project, "UPDATE orders SET note = '5'").await;
    project.run(&[]).await;
    let kept = double.knobs().kept_by("slack");
    assert_eq!(kept.len(), 2, "{:#?}", told(&double));
    assert_eq!(kept[1].thread_ts, kept[0].ts);
    assert!(headline(&kept[1]).contains("raw.pay recovered after"), "{}", headline(&kept[1]));
    assert!(headline(&kept[0]).starts_with("🟢"), "{}", headline(&kept[0]));
    assert_eq!(double.knobs().kept_by("heartbeat").len(), 1);
    nothing_refused(&double);
}

#[tokio::test]
async fn a_failure_that_can_wait_goes_quietly_to_the_low_channel_by_a_webhook() {
    let alerts = "slack = { webhook = \"SLACK_HOOK\", low_webhook = \"LOW_HOOK\", mention = \"@channel\" }";
    let (project, double) = project(alerts).await;
    project
        .write_loaders("[tables]\norders = { strategy = \"full\", tier = \"critical\" }\ngone = \"full\"\n");
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!((status, outcome["status"].as_str()), (Some(0), Some("degraded")));
    let [kept] =
        double.knobs().kept_by("slack").try_into().unwrap_or_else(|kept| panic!("one message: {kept:#?}"));
    assert!(kept.place.ends_with("/low"), "{}", kept.place);
    assert!(
        headline(&kept).starts_with("🟠 tests: raw.gone failed")
            && !all_text(&kept.body).contains("<!channel>")
    );
    on_primary(&project, "CREATE TABLE gone (id int PRIMARY KEY)").await;
    project.run(&[]).await;
    let kept = double.knobs().kept_by("slack");
    assert!(kept.len() == 2 && kept[1].place.ends_with("/low") && headline(&kept[1]).contains("recovered"));
    nothing_refused(&double);
}

#[tokio::test]
async fn in_test_mode_nobody_is_told_and_a_dead_channel_fails_no_run() {
    let (project, double) =
        project("slack.webhook = \"http://127.0.0.1:1/nobody\"\nheartbeat = \"HEART\"").await;
    project
        .write_loaders("[tables]\norders = { strategy = \"full\", tier = \"critical\" }\ngone = \"full\"\n");
    let (status, _) = project.try_run(&["--mode", "test"]).await;
    assert_eq!(status, Some(0));
    let output = project.barncat(&["incidents", "--output", "json"], &[]).await;
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["incidents"], serde_json::json!([]));
    assert_eq!(double.knobs().kept().len(), 0);
    let output = project.barncat(&["run"], &[]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("cannot reach Slack") && !said.contains("nobody"), "{said}");
    assert_eq!(double.knobs().kept_by("heartbeat").len(), 1);
}

#[tokio::test]
async fn what_the_project_has_no_more_is_over_with_the_next_run_of_everything() {
    let (project, double) = project(BOT).await;
    project.write("sql/checks/odd.sql", "select 1 as one");
    project.try_run(&[]).await;
    assert!(told(&double).iter().any(|text| text.contains("odd failed")), "{:#?}", told(&double));
    std::fs::remove_file(project.dir().join("sql/checks/odd.sql")).unwrap();
    project.try_run(&["t"]).await;
    assert!(
        !told(&double).iter().any(|text| text.contains("odd recovered")),
        "one table's run knows no more"
    );
    project.try_run(&[]).await;
    assert!(told(&double).iter().any(|text| text.contains("odd recovered")), "{:#?}", told(&double));
}

#[tokio::test]
async fn a_run_that_cannot_begin_is_told_until_one_can() {
    let (project, double) = project(BOT).await;
    project.run(&[]).await;
    // The control database elsewhere: the warehouse goes away alone.
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &format!("{config}\n[control]\nurl = \"{}\"\n", project.database.url()));
    let away = [("WAREHOUSE_URL", "postgres://nobody:hunter2@127.0.0.1:1/none")];
    let output = project.barncat(&["run"], &away).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = double.knobs().kept_by("slack");
    assert_eq!(kept.len(), 1);
    let text = all_text(&kept[0].body);
    assert!(
        text.contains("a run could not begin")
            && text.contains("barncat doctor")
            && !text.contains("hunter2"),
        "{text}"
    );
    project.run(&[]).await;
    assert!(headline(&double.knobs().kept_by("slack")[1]).contains("recovered"));
}
