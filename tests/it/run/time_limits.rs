//! Soft limits tell, hard ones end: what they say, and what becomes of the servers' queries.

use std::time::{Duration, Instant};

use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    process::Process,
    project::{Project, task},
};

on_each_ground![past_its_soft_limit_a_load_goes_on_and_says_so];

/// Three seconds and more to read.
const SLOW: &str = "
    CREATE TABLE slow (id int); INSERT INTO slow SELECT generate_series(1, 30);
    CREATE FUNCTION slowly(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN i; END';
    CREATE VIEW slowest AS SELECT slowly(id) AS id FROM slow;
    CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1);";

fn warnings(outcome: &serde_json::Value, name: &str) -> String {
    task(outcome, name)["warnings"].to_string()
}

async fn past_its_soft_limit_a_load_goes_on_and_says_so(ground: Ground) {
    let loaders = "[defaults]\nwarn_after = \"1s\"\n[tables]\nslowest = \"full\"\n\
                   orders = { strategy = \"full\", warn_after = \"1h\" }\n";
    let scene = Scene::on(ground, SLOW, loaders).await;
    let output = scene.barncat(&["run", "--output", "json"], &[]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(task(&outcome, "raw.slowest")["status"], "succeeded");
    let words = "attempt 1 took longer than 1 s (`warn_after`)";
    assert!(warnings(&outcome, "raw.slowest").contains(words), "{outcome:#}");
    assert!(!warnings(&outcome, "raw.orders").contains("warn_after"), "{outcome:#}");
    let lines: Vec<_> = told.lines().filter(|line| line.contains("has taken")).collect();
    assert_eq!(lines.len(), 1, "once an attempt: {told}");
    assert!(lines[0].contains("raw.slowest") && lines[0].contains("goes on"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_its_hard_limit_a_task_fails_and_the_servers_query_is_over() {
    let project = Project::new(SLOW, "[tables]\norders = \"full\"\n").await;
    let limits = "time_limit = \"2s\"\nwarn_after = \"1s\"\nattempts = 1";
    let slow = "select id, pg_sleep(600)::text as slept from orders";
    project.write("sql/models/sleeps.sql", &format!("/* barncat\n{limits}\n*/\n{slow}"));
    project.write("sql/checks/sleeps_too.sql", &format!("/* barncat\n{limits}\n*/\n{slow}"));
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    let command = format!("\n[tasks.sleeps_long]\ncommand = [\"sleep\", \"600\"]\n{limits}\n");
    project.write("barncat.toml", &format!("{toml}{command}"));
    project.run(&["orders"]).await;

    let (_, outcome) = project.try_run(&["sleeps", "sleeps_too", "sleeps_long", "--jobs", "3"]).await;
    for name in ["raw.sleeps", "sleeps_too", "sleeps_long"] {
        let error = task(&outcome, name)["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains("took longer than 2 s"), "{name}: {outcome:#}");
        assert!(warnings(&outcome, name).contains("took longer than 1 s"), "{name}: {outcome:#}");
    }
    let ours = "SELECT count(*)::text FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
    let limit = Instant::now() + Duration::from_secs(20);
    while project.database.text(ours).await != "0" {
        assert!(Instant::now() < limit, "a query goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_or_killed_in_a_model_its_query_is_over_soon() {
    let project = Project::new(SLOW, "[tables]\norders = \"full\"\n").await;
    project.write("sql/models/sleeps.sql", "select id, pg_sleep(600)::text as slept from orders");
    project.run(&["orders"]).await;
    // A server looks after its clients every ten seconds.
    for (signal, within, code) in [("TERM", 8, Some(143)), ("INT", 8, Some(130)), ("KILL", 30, None)] {
        let run = Process::run(&project, &["sleeps"], &[]);
        until(&project, "1", 60).await;
        let begun = Instant::now();
        run.send(signal);
        assert_eq!(run.end().await.0, code, "{signal}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{signal}: it ended after {:?}", begun.elapsed());
        until(&project, "0", within).await;
    }
}

/// Waits until so many queries of the model are under way.
async fn until(project: &Project, count: &str, seconds: u64) {
    let ours = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database()
        AND query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid()";
    let limit = Instant::now() + Duration::from_secs(seconds);
    while project.database.text(ours).await != count {
        assert!(Instant::now() < limit, "not {count} queries within {seconds} s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
