//! How many connections tasks have at once, over all processes, and who waits for whom.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{Project, task},
};

on_each_ground![processes_that_need_the_same_few_connections_do_not_wait_for_each_other_for_ever];

/// Views that take long to read, and tables that do not.
const SOURCE: &str = "
    CREATE TABLE slow (id int); INSERT INTO slow SELECT generate_series(1, 3000);
    CREATE FUNCTION slowly(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN i; END';
    CREATE VIEW slow_one AS SELECT slowly(id) AS id FROM slow;
    CREATE VIEW slow_two AS SELECT slowly(id) AS id FROM slow;
    CREATE VIEW slow_few AS SELECT slowly(id) AS id FROM generate_series(1, 50) id;
    CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'is ' || n FROM generate_series(1, 100) n;
    CREATE TABLE riders (id int); INSERT INTO riders VALUES (1);
    CREATE TABLE rates (id int); INSERT INTO rates VALUES (1);";

const LIMIT: Duration = Duration::from_secs(60);

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !is_so().await {
        assert!(Instant::now() < limit, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A project whose source and warehouse allow so many connections.
async fn project(source: u32, warehouse: u32, loaders: &str) -> Project {
    let project = Project::new(SOURCE, loaders).await;
    limit(&project, source, warehouse);
    project
}

fn limit(project: &Project, source: u32, warehouse: u32) {
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    let toml =
        toml.replace("url = \"${SHOP_URL}\"", &format!("url = \"${{SHOP_URL}}\"\nconnections = {source}"));
    project.write("barncat.toml", &format!("{toml}connections = {warehouse}\n"));
}

/// A run of its own process, whose messages go to a file of the project.
fn start(project: &Project, name: &str, arguments: &[&str]) -> Child {
    let told = std::fs::File::create(project.dir().join(name)).expect("a file is made");
    let mut command = project.command(&[&["run"], arguments].concat());
    command.stdout(Stdio::null()).stderr(told).spawn().expect("it starts")
}

fn told(project: &Project, name: &str) -> String {
    std::fs::read_to_string(project.dir().join(name)).expect("it is there")
}

async fn end(mut child: Child) -> Option<i32> {
    tokio::task::spawn_blocking(move || child.wait()).await.expect("no panic").expect("it ends").code()
}

/// To open a session and to have it plan what each swap asks takes longer than a small table's rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_one_after_the_other_share_the_warehouses_sessions() {
    let tables: String = (1..=20).map(|n| format!("CREATE TABLE t{n} AS SELECT {n} AS id; ")).collect();
    let project = Project::new(&tables, "[tables]\n\"*\" = \"full\"\n").await;
    let opened = "SELECT sessions::text FROM pg_stat_database WHERE datname = current_database()";
    project.run(&["--jobs", "1"]).await;
    let before: u32 = project.database.text(opened).await.parse().expect("a number");
    project.run(&["--jobs", "1", "--full"]).await;
    let after: u32 = project.database.text(opened).await.parse().expect("a number");
    assert!(after - before < 20, "{} sessions for 20 tables", after - before);
}

fn send(signal: &str, child: &Child) {
    let kill = format!("kill -s {signal} {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
}

/// The connections that are taken, by their names.
async fn taken(project: &Project, of: &str) -> Vec<String> {
    let sql = format!(
        "SELECT regexp_replace(name, '.*/', '') FROM barncat_control.locks
         WHERE name LIKE '{of}/%' AND session IS NOT NULL ORDER BY name"
    );
    project.database.texts(&sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_critical_task_gets_its_connections_while_optional_ones_have_all_that_they_may() {
    let loaders = "[tables]\nslow_one = \"full\"\nslow_two = \"full\"\n\
                   orders = { strategy = \"full\", tier = \"critical\" }\n\
                   rates = \"full\"\n\
                   riders = { strategy = \"full\", time_limit = \"5s\", attempts = 1 }\n";
    let project = project(4, 2, loaders).await;
    project.run(&["riders"]).await;
    let slow = start(&project, "slow", &["slow_one", "slow_two", "--jobs", "4"]);
    until("all that is for all is taken", async || {
        let all = (taken(&project, "source/shop").await, taken(&project, "warehouse").await);
        all == (vec!["1".into(), "2".into()], vec!["1".into()])
    })
    .await;
    let stopped = start(&project, "stopped", &["rates"]);
    let (waits, waiting_since) = (start(&project, "waits", &["riders"]), Instant::now());
    until("an optional one waits, and says so", async || {
        ["stopped", "waits"].iter().all(|name| told(&project, name).contains("waits for a connection"))
    })
    .await;

    let outcome = project.run(&["orders"]).await;
    assert_eq!(task(&outcome, "raw.orders")["status"], "succeeded");
    project.assert_equal(&["orders"]).await;
    let unmoved = (taken(&project, "source/shop").await, taken(&project, "warehouse").await);
    assert_eq!(unmoved, (vec!["1".to_owned(), "2".to_owned()], vec!["1".to_owned()]), "they still read");

    // A wait ends at once when the run should stop; a dead process's connections free themselves; and who has
    // waited for longer than its time limit has taken none of its time.
    send("TERM", &stopped);
    assert_eq!(end(stopped).await, Some(143));
    until("its time limit is over", async || waiting_since.elapsed() > Duration::from_secs(7)).await;
    send("KILL", &slow);
    assert_eq!(end(slow).await, None);
    assert_eq!(end(waits).await, Some(0), "{}", told(&project, "waits"));
    project.assert_equal(&["riders"]).await;
}

/// Each needs two connections of the source and one of the warehouse, and there are just so many.
async fn processes_that_need_the_same_few_connections_do_not_wait_for_each_other_for_ever(ground: Ground) {
    let loaders = "consistent = [[\"riders\", \"rates\"]]\n[tables]\norders = \"full\"\nslow = \"full\"\n\
                   riders = { strategy = \"full\", fill_jobs = 1 }\nrates = \"full\"\n";
    let project = Scene::on(ground, SOURCE, loaders).await;
    limit(&project, 2, 1);
    project.write("sql/models/noted.sql", "select count(*) as orders from orders");
    project.run(&["--full"]).await;
    for _ in 0..3 {
        let one = start(&project, "one", &["--full", "orders", "slow", "noted"]);
        let other = start(&project, "other", &["--full", "riders", "rates"]);
        assert_eq!(end(one).await, Some(0), "{}", told(&project, "one"));
        assert_eq!(end(other).await, Some(0), "{}", told(&project, "other"));
    }
}

/// One has the source's connections for what it loads next, the other that table's lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_waits_for_a_lock_keeps_no_snapshot_from_who_has_it() {
    let loaders = "[tables]\nslow_few = { strategy = \"full\", tier = \"critical\" }\norders = \"full\"\n";
    let project = project(3, 4, loaders).await;
    let one = start(&project, "one", &["slow_few", "orders", "--jobs", "1"]);
    until("it has both connections", async || {
        project.database.text("SELECT (to_regclass('barncat_control.locks') IS NOT NULL)::text").await
            == "true"
            && taken(&project, "source/shop").await.len() == 2
            && taken(&project, "task").await == ["raw.slow_few"]
    })
    .await;
    let began = Instant::now();
    let other = start(&project, "other", &["orders"]);
    until("the other has the lock", async || taken(&project, "task").await.len() == 2).await;
    assert_eq!(end(one).await, Some(0), "{}", told(&project, "one"));
    assert_eq!(end(other).await, Some(0), "{}", told(&project, "other"));
    assert!(began.elapsed() < LIMIT, "they waited for each other: {:?}", began.elapsed());
    project.assert_equal(&["orders"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_warehouse_sees_no_more_sessions_at_work_than_it_allows() {
    let loaders = "consistent = [[\"riders\", \"rates\"]]\n\
                   [defaults]\nfill_jobs = 2\n[tables]\norders = \"full\"\nslow = \"full\"\nriders = \"full\"\nrates = \"full\"\n";
    let project = project(20, 2, loaders).await;
    for name in ["one", "two", "three", "four"] {
        let sql = "select count(*) as orders, min(pg_sleep(0.01)::text) as slept from orders";
        project.write(&format!("sql/models/{name}.sql"), sql);
    }
    let run = start(&project, "run", &["--jobs", "8"]);
    let sql =
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'
               AND application_name LIKE 'barncat %' AND application_name NOT LIKE 'barncat control%'";
    let (watched, mut most) = (project.database.connect().await, 0);
    let ended = end(run);
    let mut ended = std::pin::pin!(ended);
    let code = loop {
        let row = watched.query_one(sql, &[]).await.expect("it answers");
        most = most.max(row.get::<_, &str>(0).parse::<u32>().expect("a number"));
        if let Ok(code) = tokio::time::timeout(Duration::from_millis(5), ended.as_mut()).await {
            break code;
        }
    };
    assert_eq!(code, Some(0), "{}", told(&project, "run"));
    assert_eq!(most, 2, "as many as there are, and no more");
    project.assert_equal(&["orders", "slow", "riders", "rates"]).await;
}
