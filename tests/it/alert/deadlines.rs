//! Deadlines of real runs: in danger, missed, met, lost, and with no run at all.

use super::*;
use crate::support::project::{Project, on_primary, task};

const SOURCE: &str =
    "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, '5');
    CREATE TABLE extras (id int PRIMARY KEY);";

/// A project that has run once, and whose command `slow` then took 50 minutes as far as anybody knows. It is noon there:
/// no deadline of a test lies on another day.
async fn project(more: &str, slow_seconds: u32) -> (Project, AlertDouble) {
    project_at(12, more, slow_seconds).await
}

/// The same where it is a given hour of the day.
async fn project_at(hour: i8, more: &str, slow_seconds: u32) -> (Project, AlertDouble) {
    let project = Project::new(SOURCE, "[tables]\norders = \"full\"\nextras = \"full\"\n").await;
    let double = AlertDouble::start().await.unwrap();
    project.set_hour(hour);
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    let alerts = with_addresses(&format!("{BOT}\n{more}"), &double);
    let with_task = |seconds: u32| {
        let task = format!("[tasks.slow]\ncommand = [\"sleep\", \"{seconds}\"]\n");
        project.write("barncat.toml", &format!("{config}\n{task}\n[alerts]\n{alerts}\n"));
    };
    with_task(0);
    due_in(&project, 23 * 3600);
    project.run(&[]).await;
    assert_eq!(told(&double).len(), 0, "nothing was ever missed");
    let took = "UPDATE barncat_control.tasks SET seconds = 3000 WHERE task = 'slow';
                UPDATE barncat_control.tasks SET ended_at = ended_at - interval '1 day'";
    project.database.run(took).await;
    with_task(slow_seconds);
    (project, double)
}

/// Gives `pay` a deadline in so many seconds, in the project's time zone.
fn due_in(project: &Project, seconds: i64) {
    let config = config::read(project.dir(), None).expect("the project is right");
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let at = at.to_zoned(config.zone()).strftime("%H:%M:%S").to_string();
    project.write(
        "sql/models/pay.sql",
        &format!("/* barncat\ndeadline = \"{at}\"\nneeds = [\"slow\"]\n*/\nselect id, note::int as owed from orders"),
    );
}

fn words(outcome: &Value) -> &str {
    outcome["deadlines"][0]["words"].as_str().unwrap_or_default()
}

