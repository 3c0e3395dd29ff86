//! A process that is stopped, as by a machine that hangs, in the midst of a load, and woken up when another
//! has done its work: it publishes nothing any more.

use std::time::{Duration, Instant};

use redshift_double::StatementFault;
use serde_json::Value;

use super::crash::happened;
use crate::support::{
    ground::{Ground, Scene, long_tests_on, on_each_ground},
    process::Process,
    project::{INTO, on_primary, task},
    warehouse::Database,
};

on_each_ground![
    past_its_lease_it_publishes_nothing,
    with_a_control_database_of_its_own_it_publishes_nothing,
    whose_control_database_is_another_it_finds_all_that_is_its_own,
    in_the_midst_of_its_publish_it_is_the_first_of_two_or_none,
    that_learns_it_has_lost_its_lock_it_says_so,
];

long_tests_on!(in_real_time Postgres: for_longer_than_its_lease_it_publishes_nothing);

/// One table a strategy, and what a model is made of.
const SOURCE: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, version int); INSERT INTO orders SELECT n, 1 FROM generate_series(1, 50) n;
    CREATE TABLE log (id int PRIMARY KEY, version int); INSERT INTO log SELECT n, 1 FROM generate_series(1, 50) n;
    CREATE TABLE accounts (id int PRIMARY KEY, version int, at timestamptz DEFAULT now() - interval '3 hours');
    INSERT INTO accounts SELECT n, 1 FROM generate_series(1, 50) n;";

const LOADS: &[&str] = &["orders", "log", "accounts"];

/// The last of these is the model.
const TASKS: &[&str] = &["orders", "log", "accounts", "totals"];

const MODEL: &str =
    "/* barncat\nattempts = 1\n*/ select version, count(*) as orders from orders group by version";

/// What each table has next: rows of this version, and one more.
fn change(version: u32) -> String {
    let id = 100 + version;
    format!(
        "UPDATE orders SET version = {version}; INSERT INTO orders VALUES ({id}, {version});
         INSERT INTO log VALUES ({id}, {version});
         UPDATE accounts SET version = {version}, at = now() WHERE id < 5;
         INSERT INTO accounts VALUES ({id}, {version}, now())"
    )
}

async fn scene(ground: Ground, attempts: u32) -> Scene {
    let loaders = format!(
        "[defaults]\nattempts = {attempts}\n[tables]\norders = \"full\"\n\
         log = {{ strategy = \"append\", cursor = \"id\" }}\n\
         accounts = {{ strategy = \"merge\", cursor = \"at\", deletes = \"ignore\" }}\n"
    );
    let scene = Scene::on(ground, SOURCE, &loaders).await;
    scene.write("sql/models/totals.sql", MODEL);
    scene.write("sql/checks/none.sql", "select 1 from orders where id < 0");
    scene
}

/// Where a task stands just before its publish.
fn just_before(ground: Ground, name: &str) -> &'static str {
    match (ground, name) {
        (Ground::Postgres, _) => "publish.ledger.before",
        (_, "orders" | "totals") => "publish.swap.before",
        _ => "publish.rows.before",
    }
}

/// Where its staging table is filled, and it holds no lock on what it reads.
fn midway(ground: Ground, name: &str) -> &'static str {
    match (ground, name) {
        (Ground::Postgres, "totals") => "staging.commit.after",
        (_, "totals") => "staging.select.after",
        (Ground::Postgres, _) => "staging.part.after",
        _ => "staging.copy.after",
    }
}

/// Starts a run of each task that stops at its point, and waits for that.
async fn stopped(scene: &Scene, point: impl Fn(&str) -> String) -> Vec<Process> {
    let start = |name: &&str| {
        // By itself the model is unchanged as long as what it reads is.
        let arguments = if *name == "totals" { &[*name, "--full"][..] } else { &[*name] };
        Process::run(scene, arguments, &[("BARNCAT_FAILPOINTS", &format!("{}=stop", point(name)))])
    };
    let stopped: Vec<Process> = TASKS.iter().map(start).collect();
    for process in &stopped {
        process.until_stopped().await;
    }
    stopped
}

/// What a table's readers see, and what the ledger has of it.
async fn published(scene: &Scene) -> Vec<String> {
    let mut published =
        scene.database.texts("SELECT table_name || ' ' || load FROM barncat.loads ORDER BY load").await;
    for name in TASKS {
        published.push(scene.in_warehouse(name).await.expect("it is published"));
    }
    published
}

/// Lets the leases of all processes run out, as the control database's clock does in a minute.
async fn let_leases_run_out(scene: &Scene) {
    scene.control().run("UPDATE barncat_control.sessions SET expires_at = clock_timestamp()").await;
}

