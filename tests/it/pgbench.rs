//! A database that nobody here designed: pgbench's, read from the standby, published through a local
//! stage and, after some of its transactions, through S3.

use std::process::Command;

use crate::support::{
    project::Project,
    s3::{BUCKET, Operation, S3Server},
    variable,
};

/// `pgbench_history` has neither key nor, at first, rows.
const TABLES: [&str; 4] = ["pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history"];

/// Runs pgbench in the project's schema of the primary and waits until the standby has all of it.
async fn pgbench(project: &Project, arguments: &[&str]) {
    let mut command = Command::new(format!("{}/pgbench", variable("BARNCAT_SERVERS_BIN")));
    command.args(arguments).arg(variable("BARNCAT_PRIMARY_ADMIN_URL"));
    command.env("PGOPTIONS", format!("-c search_path={}", project.source.name()));
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it does not panic");
    let output = output.expect("pgbench is among the servers' programs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    project.source.run_on_primary("SELECT 1").await;
}

/// Every task of a run is done, by a publish of its own.
fn assert_all_published(outcome: &serde_json::Value) {
    let tasks = outcome["tasks"].as_array().expect("a list of tasks");
    assert_eq!(tasks.len(), TABLES.len(), "{outcome:#}");
    for task in tasks {
        assert_eq!(task["status"], "succeeded", "{outcome:#}");
    }
}

/// The rows that a run has brought for a table.
fn rows(outcome: &serde_json::Value, table: &str) -> u64 {
    let tasks = outcome["tasks"].as_array().expect("a list of tasks");
    let task = tasks.iter().find(|task| task["task"] == format!("raw.{table}")).expect("its task");
    task["rows"].as_u64().expect("rows are counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgbench_arrives_row_by_row_through_a_folder_and_through_s3() {
    let server = S3Server::start().await;
    let credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name, variable(name)));
    let variables =
        [(credentials[0].0, credentials[0].1.as_str()), (credentials[1].0, credentials[1].1.as_str())];
    let loaders = "[tables]\n\"*\" = \"full\"\n";
    let project = Project::with_stage("", loaders, "url = \"file:./stage\"", &variables).await;
    let stage = format!(
        "[stage]\nurl = \"s3://{BUCKET}/etl\"\nendpoint = \"{}\"\nregion = \"eu-west-2\"\npath_style = true\n",
        server.endpoint()
    );
    project.write("barncat.s3.toml", &stage);

    pgbench(&project, &["-i", "-q", "-s", "10"]).await;
    let outcome = project.run(&[]).await;
    assert_all_published(&outcome);
    assert_eq!(rows(&outcome, "pgbench_accounts"), 1_000_000);
    assert_eq!(rows(&outcome, "pgbench_history"), 0);
    project.assert_equal(&TABLES).await;

    pgbench(&project, &["-n", "-t", "500", "-c", "2"]).await;
    // pgbench's rows compress to nearly nothing: these make an object of more than one piece.
    let noise = "UPDATE pgbench_accounts SET filler = md5(aid::text) || md5((-aid)::text) WHERE aid % 4 = 0";
    project.source.run_on_primary(noise).await;
    let outcome = project.run(&["--env", "s3"]).await;
    assert_all_published(&outcome);
    assert_eq!(rows(&outcome, "pgbench_history"), 1_000);
    project.assert_equal(&TABLES).await;

    // It was S3 that it went through, in pieces, and nothing is left unfinished.
    assert!(!server.faults.seen(Operation::Complete).is_empty());
    assert_eq!(server.unfinished_uploads(), (vec![], 0));
}
