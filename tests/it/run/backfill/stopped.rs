//! Killed, interrupted, or in the way of a load: each chunk is published once, and a load goes first.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
};

use super::{LOADERS, SOURCE, backfill, on_primary, project, try_backfill};
use crate::support::project::Project;

const CHUNKS: usize = 40;

async fn changed() -> Project {
    let project = project().await;
    on_primary(&project, "UPDATE events SET note = 'changed'; DELETE FROM events WHERE id % 50 = 0").await;
    project
}

/// The fail points that a backfill passes.
async fn points() -> Vec<String> {
    let project = changed().await;
    let arguments = ["backfill", "events", "--chunk", "500", "--delete"];
    let output = project.barncat(&arguments, &[("BARNCAT_FAILPOINTS", "list")]).await;
    let told = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{told}");
    let points: BTreeSet<&str> = told.lines().filter_map(|line| line.strip_prefix("fail point: ")).collect();
    points.into_iter().map(str::to_owned).collect()
}

/// Some of them, in an order in which each is reached: those of the begin first, of the end only the one
/// after which all chunks are done and the backfill is not.
fn wanted(points: &[String]) -> Vec<&String> {
    let is_of = |point: &str, names: &[&str]| names.iter().any(|name| point.contains(name));
    let (begin, rest): (Vec<&String>, Vec<&String>) =
        points.iter().partition(|point| is_of(point, &["start_backfill"]));
    let of_each_chunk = rest
        .into_iter()
        .filter(|point| !is_of(point, &["finish_backfill", "finish_run", "finish_task", "session_end"]));
    // Every so many, and always around the COMMIT and the journal.
    let important = ["publish.commit", "finish_chunk", "start_chunk", "backfill.chunk"];
    let chosen = of_each_chunk
        .enumerate()
        .filter(|(number, point)| is_of(point, &important) || number % 6 == 0)
        .map(|(_, point)| point);
    let end = points.iter().filter(|point| *point == "control.finish_backfill.before");
    begin.into_iter().rev().chain(chosen).chain(end).collect()
}

