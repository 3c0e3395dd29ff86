//! A snapshot protects rows, not files: what rewrites a table's file makes the parts that are read
//! afterwards short or empty, in silence.

use barncat::error::Class;

use super::{ids, read, read_all, snapshot};
use crate::support::{Schema, project::Project};

const TABLE: &str = "CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5000)";

/// Statements of their own: some cannot be in a transaction.
async fn after(schema: &Schema, statements: &[&str]) {
    schema.run_on_primary(&format!("SET search_path = {}", schema.name())).await;
    for statement in statements {
        schema.run_on_primary(statement).await;
    }
}

/// Reads the first part, lets `statements` be replayed, and reads the others.
async fn read_around(statements: &[&str]) -> Result<Vec<i64>, barncat::source::SourceError> {
    let schema = Schema::on_standby(TABLE).await;
    let snapshot = snapshot().await;
    let parts = snapshot.plan_parts(&ids(schema.name(), "t")).await?;
    assert!(parts.len() > 4, "{} parts", parts.len());
    let mut all = read(&*snapshot, &parts[0]).await?;
    after(&schema, statements).await;
    all.extend(read_all(&*snapshot, &parts[1..]).await?);
    all.sort_unstable();
    Ok(all)
}

async fn is_noticed(statements: &[&str]) {
    let error = read_around(statements).await.expect_err("the rest of the rows is not there any more");
    assert_eq!(error.class(), Class::Passing, "{statements:?}: {error}");
    assert!(error.to_string().contains(".t"), "{statements:?}: it names the table: {error}");
}

#[tokio::test]
async fn what_only_adds_and_changes_rows_does_no_harm() {
    let all = read_around(&[
        "INSERT INTO t SELECT generate_series(5001, 9000)",
        "UPDATE t SET id = -id WHERE id % 3 = 0",
        "ANALYZE t",
        "CREATE INDEX ON t (id)",
        "ALTER TABLE t ADD note text",
    ])
    .await
    .expect("the snapshot holds");
    assert_eq!(all, (1..=5000).collect::<Vec<i64>>());
}

#[tokio::test]
async fn vacuum_full_between_two_parts_is_noticed() {
    is_noticed(&["DELETE FROM t WHERE id % 2 = 0", "VACUUM FULL t"]).await;
}

#[tokio::test]
async fn cluster_between_two_parts_is_noticed() {
    is_noticed(&["CLUSTER t USING t_pkey"]).await;
}

#[tokio::test]
async fn truncate_between_two_parts_is_noticed() {
    is_noticed(&["TRUNCATE t"]).await;
    is_noticed(&["TRUNCATE t", "INSERT INTO t SELECT generate_series(1, 5000)"]).await;
}

#[tokio::test]
async fn a_rewriting_alter_between_two_parts_is_noticed() {
    is_noticed(&["ALTER TABLE t ALTER id TYPE numeric"]).await;
}

#[tokio::test]
async fn a_table_that_was_dropped_or_made_anew_is_noticed() {
    is_noticed(&["DROP TABLE t"]).await;
    is_noticed(&[
        "DROP TABLE t",
        "CREATE TABLE t (id bigint); INSERT INTO t SELECT generate_series(1, 5000)",
    ])
    .await;
    is_noticed(&["ALTER TABLE t RENAME TO u", "CREATE TABLE t (id bigint)"]).await;
}

#[tokio::test]
async fn what_came_between_the_planning_and_the_first_part_is_noticed() {
    let schema = Schema::on_standby(TABLE).await;
    let snapshot = snapshot().await;
    let parts = snapshot.plan_parts(&ids(schema.name(), "t")).await.expect("it has parts");
    after(&schema, &["VACUUM FULL t"]).await;
    read_all(&*snapshot, &parts).await.expect_err("the file is another one");
}

#[tokio::test]
async fn what_came_between_the_snapshot_and_the_planning_is_noticed() {
    let schema = Schema::on_standby(TABLE).await;
    let snapshot = snapshot().await;
    // The snapshot's first query, so that it stands.
    snapshot.describe(&ids(schema.name(), "t").table).await.expect("it is there");
    after(&schema, &["TRUNCATE t"]).await;
    let extraction = ids(schema.name(), "t");
    let read = async { read_all(&*snapshot, &snapshot.plan_parts(&extraction).await?).await };
    let rows = read.await;
    assert!(rows.is_err(), "5,000 rows were there, and {rows:?} were read");
}

#[tokio::test]
async fn a_run_begins_such_a_table_anew() {
    let project = Project::new(TABLE, "[tables]\nt = \"full\"\n").await;
    project.source.run_on_primary(&format!("SET search_path = {}", project.source.name())).await;
    for _ in 0..5 {
        tokio::select! {
            outcome = project.run(&["--full"]) => assert_eq!(outcome["status"], "succeeded"),
            () = rewriting_for(&project) => unreachable!("it never ends"),
        }
        project.assert_equal(&["t"]).await;
    }
}

/// One rewrite every moment: some of them meet the run.
async fn rewriting_for(project: &Project) {
    loop {
        project.source.run_on_primary("VACUUM FULL t").await;
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    }
}
