//! Hooks: other programs that are told of what happens, and can change none of it.

use std::{os::unix::process::ExitStatusExt, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{LOADERS, SOURCE, model, status};
use crate::support::project::Project;

async fn project(source: &str, loaders: &str, hooks: &str) -> Project {
    let project = Project::new(source, loaders).await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &format!("{toml}\n{hooks}"));
    project
}

/// A hook whose command is a line of the shell.
fn hook(name: &str, on: &str, line: &str, more: &str) -> String {
    format!("[hooks.{name}]\non = [{on}]\ncommand = [\"sh\", \"-c\", '''{line}''']\n{more}\n")
}

fn read(project: &Project, name: &str) -> String {
    std::fs::read_to_string(project.dir().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Whether a process has ended.
fn is_gone(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.is_empty() || state.contains(") Z")
}

/// The objects in a file, one a line.
fn told(project: &Project, name: &str) -> Vec<Value> {
    let text = read(project, name);
    text.lines().map(|line| serde_json::from_str(line).expect("a line is one object")).collect()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < limit, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_gets_the_event_on_stdin_and_its_essentials_as_variables() {
    let all = "\"task.failed\", \"task.blocked\", \"task.retry\", \"task.published\", \"run.failed\"";
    let env = "cat >> told; env | grep '^BARNCAT_' | sort | tr '\\n' ' ' > env.$BARNCAT_EVENT.$BARNCAT_TASK";
    let tagged = hook("tagged", "\"task.finished\"", "cat >> tagged", "select = \"tag:x\"");
    let command = "[tasks.again]\ncommand = [\"false\"]\nattempts = 2\n";
    let hooks = format!("{command}{}{tagged}", hook("all", all, env, ""));
    let project = project(SOURCE, LOADERS, &hooks).await;
    model(&project, "fees", "/* barncat\ntags = [\"x\"]\n*/ select 1 / (fee - fee) as x from orders");
    model(&project, "upon", "select x from fees");
    let (code, outcome) = project.try_run(&[]).await;
    assert_eq!((code, outcome["warnings"].as_array()), (Some(1), None), "{outcome:#}");
    let lines = told(&project, "told");
    let mut events: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap_or("-"), line["task"].as_str().unwrap_or("-")))
        .collect();
    events.sort_unstable();
    let expected = [
        ("run.failed", "-"),
        ("task.blocked", "raw.upon"),
        ("task.failed", "again"),
        ("task.failed", "raw.fees"),
        ("task.published", "raw.orders"),
        ("task.published", "raw.rates"),
        ("task.published", "raw.riders"),
        ("task.retry", "again"),
    ];
    assert_eq!(events, expected);
    let of = |event: &str, task: &str| {
        lines.iter().find(|line| line["event"] == event && line["task"] == task).expect("it was told")
    };
    let failed = of("task.failed", "raw.fees");
    assert_eq!(failed["hook"], "all");
    assert_eq!((&failed["run"], &failed["mode"]), (&outcome["run"], &"production".into()));
    assert_eq!(failed["outcome"], *crate::support::project::task(&outcome, "raw.fees"));
    assert_eq!(of("task.retry", "again")["retry"]["attempts_max"], 2);
    assert_eq!(of("task.retry", "again")["outcome"], Value::Null);
    let run = lines.iter().find(|line| line["event"] == "run.failed").expect("it was told");
    assert_eq!(run["outcome"], outcome, "the same as the run prints");
    let run = outcome["run"].as_str().expect("a run has an id");
    assert_eq!(
        read(&project, "env.task.failed.raw.fees"),
        format!(
            "BARNCAT_EVENT=task.failed BARNCAT_MODE=production BARNCAT_RUN={run} BARNCAT_STATUS=failed BARNCAT_TASK=raw.fees "
        )
    );
    assert_eq!(
        read(&project, "env.run.failed."),
        format!("BARNCAT_EVENT=run.failed BARNCAT_MODE=production BARNCAT_RUN={run} BARNCAT_STATUS=failed ")
    );
    let of_tag: Vec<Value> = told(&project, "tagged").iter().map(|line| line["task"].clone()).collect();
    assert_eq!(of_tag, ["raw.fees"], "of the selected tasks alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_what_a_hook_gets() {
    let project =
        project(SOURCE, LOADERS, &hook("all", "\"task.finished\", \"run.finished\"", "cat >> told", ""))
            .await;
    project.run(&[]).await;
    // Its tables are known, so that each fails by itself, with what the source's login says.
    let right = crate::support::variable("BARNCAT_REPLICA_URL");
    let (scheme, rest) = right.split_once("://").expect("a url");
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    let wrong = format!("{scheme}://nobody_there:s3cr3t-w0rd@{host}");
    let output = project.barncat(&["run"], &[("SHOP_URL", &wrong)]).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = told(&project, "told");
    let failed: Vec<&Value> = lines.iter().filter(|line| line["outcome"]["status"] == "failed").collect();
    assert_eq!(failed.len(), 4, "three tasks and the run");
    assert!(failed.iter().any(|line| line["outcome"]["error"]["message"].is_string()), "{failed:?}");
    let text = read(&project, "told");
    let own = project.database.url();
    let own = own
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('@'))
        .and_then(|(user, _)| user.split_once(':'));
    for secret in ["s3cr3t-w0rd"].into_iter().chain(own.map(|(_, password)| password)) {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_of_a_hook_is_told_and_changes_nothing() {
    let on = "\"task.published\"";
    let hooks = [
        hook("hangs", on, "sleep 600 & echo $! >> pids; wait", "time_limit = \"2s\""),
        hook("fails", on, "echo the channel is gone >&2; exit 3", "select = \"orders\""),
        hook(
            "prints",
            on,
            "i=0; while [ $i -lt 20000 ]; do echo 'line after line after line'; i=$((i+1)); done; echo done >> printed",
            "",
        ),
        hook("deaf", "\"run.finished\"", "exec <&-; echo heard >> deaf", ""),
        hook("leaves", "\"run.finished\"", "sleep 20 & echo left >> left", ""),
        "[hooks.missing]\non = [\"run.succeeded\"]\ncommand = [\"/no/such/program\"]\n".to_owned(),
    ];
    let project = project(SOURCE, LOADERS, &hooks.concat()).await;
    let output = project.barncat(&["run", "--output", "json"], &[]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((output.status.code(), &outcome["status"]), (Some(0), &"succeeded".into()), "{stderr}");
    let mut warnings: Vec<&str> =
        outcome["warnings"].as_array().expect("warnings").iter().filter_map(Value::as_str).collect();
    warnings.sort_unstable();
    let [fails, hangs, missing] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert_eq!(*fails, "hook `fails`, told of raw.orders: sh ended with exit status: 3: the channel is gone");
    assert!(hangs.starts_with("hook `hangs`, told of raw."), "{hangs}");
    assert!(hangs.ends_with(": it took longer than 2 s and was killed (it failed 3 times)"), "{hangs}");
    assert!(
        missing.starts_with("hook `missing`, told of the run: /no/such/program cannot be started"),
        "{missing}"
    );
    for warning in [fails, missing] {
        assert!(stderr.contains(warning), "{warning} is not in {stderr}");
    }
    assert_eq!(
        read(&project, "printed").lines().count(),
        3,
        "what it prints holds it up no more than others"
    );
    assert_eq!((read(&project, "deaf").as_str(), read(&project, "left").as_str()), ("heard\n", "left\n"));
    let pids = read(&project, "pids");
    assert_eq!(pids.lines().count(), 3);
    // What a killed hook has started is gone too.
    until("all are killed", || pids.lines().all(is_gone)).await;
    let kept: Vec<String> = project
        .database
        .texts("SELECT jsonb_array_elements_text(outcome->'warnings') FROM barncat_control.runs")
        .await;
    assert_eq!(kept.len(), 3, "the history has them too: {kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_have_slots_of_their_own() {
    let line = "mkdir -p at_work; touch at_work/$BARNCAT_TASK; ls at_work | wc -l >> seen; sleep 0.5; rm at_work/$BARNCAT_TASK";
    let project = project(SOURCE, LOADERS, &hook("slow", "\"task.finished\"", line, "")).await;
    for number in 0..9 {
        project.write(&format!("sql/checks/check_{number}.sql"), "select 1 from riders where id < 0");
    }
    let outcome = project.run(&["--jobs", "8"]).await;
    assert_eq!(outcome["warnings"].as_array(), None, "{outcome:#}");
    let seen: Vec<u32> =
        read(&project, "seen").lines().map(|line| line.trim().parse().expect("a number")).collect();
    assert_eq!(seen.len(), 12);
    // Four slots; not one after the other either.
    assert!((2..=4).contains(seen.iter().max().expect("some")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_test_mode_hooks_are_off_unless_they_say_so() {
    let hooks = hook("off", "\"run.finished\"", "cat > off", "")
        + &hook("on", "\"run.finished\"", "cat > on", "test = true");
    let project = project(SOURCE, LOADERS, &hooks).await;
    let output = project
        .barncat(&["run", "--mode", "test"], &[("WAREHOUSE_URL", &project.database.admin_url())])
        .await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told(&project, "on")[0]["mode"], "test");
    assert!(!project.dir().join("off").exists());
}

/// A table whose reading takes half a minute.
const SLOW: &str = "CREATE TABLE slow (id int); INSERT INTO slow SELECT generate_series(1, 300);
    CREATE FUNCTION slowly(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN i; END';
    CREATE VIEW slowest AS SELECT slowly(id) AS id FROM slow;";

/// A run that reads it, and the file that has what it says.
async fn reading(project: &Project) -> (std::process::Child, std::path::PathBuf) {
    let said = project.dir().join("said");
    let stderr = std::fs::File::create(&said).expect("a file is made");
    let mut command = project.command(&["run", "--output", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("it starts");
    until("the load has started", || {
        std::fs::read_to_string(&said).is_ok_and(|text| text.contains("started"))
    })
    .await;
    (child, said)
}

fn terminate(child: &std::process::Child) {
    let sent =
        std::process::Command::new("sh").args(["-c", &format!("kill -s TERM {}", child.id())]).status();
    assert!(sent.expect("a shell").success());
}

async fn end_of(child: std::process::Child) -> std::process::Output {
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await;
    ended.expect("it does not panic").expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_stopped_tells_it_and_waits_for_no_hook_that_hangs() {
    let hooks = hook("tells", "\"run.cancelled\"", "cat > told", "")
        + &hook("hangs", "\"run.finished\"", "touch begun; sleep 600", "time_limit = \"10m\"");
    let project = project(SLOW, "[tables]\nslowest = \"full\"\n", &hooks).await;
    let (child, said) = reading(&project).await;
    terminate(&child);
    let began = Instant::now();
    let output = end_of(child).await;
    let text = std::fs::read_to_string(said).expect("it is there");
    assert_eq!((output.status.code(), output.status.signal()), (Some(143), None), "{text}");
    assert!(began.elapsed() < Duration::from_secs(60), "it took {:?}", began.elapsed());
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(outcome["status"], "cancelled");
    assert_eq!(outcome["warnings"][0], "hook `hangs` was given up once: the run was stopped", "{outcome:#}");
    assert_eq!(told(&project, "told")[0]["outcome"]["status"], "cancelled");
    assert!(project.dir().join("begun").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_a_hook_with_the_run() {
    let line = "sleep 600 & echo $! > pid; wait";
    let hooks = hook("hangs", "\"run.finished\"", line, "time_limit = \"10m\"");
    let project = project(SLOW, "[tables]\nslowest = \"full\"\n", &hooks).await;
    let (child, said) = reading(&project).await;
    terminate(&child);
    let pid = || std::fs::read_to_string(project.dir().join("pid")).unwrap_or_default();
    until("the hook runs", || pid().ends_with('\n')).await;
    terminate(&child);
    let output = end_of(child).await;
    assert_eq!(output.status.code(), Some(143), "{:?}", std::fs::read_to_string(said));
    until("what it started is killed", || is_gone(pid().trim())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_that_means_nothing_is_a_mistake_or_a_warning() {
    let with =
        |select: &str| hook("tell", "\"task.failed\"", "cat > told", &format!("select = \"{select}\""));
    let project = project(SOURCE, LOADERS, "").await;
    let toml = read(&project, "barncat.toml");
    for (select, told) in [
        ("ordrs", "`select` of hook `tell`: there is no task `ordrs`"),
        ("state:changed", "`select` of hook `tell`: `state:changed` cannot be selected by here"),
        ("size:big", "`select` of hook `tell`: `size:big` selects by nothing known"),
    ] {
        project.write("barncat.toml", &format!("{toml}{}", with(select)));
        let output = project.barncat(&["validate"], &[]).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(told) && stderr.contains("barncat.toml:"), "{stderr}");
    }
    // A wildcard's row may bring such a task tomorrow.
    project.write("barncat.toml", &format!("{toml}{}", with("tag:x")));
    let outcome = project.run(&[]).await;
    let told = "hook `tell` is told of no task: no task is selected by `tag:x`";
    assert_eq!((outcome["warnings"][0].as_str(), status(&outcome, "orders")), (Some(told), "succeeded"));
}