/// Each chunk has one load in the ledger, and the table is as the source.
async fn assert_each_chunk_once(project: &Project, backfill: &str) {
    let twice = format!(
        "SELECT concat_ws(' ', (SELECT count(*) FROM barncat.loads WHERE strategy = 'backfill'),
             (SELECT count(DISTINCT load) FROM barncat_control.backfill_chunks JOIN barncat.loads USING (load)
              WHERE backfill = '{backfill}'),
             (SELECT count(*) FROM barncat_control.backfill_chunks
              WHERE backfill = '{backfill}' AND status = 'succeeded'),
             (SELECT status FROM barncat_control.backfills WHERE backfill = '{backfill}'))"
    );
    assert_eq!(project.database.text(&twice).await, format!("{CHUNKS} {CHUNKS} {CHUNKS} succeeded"));
    project.assert_equal(&["events"]).await;
    let left = "SELECT (SELECT count(*) FROM barncat_control.locks WHERE session IS NOT NULL)
                    + (SELECT count(*) FROM pg_tables WHERE schemaname = 'barncat_staging')";
    assert_eq!(project.database.text(&format!("SELECT ({left})::text")).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_each_chunk_is_published_once() {
    let points = points().await;
    assert!(points.len() > 30, "{points:?}");
    let project = changed().await;
    let mut kills = 0;
    for point in wanted(&points) {
        let begun = "SELECT count(*)::text FROM barncat_control.backfills";
        let arguments: &[&str] = match project.database.text(begun).await.as_str() {
            "0" => &["backfill", "events", "--chunk", "25", "--delete"],
            _ => &["backfill", "events", "--resume"],
        };
        let action = format!("{point}=kill");
        let output = project.barncat(arguments, &[("BARNCAT_FAILPOINTS", &action)]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(9), "{point} was not reached: {told}");
        kills += 1;
    }
    assert!(kills >= 10, "{kills}");
    let outcome = backfill(&project, &["events", "--resume"]).await;
    assert_each_chunk_once(&project, outcome["backfill"].as_str().expect("it has an id")).await;
}

/// A backfill that takes its time, under way: it has said that it is at chunk `number`.
async fn under_way(project: &Project, number: usize, arguments: &[&str]) -> Child {
    let all = [&["backfill", "events", "--rows-per-second", "250"], arguments].concat();
    let mut command = project.command(&all);
    command.stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("the built binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let wanted = format!("chunk {number} of {CHUNKS}");
    let waiting = tokio::task::spawn_blocking(move || {
        let found = lines.by_ref().map_while(Result::ok).any(|line| line.contains(&wanted));
        // What follows is read too, or the pipe would fill.
        std::thread::spawn(move || lines.for_each(drop));
        found
    });
    assert!(waiting.await.expect("it does not panic"), "chunk {number} was not reached");
    child
}

async fn end(mut child: Child) -> Option<i32> {
    tokio::task::spawn_blocking(move || child.wait().expect("the binary ends").code())
        .await
        .expect("it does not panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_it_stops_cleanly_and_can_be_resumed() {
    let project = changed().await;
    let mut arguments: &[&str] = &["--chunk", "25", "--delete"];
    for number in [3, 7, 8] {
        let child = under_way(&project, number, arguments).await;
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.expect("kill starts").success());
        assert_eq!(end(child).await, Some(130));
        arguments = &["--resume"];
    }
    let status = "SELECT string_agg(DISTINCT status, ' ') FROM barncat_control.tasks WHERE kind = 'backfill'";
    assert_eq!(project.database.text(status).await, "cancelled");
    let outcome = backfill(&project, &["events", "--resume"]).await;
    assert_each_chunk_once(&project, outcome["backfill"].as_str().expect("it has an id")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_goes_first_and_new_rows_are_brought_between_two_chunks() {
    let project = changed().await;
    let child = under_way(&project, 4, &["--chunk", "25", "--delete"]).await;
    let other = try_backfill(&project, &["events", "--resume"]).await;
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(3), "{told}");
    assert!(told.contains("a backfill of raw.events is under way in run"), "{told}");
    on_primary(&project, "INSERT INTO events (note) VALUES ('new')").await;
    let outcome = project.run(&["events"]).await;
    let task = &outcome["tasks"][0];
    assert_eq!((&task["rows"], &task["reason"]), (&1.into(), &"new rows".into()), "{task:#}");
    assert_eq!(end(child).await, Some(0));
    let order =
        "SELECT string_agg(strategy, ' ' ORDER BY load) FROM barncat.loads WHERE table_name = 'events'";
    let order = project.database.text(order).await;
    assert!(order.contains("backfill append backfill"), "{order}");
    let id = project.database.text("SELECT backfill FROM barncat_control.backfills").await;
    assert_each_chunk_once(&project, &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_has_the_lock_is_waited_for() {
    let project = Project::new(SOURCE, LOADERS).await;
    project.run(&[]).await;
    on_primary(&project, "INSERT INTO events (note) VALUES ('new')").await;
    let mut run = project.command(&["run", "events"]);
    run.env("BARNCAT_FAILPOINTS", "publish.commit.before=sleep(4000)");
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the built binary starts");
    let held = "SELECT count(*)::text FROM barncat_control.locks WHERE name = 'task/raw.events' AND session IS NOT NULL";
    while project.database.text(held).await == "0" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    backfill(&project, &["events", "--chunk", "1000"]).await;
    assert!(run.wait().expect("the binary ends").success());
    let order = "SELECT string_agg(strategy, ' ' ORDER BY published_at) FROM barncat.loads WHERE table_name = 'events'";
    assert_eq!(project.database.text(order).await, "append append backfill");
    project.assert_equal(&["events"]).await;
}

/// Between two chunks a load goes first. It may want just the connections that the chunk before had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_goes_first_finds_the_connections_of_the_last_chunk_free() {
    let project = Project::new(SOURCE, LOADERS).await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    // One is kept for critical loads: this one must have both others.
    let few = toml.replace("url = \"${SHOP_URL}\"", "url = \"${SHOP_URL}\"\nconnections = 3");
    assert_ne!(few, toml);
    project.write("barncat.toml", &few);
    project.run(&[]).await;
    on_primary(&project, "INSERT INTO events (note) VALUES ('new')").await;
    let mut chunks = project.command(&["backfill", "events", "--chunk", "500"]);
    chunks.env("BARNCAT_FAILPOINTS", "backfill.chunk.after=1*sleep(4000)->off");
    let mut chunks = chunks.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let published = "SELECT count(*)::text FROM barncat.loads WHERE strategy = 'backfill'";
    while project.database.text(published).await == "0" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // The first chunk is done, its snapshot is still open: now the load takes the lock.
    let both = async {
        project.run(&["events"]).await;
        while chunks.try_wait().expect("it is a child").is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(90), both).await;
    if ended.is_err() {
        chunks.kill().expect("it still runs");
    }
    assert!(ended.is_ok(), "they wait for each other");
    assert!(chunks.wait().expect("the binary ends").success());
    project.assert_equal(&["events"]).await;
}
