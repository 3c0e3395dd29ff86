//! Ticks that are skipped, made up for, missed; schedules that are paused.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Value;

use super::{MARK, add, control, lines, project, service::Service, ticks, until};
use crate::support::project::Project;

async fn listed(project: &Project) -> Value {
    let output = project.barncat(&["schedules", "--output", "json"], &[]).await;
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_that_finds_the_last_one_running_is_skipped_and_said() {
    let project = project(
        "[tasks.slow]\ncommand = [\"sh\", \"-c\", \"while [ ! -e go ]; do sleep 0.05; done; echo >> marks\"]\n\
         [schedules]\nhot = { every = \"1s\", select = \"slow\" }\n\
         other = { every = \"1s\", select = \"orders\" }",
    )
    .await;
    let service = Service::start(&project, &[], &[]);
    let said = service.says("tick skipped").await;
    until("two are skipped", async || ticks(&project, "hot", "skipped").await >= 2).await;
    let under_way =
        "SELECT run FROM control.ticks WHERE status IS NULL AND schedule = 'hot' AND run IS NOT NULL";
    until("it has begun", async || !control(&project, under_way).await.is_empty()).await;
    let running = control(&project, under_way).await;
    let why = said["why"].as_str().unwrap();
    assert!(why.contains("had not ended") || why.contains("had not begun"), "{said}");
    // A busy machine may skip the first ones before it has begun.
    until("the run is named", async || {
        let skipped = "SELECT why FROM control.ticks WHERE status = 'skipped' AND schedule = 'hot'";
        control(&project, skipped).await.iter().any(|why| why.contains(&running[0]))
    })
    .await;
    until("another schedule goes on", async || ticks(&project, "other", "succeeded").await >= 2).await;
    assert_eq!(ticks(&project, "hot", "open").await, 1);
    let shown = listed(&project).await;
    assert_eq!(shown["schedules"][0]["last"]["status"], "skipped", "{shown:#}");
    let status = project.barncat(&["status"], &[]).await;
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("by hot on") && status.contains(&format!("pid {}", service.pid())), "{status}");
    project.write("go", "");
    until("the next one is run", async || lines(&project, "marks") >= 2).await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_schedule_does_not_tick_and_makes_up_for_nothing() {
    let project = project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await;
    // Also before any service was there.
    let paused = project.barncat(&["schedules", "pause", "hot", "--reason", "mending"], &[]).await;
    assert!(String::from_utf8_lossy(&paused.stdout).starts_with("hot   paused"), "{paused:?}");
    let service = Service::start(&project, &[], &[]);
    service.until_it_leads().await;
    let shown = listed(&project).await;
    let hot = &shown["schedules"][0];
    assert_eq!((&hot["next_at"], &hot["paused_reason"]), (&Value::Null, &"mending".into()), "{shown:#}");
    assert!(hot["paused_by"].as_str().unwrap().contains('@'), "{shown:#}");
    assert_eq!(shown["service"]["pid"], service.pid(), "{shown:#}");
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(lines(&project, "marks"), 0, "nothing ticks");
    let again = project.barncat(&["schedules", "pause", "hot"], &[]).await;
    assert!(String::from_utf8_lossy(&again.stdout).contains("paused since"), "{again:?}");
    let resumed_at = control(&project, "SELECT clock_timestamp()::text").await.remove(0);
    let resumed = project.barncat(&["schedules", "resume", "hot"], &[]).await;
    assert!(String::from_utf8_lossy(&resumed.stdout).contains("resumed; it was paused since"), "{resumed:?}");
    until("it ticks again", async || ticks(&project, "hot", "succeeded").await > 0).await;
    // Those that the leader had not looked for yet are counted, and none of before.
    let sql = format!(
        "SELECT 'x' FROM control.ticks WHERE tick - passed_over * interval '1 second' < '{resumed_at}'::timestamptz"
    );
    let before = control(&project, &sql).await;
    assert!(before.is_empty(), "what would have ticked meanwhile is nobody's");
    assert_eq!(service.stop().await, Some(0));
    let unknown = project.barncat(&["schedules", "pause", "hott"], &[]).await;
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(2), "{said}");
    assert!(said.contains("no schedule `hott`") && said.contains("did you mean `hot`?"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_the_last_missed_tick_is_made_up_for_unless_it_is_too_old() {
    let project = project(MARK).await;
    let long_ago = Timestamp::from_second(jiff_now() - 2 * 3600).unwrap().to_zoned(TimeZone::UTC);
    let (minute, hour) = (long_ago.minute(), long_ago.hour());
    add(
        &project,
        &format!(
            "[schedules]\nhot = {{ every = \"10m\", select = \"mark\", jitter = \"1s\" }}\n\
             old = {{ cron = \"{minute} {hour} * * *\", select = \"mark\", make_up = \"1h\" }}"
        ),
    );
    let first = Service::start(&project, &[], &[]);
    first.until_it_leads().await;
    until("the schedules are known", async || {
        control(&project, "SELECT schedule FROM control.schedules").await.len() == 2
    })
    .await;
    assert_eq!(first.stop().await, Some(0));
    // As if they had been known for long, and one had ticked an hour ago.
    let now = jiff_now();
    let last = Timestamp::from_second(now - now % 600 - 3600).unwrap();
    project
        .database
        .run(&format!(
            "DELETE FROM barncat_control.ticks;
             UPDATE barncat_control.schedules SET since = now() - interval '3 days';
             INSERT INTO barncat_control.ticks (project, schedule, tick, passed_over, ended_at, status)
             VALUES ('tests', 'hot', '{last}', 0, now(), 'succeeded')"
        ))
        .await;
    let second = Service::start(&project, &[], &[]);
    until("it is made up for", async || ticks(&project, "hot", "succeeded").await == 2).await;
    until("the old one is passed", async || ticks(&project, "old", "missed").await == 1).await;
    let made_up =
        control(&project, "SELECT passed_over || ' ' || to_char(tick, 'MI:SS') FROM control.ticks WHERE schedule = 'hot' ORDER BY tick DESC LIMIT 1").await;
    let (over, at) = made_up[0].split_once(' ').unwrap();
    assert!(["5", "6"].contains(&over) && at.ends_with("0:00"), "{made_up:?}");
    let why = control(&project, "SELECT why FROM control.ticks WHERE schedule = 'old'").await;
    assert!(why[0].contains("made up for only within 1 h"), "{why:?}");
    assert_eq!(
        lines(&project, "marks"),
        1 + ticks(&project, "hot", "succeeded").await - 2,
        "the last one alone"
    );
    assert_eq!(second.stop().await, Some(0));
}

#[expect(clippy::disallowed_methods, reason = "what the servers' clock says is not known yet")]
fn jiff_now() -> i64 {
    let now = Timestamp::now();
    now.checked_add(0.seconds()).unwrap().as_second()
}
