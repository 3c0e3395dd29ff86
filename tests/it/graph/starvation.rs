//! What nobody waits for never keeps what matters from starting.

use std::fmt::Write;

use serde_json::Value;

use crate::support::{
    process::Process,
    project::{INTO, Project},
};

/// How long the critical path takes: a command and a load beside it, then two models.
const STEPS: [&str; 4] = ["gate", "orders", "report", "final"];

/// Each reads for a while; of the optional ones there are many.
const SLOW_LOADS: usize = 70;
const SLOW_MODELS: usize = 70;
const SLOW_COMMANDS: usize = 60;

fn source() -> String {
    let mut sql = "CREATE TABLE rows (id int); INSERT INTO rows VALUES (1);
        CREATE FUNCTION slowly(i int, seconds float8) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(seconds); RETURN i; END';
        CREATE VIEW orders AS SELECT slowly(id, 2) AS id FROM rows;"
        .to_owned();
    for load in 0..SLOW_LOADS {
        let _ = write!(sql, "CREATE VIEW slow_{load} AS SELECT slowly(id, 4) AS id FROM rows;");
    }
    sql
}

async fn project() -> Project {
    let loaders = "[tables]\n\"*\" = \"full\"\nrows = \"skip\"\norders = { strategy = \"full\", tier = \"critical\" }\n";
    let project = Project::new(&source(), loaders).await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    let mut toml = toml.replace("url = \"${SHOP_URL}\"\n", "url = \"${SHOP_URL}\"\nconnections = 4\n");
    toml.push_str("\n[tasks.gate]\ncommand = [\"sleep\", \"3\"]\n");
    for task in 0..SLOW_COMMANDS {
        let _ = write!(toml, "[tasks.idle_{task}]\ncommand = [\"sleep\", \"4\"]\n");
    }
    project.write("barncat.toml", &toml);
    for model in 0..SLOW_MODELS {
        project.write(&format!("sql/models/nap_{model}.sql"), "select 1 as n, pg_sleep(4)::text as slept");
    }
    let report = "/* barncat\nneeds = [\"gate\"]\n*/ select id, pg_sleep(3)::text as slept from orders";
    project.write("sql/models/report.sql", report);
    let last = "/* barncat\ntier = \"critical\"\n*/ select id, pg_sleep(3)::text as slept from report";
    project.write("sql/models/final.sql", last);
    project
}

/// When a critical task was ready, began and ended, in seconds since the run began.
#[derive(Debug)]
struct Moments {
    ready: f64,
    began: f64,
    ended: f64,
}

/// By the control database's clock. A task is ready when the last one that it needs has ended.
async fn moments(project: &Project) -> Vec<Moments> {
    let mut all: Vec<Moments> = Vec::new();
    for (place, name) in STEPS.iter().enumerate() {
        let of_task = |moment: &str| {
            format!(
                "SELECT extract(epoch FROM {moment} - r.started_at)::text
                 FROM barncat_control.runs r JOIN barncat_control.tasks t USING (run)
                 LEFT JOIN barncat_control.attempts a USING (run, task)
                 WHERE t.task IN ('{name}', '{INTO}.{name}')"
            )
        };
        let at = async |moment| {
            project.database.text(&of_task(moment)).await.parse::<f64>().expect("seconds are a number")
        };
        let (began, ended) = (at("coalesce(a.started_at, t.started_at)").await, at("t.ended_at").await);
        let needs = match place {
            0 | 1 => &[][..],
            2 => &all[..2],
            _ => &all[2..3],
        };
        let ready = needs.iter().map(|task| task.ended).fold(f64::NAN, f64::max);
        all.push(Moments { ready, began, ended });
    }
    all
}

/// All critical tasks have ended; what is left of the run is not waited for.
async fn until_critical_are_done(project: &Project) {
    let last = format!(
        "SELECT count(*)::text FROM barncat_control.tasks WHERE task = '{INTO}.final' AND ended_at IS NOT NULL"
    );
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(120);
    let is_there = "SELECT (to_regclass('barncat_control.tasks') IS NOT NULL)::text";
    while project.database.text(is_there).await == "false" || project.database.text(&last).await == "0" {
        assert!(std::time::Instant::now() < limit, "the critical tasks did not end within two minutes");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Both at once, so that a busy machine slows both down alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_slow_optional_tasks_hold_no_critical_one_up() {
    let (crowded, alone) = tokio::join!(project(), project());
    let run = Process::run(&crowded, &["--jobs", "8"], &[]);
    let run_alone = Process::run(&alone, &["tier:critical", "--jobs", "8"], &[]);
    until_critical_are_done(&crowded).await;
    run.send("TERM");
    let (status, outcome) = run.end().await;
    assert_eq!(status, Some(143), "{outcome:#}");
    let (status, outcome_alone) = run_alone.end().await;
    assert_eq!(status, Some(0), "{outcome_alone:#}");
    assert_eq!(outcome["tasks"].as_array().map(Vec::len), Some(204), "{outcome:#}");
    assert_eq!(outcome_alone["tasks"].as_array().map(Vec::len), Some(4), "{outcome_alone:#}");
    let (crowded, alone) = (moments(&crowded).await, moments(&alone).await);
    let first = |all: &[Moments]| all.iter().map(|task| task.began).fold(f64::INFINITY, f64::min);
    let (begun, begun_alone) = (first(&crowded), first(&alone));
    for (name, (task, alone)) in STEPS.iter().zip(crowded.iter().zip(&alone)) {
        eprintln!("{name}: {task:?}, alone {alone:?}");
        let ready = if task.ready.is_nan() { alone.began } else { task.ready };
        assert!(task.began - ready < 2.0, "{name} waited: {task:?}");
        // From the first beginning on: two hundred more are looked at before anything begins.
        let (took, took_alone) = (task.ended - begun, alone.ended - begun_alone);
        assert!(took <= took_alone * 1.1, "{name} was held up: {task:?}, alone {alone:?}");
    }
    let optional: Vec<&Value> =
        outcome["tasks"].as_array().into_iter().flatten().filter(|task| task["tier"] == "optional").collect();
    let succeeded = optional.iter().filter(|task| task["status"] == "succeeded").count();
    assert!(succeeded > 3, "optional tasks filled the other slots: {succeeded}");
}
