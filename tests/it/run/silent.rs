//! A process that stands still for good in a transaction that others wait for: nobody wakes it up, and its connections
//! stay. The server ends its session.

use std::time::{Duration, Instant};

use crate::support::{
    process::Process,
    project::{Project, on_primary},
};

const SOURCE: &str =
    "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 50);";
const LOADERS: &str = "[tables]\norders = \"full\"\n";

/// Far more than the server's patience, far less than for ever.
const SOON: Duration = Duration::from_secs(60);

async fn stopped_at(project: &Project, point: &str) -> Process {
    let process = Process::run(project, &[], &[("BARNCAT_FAILPOINTS", &format!("{point}=stop"))]);
    process.until_stopped().await;
    // A lease is not what is waited for here.
    project.database.run("UPDATE barncat_control.sessions SET expires_at = clock_timestamp()").await;
    process
}

async fn another_one_goes_on(project: &Project) {
    let begun = Instant::now();
    project.run(&[]).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    project.assert_equal(&["orders"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_makes_what_all_share() {
    let project = Project::new(SOURCE, LOADERS).await;
    let _silent = stopped_at(&project, "warehouse.prepare.locked").await;
    another_one_goes_on(&project).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_holds_the_live_table() {
    let project = Project::new(SOURCE, LOADERS).await;
    project.run(&[]).await;
    on_primary(&project, "INSERT INTO orders VALUES (51)").await;
    let _silent = stopped_at(&project, "publish.commit.before").await;
    let begun = Instant::now();
    let rows = project.database.text("SELECT count(*)::text FROM raw.orders").await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(rows, "50", "what was not committed is not there");
    another_one_goes_on(&project).await;
}