async fn json(project: &Project, arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().chain(&["--output", "json"]).copied().collect();
    let output = project.barncat(&all, &[]).await;
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_deadline_in_danger_is_told_once_before_it_and_its_end_when_it_is_met() {
    let pager = "pagerduty = { key = \"0123456789abcdef0123456789abcdef\", url = \"PAGER\" }";
    let (project, double) = project(pager, 4).await;
    due_in(&project, 120);
    let plan = json(&project, &["plan"]).await;
    let expected = plan["deadlines"][0]["seconds_expected"].as_f64().unwrap();
    assert!((3000.0..3060.0).contains(&expected), "{plan:#}");
    let meanwhile = async {
        until("people are told", async || !told(&double).is_empty()).await;
        let kept = &double.knobs().kept_by("slack")[0];
        assert!(headline(kept).starts_with("🔴 tests: raw.pay is due at"), "{}", headline(kept));
        json(&project, &["status"]).await
    };
    let (outcome, status) = tokio::join!(project.run(&[]), meanwhile);
    let shown = &status["deadlines"][0];
    assert_eq!((&shown["task"], &shown["state"]), (&"raw.pay".into(), &"in_danger".into()), "{status:#}");
    assert!(shown["expected_at"].is_string() && shown["ready_at"].is_null(), "{status:#}");
    let kept = double.knobs().kept_by("slack");
    assert_eq!(kept.len(), 2, "{:#?}", told(&double));
    let first = all_text(&kept[0].before[0]);
    for part in ["and expected at", "it began at", "takes 50 min", "<!here>", "barncat status"] {
        assert!(first.contains(part), "{part} in {first}");
    }
    assert!(headline(&kept[1]).contains("recovered"), "{}", headline(&kept[1]));
    let actions: Vec<Value> =
        double.knobs().kept_by("pagerduty").iter().map(|kept| kept.body["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert!(words(&outcome).contains("and was ready at"), "{outcome:#}");
    assert!(!words(&outcome).contains("late"), "{outcome:#}");
    assert_eq!(json(&project, &["status"]).await["deadlines"][0]["state"], "met");
    nothing_refused(&double);
}

#[tokio::test]
async fn a_missed_deadline_is_told_when_it_is_missed_and_when_it_is_done() {
    let (project, double) = project("", 12).await;
    due_in(&project, 6);
    let outcome = project.run(&[]).await;
    let told = told(&double);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains("raw.pay is due at") && told[0].contains("expected at"), "{told:#?}");
    assert!(told[1].contains("raw.pay was due at") && told[2].contains("recovered"), "{told:#?}");
    assert!(words(&outcome).contains("was due at") && words(&outcome).ends_with("late"), "{outcome:#}");
    let again = project.run(&[]).await;
    assert_eq!((super::told(&double).len(), again["deadlines"].clone()), (3, Value::Null), "{again:#}");
}

#[tokio::test]
async fn a_deadline_that_the_run_cannot_meet_any_more_names_what_failed() {
    let (project, double) = project("", 0).await;
    on_primary(&project, "UPDATE orders SET note = 'five'").await;
    due_in(&project, 3600);
    let (_, outcome) = project.try_run(&[]).await;
    assert_eq!(task(&outcome, "raw.pay")["status"], "failed", "{outcome:#}");
    let of_deadline = |told: &[String]| told.iter().filter(|text| text.contains("is due at")).count();
    let first = told(&double);
    assert_eq!((first.len(), of_deadline(&first)), (2, 1), "{first:#?}");
    let kept = double.knobs().kept_by("slack");
    assert!(kept.iter().any(|kept| all_text(&kept.body).contains("barncat run --failed")), "{kept:#?}");
    let shown = json(&project, &["status"]).await["deadlines"][0].clone();
    assert!(shown["state"] == "in_danger" && shown["held_up_by"] == "raw.pay", "{shown:#}");
    project.try_run(&["--failed"]).await;
    assert_eq!(told(&double).len(), 2, "a repeat does not ring");
    on_primary(&project, "UPDATE orders SET note = '6'").await;
    project.run(&[]).await;
    let told = told(&double);
    assert_eq!(told.iter().filter(|text| text.contains("recovered")).count(), 2, "{told:#?}");
}

#[tokio::test]
async fn a_deadline_lost_by_what_it_needs_is_shown_with_its_cause_when_the_run_is_over() {
    lost_by_what_it_needs_is_shown(12).await;
}

#[tokio::test]
async fn a_lost_deadline_after_midnight_is_shown_although_todays_was_met() {
    lost_by_what_it_needs_is_shown(23).await;
}

async fn lost_by_what_it_needs_is_shown(hour: i8) {
    let (project, _double) = project_at(hour, "", 0).await;
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &config.replace("\"sleep\", \"0\"", "\"false\""));
    due_in(&project, 3600);
    let (_, outcome) = project.try_run(&[]).await;
    assert_eq!(task(&outcome, "raw.pay")["status"], "blocked", "{outcome:#}");
    let shown = json(&project, &["status"]).await["deadlines"][0].clone();
    assert!(shown["state"] == "in_danger" && shown["held_up_by"] == "slow", "{shown:#}");
}

#[tokio::test]
async fn a_task_that_was_first_made_after_its_time_has_missed_nothing() {
    let (project, _double) = project("", 0).await;
    project.database.run("UPDATE barncat_control.tasks SET ended_at = ended_at + interval '1 day'").await;
    due_in(&project, -600);
    let shown = json(&project, &["status"]).await["deadlines"][0].clone();
    let due: jiff::Timestamp = shown["due_at"].as_str().unwrap().parse().unwrap();
    assert!(shown["state"] != "missed" && due > jiff::Timestamp::now(), "{shown:#}");
}

#[tokio::test]
async fn a_deadline_that_no_run_works_for_is_told_by_another_run() {
    let (project, double) = project("", 0).await;
    due_in(&project, 1800);
    let outcome = project.run(&["extras"]).await;
    assert_eq!(outcome["deadlines"], Value::Null, "it had nothing to do with it");
    let [kept] = double.knobs().kept_by("slack").try_into().unwrap();
    let text = all_text(&kept.body);
    for part in ["and no run does it", "it takes 50 min and is due in 30 min", "barncat run +raw.pay"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    project.run(&["+raw.pay"]).await;
    assert!(told(&double)[1].contains("recovered"), "{:#?}", told(&double));
}

#[tokio::test]
async fn a_deadline_that_nothing_has_started_for_is_seen_without_a_run() {
    let (project, double) = project("", 0).await;
    due_in(&project, 1800);
    let status = json(&project, &["status"]).await;
    let shown = &status["deadlines"][0];
    let takes = shown["takes_seconds"].as_f64().unwrap();
    assert!(shown["state"] == "in_danger" && (3000.0..3060.0).contains(&takes), "{status:#}");
    assert_eq!(told(&double).len(), 0, "to look tells nobody");
    project.barncat(&["alert", "send"], &[]).await;
    project.barncat(&["alert", "send"], &[]).await;
    assert_eq!(told(&double).len(), 1, "{:#?}", told(&double));
    assert!(all_text(&double.knobs().kept_by("slack")[0].body).contains("is due in 30 min"));
}