/// Another process does the work of those that are stopped, and they are woken up: nothing changes any more.
/// Answers what became of their tasks.
async fn taken_over(scene: &Scene, stopped: Vec<Process>, other: Process) -> Vec<Value> {
    let (status, outcome) = other.end().await;
    assert_eq!(status, Some(0), "{outcome:#}");
    for name in TASKS {
        assert_eq!(task(&outcome, &format!("{INTO}.{name}"))["status"], "succeeded", "{name}: {outcome:#}");
    }
    let before = published(scene).await;
    let mut ended = Vec::new();
    for process in &stopped {
        process.send("CONT");
    }
    for (process, name) in stopped.into_iter().zip(TASKS) {
        let (status, outcome) = process.end().await;
        assert_eq!(status, Some(1), "{name}: {outcome:#}");
        assert_eq!(published(scene).await, before, "{name}: {outcome:#}");
        ended.push(task(&outcome, &format!("{INTO}.{name}")).clone());
    }
    let loads = "SELECT table_name || ' ' || count(*) || ' ' || count(DISTINCT load) || ' ' || count(DISTINCT coalesce(previous, ''))
                 FROM barncat.loads GROUP BY table_name ORDER BY table_name";
    let expected = ["accounts 2 2 2", "log 2 2 2", "orders 2 2 2", "totals 2 2 2"];
    assert_eq!(scene.database.texts(loads).await, expected, "one row a publish");
    ended
}

/// What is left is taken away by the next run, which finds everything as it should be.
async fn nothing_is_left(scene: &Scene) {
    scene.run(&[]).await;
    scene.assert_equal(LOADS).await;
    assert_eq!(scene.tables_of_loads().await, Vec::<String>::new());
}

