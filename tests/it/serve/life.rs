//! What a service lives through: signals, mistakes, panics, children of others.

use std::time::{Duration, Instant};

use super::{MARK, add, assert_each_tick_ran_once, control, lines, project, service::Service, ticks, until};

/// Three tasks one after the other; the second waits for a file.
const SLOW: &str = "
[tasks.first]
command = [\"sh\", \"-c\", \"echo first >> first\"]
[tasks.slow]
command = [\"sh\", \"-c\", \"echo begun >> begun; while [ ! -e go ]; do sleep 0.05; done; echo slow >> slow\"]
needs = [\"first\"]
[tasks.last]
command = [\"sh\", \"-c\", \"echo last >> last\"]
needs = [\"slow\"]
[schedules]
hot = { every = \"1s\", select = \"first slow last\" }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_ends_after_a_sigterm_and_the_next_service_does_the_rest() {
    let project = project(SLOW).await;
    let service = Service::start(&project, &["--stop-timeout", "30s"], &[]);
    until("the second task is under way", async || lines(&project, "begun") > 0).await;
    service.send("TERM");
    service.says("stopping within").await;
    service.until_ready("stopping", |answer| answer.status == 503 && answer.body["role"] == "stopping").await;
    project.write("go", "");
    let stopping_since = Instant::now();
    assert_eq!(service.end().await, Some(0));
    assert!(stopping_since.elapsed() < Duration::from_secs(15), "it does not wait for nothing");
    assert_eq!((lines(&project, "slow"), lines(&project, "last")), (1, 0), "no other task began");
    assert_eq!(ticks(&project, "hot", "open").await, 1);
    // No tick but the one that was interrupted comes within the test's time.
    let schedule = "every = \"1s\"";
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &toml.replace(schedule, "every = \"300d\""));
    let next = Service::start(&project, &[], &[]);
    until("the rest is done", async || ticks(&project, "hot", "open").await == 0).await;
    assert_eq!(next.stop().await, Some(0));
    let done = (lines(&project, "first"), lines(&project, "slow"), lines(&project, "last"));
    assert_eq!(done, (1, 1, 1), "nothing twice");
    assert_each_tick_ran_once(&project).await;
    let runs =
        control(&project, "SELECT status || ' ' || started_by FROM control.runs ORDER BY started_at").await;
    assert!(
        runs[0].starts_with("cancelled service@") && runs[1].starts_with("succeeded service@"),
        "{runs:?}"
    );
    let history = project.barncat(&["history", "--output", "json"], &[]).await;
    let history: serde_json::Value = serde_json::from_slice(&history.stdout).unwrap();
    assert_eq!(history["runs"][0]["schedule"], "hot", "{history:#}");
    assert_eq!(history["runs"][0]["tick"], history["runs"][1]["tick"], "{history:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_in_time_is_stopped_and_gone_on_with() {
    let project = project(SLOW).await;
    let service = Service::start(&project, &["--stop-timeout", "3s"], &[]);
    until("the second task is under way", async || lines(&project, "begun") > 0).await;
    let stopped_at = Instant::now();
    assert_eq!(service.stop().await, Some(0));
    assert!(stopped_at.elapsed() < Duration::from_secs(8), "{:?}", stopped_at.elapsed());
    let next = Service::start(&project, &["--stop-timeout", "3s"], &[]);
    until("it is under way again", async || lines(&project, "begun") > 1).await;
    assert_eq!(lines(&project, "first"), 1, "what was done is not done again");
    // By hand nobody else does it meanwhile.
    assert_eq!(next.stop().await, Some(0));
    project.write("go", "");
    // A person goes on with it instead: that is the tick's run too.
    let run = control(&project, "SELECT run FROM control.ticks WHERE ended_at IS NULL").await;
    project.run(&["--resume", &run[0]]).await;
    let last = Service::start(&project, &[], &[]);
    until("the service finds that", async || ticks(&project, "hot", "open").await == 0).await;
    assert_eq!(last.stop().await, Some(0));
    assert_each_tick_ran_once(&project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_wrong_is_refused_whole_and_one_that_is_right_is_taken() {
    let project =
        project(&format!("{MARK}[schedules]\nhot = {{ every = \"300d\", select = \"mark\" }}")).await;
    let right = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    let service = Service::start(&project, &[], &[]);
    service.until_it_leads().await;
    project.write("barncat.toml", &right.replace("every = \"300d\"", "every = \"1s\", jiter = \"2s\""));
    service.send("HUP");
    let said = service.says("the project was read again and is not taken").await;
    assert!(said["error"].as_str().unwrap().contains("unknown key `jiter`"), "{said}");
    let ready = service.get("/readyz").await;
    assert_eq!(ready.status, 200, "the one before goes on");
    assert!(ready.body["refused_project"].as_str().unwrap().contains("barncat.toml:"), "{:#}", ready.body);
    // Another project, another control database: those take a restart.
    project.write("barncat.toml", &right.replace("name = \"tests\"", "name = \"others\""));
    service.send("HUP");
    let refused = |part: &'static str| {
        move |answer: &super::service::Answer| {
            answer.body["refused_project"].as_str().is_some_and(|text| text.contains(part))
        }
    };
    service.until_ready("refused", refused("is `others` by now")).await;
    project.write("barncat.toml", &right.replace("url = \"${WAREHOUSE_URL}\"", "url = \"${NOWHERE}\""));
    service.send("HUP");
    service.until_ready("refused", refused("the variable NOWHERE is not set")).await;
    assert_eq!(ticks(&project, "hot", "succeeded").await, 0);
    project.write("barncat.toml", &right.replace("every = \"300d\"", "every = \"1s\""));
    service.send("HUP");
    service.until_ready("taken", |answer| answer.body["refused_project"].is_null()).await;
    until("it ticks as it is written now", async || ticks(&project, "hot", "succeeded").await > 0).await;
    let before = control(
        &project,
        "SELECT 'x' FROM control.ticks t JOIN control.schedules s USING (schedule) WHERE t.tick < s.since",
    );
    assert!(before.await.is_empty(), "what was before the change is nobody's");
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_panics_is_counted_and_the_loop_goes_on() {
    let project = project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await;
    let service =
        Service::start(&project, &[], &[("BARNCAT_FAILPOINTS", "serve.pass=2*panic(on purpose)->off")]);
    let said = service.says("a pass ended by itself").await;
    assert_eq!(said["error"], "on purpose", "{said}");
    until("it ticks all the same", async || ticks(&project, "hot", "succeeded").await > 0).await;
    let alive = service.get("/healthz").await;
    assert_eq!((alive.status, &alive.body["panics"]), (200, &2.into()), "{:#}", alive.body);
    service.send("TERM");
    service.says("stopped").await;
    let said = service.said();
    assert!(said.iter().all(serde_json::Value::is_object), "each line is JSON: {said:#?}");
    assert_eq!(service.end().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_panics_fails_its_tick_and_the_loop_goes_on() {
    let project = project(&format!("{MARK}[schedules]\nhot = {{ every = \"1s\", select = \"mark\" }}")).await;
    let service = Service::start(
        &project,
        &[],
        &[("BARNCAT_FAILPOINTS", "control.start_run.before=1*panic(on purpose)->off")],
    );
    until("a tick failed", async || ticks(&project, "hot", "failed").await == 1).await;
    let why = control(&project, "SELECT why FROM control.ticks WHERE status = 'failed'").await;
    assert_eq!(why, ["the run ended by itself: a bug in barncat"]);
    until("the next one did not", async || ticks(&project, "hot", "succeeded").await > 0).await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_programs_leave_behind_is_taken_away_when_it_ends() {
    let project = project(
        "[tasks.leaves]\ncommand = [\"sh\", \"-c\", \"sleep 1.5 >/dev/null 2>&1 & echo $! > left.new; mv left.new left\"]\n\
         [schedules]\nhot = { every = \"300d\", select = \"leaves\" }",
    )
    .await;
    let service = Service::start(&project, &[], &[]);
    service.until_it_leads().await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &toml.replace("every = \"300d\"", "every = \"2s\""));
    service.send("HUP");
    until("a program has left one", async || project.dir().join("left").exists()).await;
    let left = std::fs::read_to_string(project.dir().join("left")).unwrap().trim().to_owned();
    let parent = || {
        let stat = std::fs::read_to_string(format!("/proc/{left}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let own = service.pid();
    until("it is the service's now", async || parent() == Some(own)).await;
    until("it is gone, not a zombie", async || parent() != Some(own)).await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_of_a_ticks_run_is_a_load_like_any_other() {
    let project = project("").await;
    add(&project, "[schedules]\nhot = { every = \"1s\", select = \"orders\", rebuild = true }");
    let service = Service::start(&project, &["--jobs", "1"], &[]);
    until("it is loaded", async || project.in_warehouse("orders").await.is_some()).await;
    until("and the tick ended", async || ticks(&project, "hot", "succeeded").await > 0).await;
    let ended = service.says("ended").await;
    assert_eq!(ended["schedule"], "hot", "{ended}");
    let task = service.says("succeeded in").await;
    assert_eq!(task["run"], ended["run"], "lines of several runs can be told apart");
    assert_eq!(service.stop().await, Some(0));
    project.assert_equal(&["orders"]).await;
}