fn assert_superseded(ended: &[Value]) {
    for task in ended {
        let error = &task["error"];
        assert_eq!((&task["status"], &error["class"]), (&"failed".into(), &"passing".into()), "{task:#}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(" is superseded: another load of it was published since"), "{message}");
        assert_eq!(error["hint"], "the next load is decided upon anew");
    }
}

fn assert_lock_lost(ended: &[Value]) {
    for task in ended {
        let error = &task["error"];
        assert_eq!((&task["status"], &error["class"]), (&"failed".into(), &"passing".into()), "{task:#}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.starts_with("the task's lock was lost: "), "{message}");
        assert_eq!(error["hint"], "another run may have done the task by now; `barncat history` shows it");
    }
}

/// Only the warehouse keeps it from that: it does not know yet that its lease has run out.
async fn past_its_lease_it_publishes_nothing(ground: Ground) {
    let scene = scene(ground, 1).await;
    scene.run(&[]).await;
    on_primary(&scene, &change(2)).await;
    let stopped = stopped(&scene, |name| just_before(ground, name).to_owned()).await;
    on_primary(&scene, &change(3)).await;
    let_leases_run_out(&scene).await;
    let ended = taken_over(&scene, stopped, Process::run(&scene, &[], &[])).await;
    assert_lock_lost(&ended);
    scene.assert_equal(LOADS).await;
    nothing_is_left(&scene).await;
}

/// The same with nobody's help: the other one waits for the locks until they are free.
async fn for_longer_than_its_lease_it_publishes_nothing(ground: Ground) {
    let scene = scene(ground, 3).await;
    scene.run(&[]).await;
    on_primary(&scene, &change(2)).await;
    let stopped = stopped(&scene, |name| just_before(ground, name).to_owned()).await;
    on_primary(&scene, &change(3)).await;
    let ended = taken_over(&scene, stopped, Process::run(&scene, &[], &[])).await;
    assert_lock_lost(&ended);
    scene.assert_equal(LOADS).await;
    nothing_is_left(&scene).await;
}

/// No lease is ever lost: neither process knows of the other.
async fn with_a_control_database_of_its_own_it_publishes_nothing(ground: Ground) {
    let scene = scene(ground, 1).await;
    let other = Database::empty().await;
    scene.write("barncat.other.toml", "[control]\nurl = \"${OTHER_URL}\"\n");
    scene.run(&[]).await;
    on_primary(&scene, &change(2)).await;
    let stopped = stopped(&scene, |name| just_before(ground, name).to_owned()).await;
    on_primary(&scene, &change(3)).await;
    let other = Process::run(&scene, &["--env", "other"], &[("OTHER_URL", &other.url())]);
    let ended = taken_over(&scene, stopped, other).await;
    assert_superseded(&ended);
    scene.assert_equal(LOADS).await;
    nothing_is_left(&scene).await;
}

/// What the other process' control database knows nothing of may be alive: it is neither swept nor in the way.
async fn whose_control_database_is_another_it_finds_all_that_is_its_own(ground: Ground) {
    let scene = scene(ground, 1).await;
    let other = Database::empty().await;
    scene.write("barncat.other.toml", "[control]\nurl = \"${OTHER_URL}\"\n");
    scene.run(&[]).await;
    on_primary(&scene, &change(2)).await;
    let stopped = stopped(&scene, |name| midway(ground, name).to_owned()).await;
    let sweeping = Process::run(&scene, &["none", "--env", "other"], &[("OTHER_URL", &other.url())]);
    assert_eq!(sweeping.end().await.0, Some(0));
    for process in &stopped {
        process.send("CONT");
    }
    for (process, name) in stopped.into_iter().zip(TASKS) {
        let (status, outcome) = process.end().await;
        assert_eq!(status, Some(0), "{name}: {outcome:#}");
        let load =
            task(&outcome, &format!("{INTO}.{name}"))["load"].as_str().expect("it is published").to_owned();
        let manifest = format!("{load}/manifest.json");
        let staged = scene.staged();
        let is_staged = staged.iter().any(|path| path.to_string_lossy().ends_with(&manifest));
        assert!(is_staged || *name == "totals", "the rows of {load} are gone: {staged:?}");
    }
    scene.assert_equal(LOADS).await;
    nothing_is_left(&scene).await;
}

/// Its row of the ledger is written and not committed: by the Data API its batch goes on without it; else it keeps
/// the other one waiting, which then decides anew.
async fn in_the_midst_of_its_publish_it_is_the_first_of_two_or_none(ground: Ground) {
    let scene = scene(ground, 3).await;
    scene.run(&["orders"]).await;
    on_primary(&scene, &change(2)).await;
    let first = match &scene {
        Scene::Postgres(_) => {
            let first =
                Process::run(&scene, &["orders"], &[("BARNCAT_FAILPOINTS", "publish.ledger.after=stop")]);
            first.until_stopped().await;
            first
        }
        Scene::Redshift(on) => {
            let (ledger, wait) = ("insert into \"barncat\".\"loads\"", Duration::from_secs(2));
            on.double.knobs().on_statement(ledger, StatementFault::Wait(wait), 1);
            let first = Process::run(&scene, &["orders"], &[]);
            happened(on.double.knobs()).await;
            first.send("STOP");
            first.until_stopped().await;
            first
        }
    };
    on_primary(&scene, &change(3)).await;
    let_leases_run_out(&scene).await;
    let other = Process::run(&scene, &["orders"], &[]);
    if ground != Ground::DataApi {
        until_somebody_waits(&scene).await;
        first.send("CONT");
    }
    let (status, outcome) = other.end().await;
    assert_eq!((status, &outcome["status"]), (Some(0), &"succeeded".into()), "{outcome:#}");
    if ground == Ground::DataApi {
        first.send("CONT");
    }
    let (_, first) = first.end().await;
    scene.assert_equal(&["orders"]).await;
    let loads = scene.database.texts("SELECT coalesce(previous, '') FROM barncat.loads ORDER BY 1").await;
    assert!(loads.windows(2).all(|two| two[0] != two[1]), "each load follows another one: {loads:?}");
    let run = first["run"].as_str().expect("a run has an id");
    let of_first = format!("SELECT count(*)::text FROM barncat.loads WHERE run = '{run}'");
    let of_first = scene.database.text(&of_first).await;
    assert_eq!(loads.len().to_string(), format!("{}", 2 + usize::from(of_first == "1")));
    let says_so = task(&first, &format!("{INTO}.orders"))["status"] == "succeeded";
    assert!(!says_so || of_first == "1", "{first:#}");
    nothing_is_left(&scene).await;
}

/// A session of the warehouse waits for another one's lock.
async fn until_somebody_waits(scene: &Scene) {
    let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let limit = Instant::now() + Duration::from_secs(60);
    while scene.database.text(waiting).await == "0" {
        assert!(Instant::now() < limit, "nobody waited within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Stopped while it fills, before it holds anything in the warehouse; cut off from the control database, it asks
/// for its locks as soon as it is awake.
async fn that_learns_it_has_lost_its_lock_it_says_so(ground: Ground) {
    let scene = scene(ground, 3).await;
    scene.run(&[]).await;
    on_primary(&scene, &change(2)).await;
    let stopped = stopped(&scene, |name| midway(ground, name).to_owned()).await;
    let_leases_run_out(&scene).await;
    scene.control().run("SELECT pg_terminate_backend(backend_pid) FROM barncat_control.sessions").await;
    let ended = taken_over(&scene, stopped, Process::run(&scene, &[], &[])).await;
    assert_lock_lost(&ended);
    scene.assert_equal(LOADS).await;
    nothing_is_left(&scene).await;
}
