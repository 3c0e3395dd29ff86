//! Locks, snapshots, conflicts (§2.3, §2.4).

use std::time::Duration;

use redshift_double::{Isolation, StatementFault};

use crate::support::Fixture;

/// A batch that rests for half a second in its midst.
async fn resting(double: &Fixture, sqls: &[&str]) -> String {
    let knobs = double.double.knobs();
    knobs.on_statement("select 'rest'", StatementFault::Wait(Duration::from_millis(500)), 1);
    let id = double.submit_batch(sqls).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    id
}

#[tokio::test]
async fn writers_of_a_table_wait_and_readers_do_not() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    let first = resting(&double, &["INSERT INTO t VALUES (1)", "SELECT 'rest'"]).await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["0"]);
    let second = double.submit("INSERT INTO t VALUES (2)").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let now = double.client.describe_statement().id(&second).send().await.expect("it is described");
    assert_eq!(now.status.expect("it has a status").as_str(), "STARTED");
    double.ended(&first).await;
    assert_eq!(double.ended(&second).await.status.expect("it has a status").as_str(), "FINISHED");
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["2"]);
}

#[tokio::test]
async fn lock_keeps_readers_out() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    let first = resting(&double, &["LOCK t", "SELECT 'rest'"]).await;
    let batch = ["SET statement_timeout TO 100", "SELECT count(*) FROM t"];
    let error = double.batch_error(&batch).await;
    assert!(error.contains("canceled on user's request"), "{error}");
    double.ended(&first).await;
    double.run("SELECT count(*) FROM t").await;
}

#[tokio::test]
async fn two_who_change_the_same_rows_end_in_1023() {
    let double = Fixture::new().await;
    double.run_batch(&["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)"]).await;
    let first = resting(&double, &["SELECT a FROM t", "SELECT 'rest'", "UPDATE t SET a = 2"]).await;
    double.run("UPDATE t SET a = 3").await;
    let end = double.ended(&first).await;
    let error = end.error.expect("it failed");
    assert!(error.contains("1023") && error.contains("Serializable isolation violation"), "{error}");
}

#[tokio::test]
async fn a_cycle_of_reads_and_writes_is_a_conflict_only_when_serializable() {
    for (isolation, conflicts) in [(Isolation::Snapshot, false), (Isolation::Serializable, true)] {
        let double = Fixture::with(|settings| redshift_double::Settings { isolation, ..settings }).await;
        double.run("CREATE TABLE t (a int)").await;
        double.run("CREATE TABLE u (a int)").await;
        let first =
            resting(&double, &["SELECT count(*) FROM t", "SELECT 'rest'", "INSERT INTO u VALUES (1)"]).await;
        double.run_batch(&["SELECT count(*) FROM u", "INSERT INTO t VALUES (1)"]).await;
        let end = double.ended(&first).await;
        assert_eq!(end.error.is_some_and(|error| error.contains("1023")), conflicts, "{isolation:?}");
    }
}

#[tokio::test]
async fn a_table_younger_than_the_snapshot_is_1018() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    let first =
        resting(&double, &["SELECT count(*) FROM t", "SELECT 'rest'", "SELECT count(*) FROM young"]).await;
    double.run_batch(&["CREATE TABLE young (a int)", "INSERT INTO young VALUES (1)"]).await;
    let error = double.ended(&first).await.error.expect("it failed");
    assert!(error.contains("1018 DETAIL: Relation does not exist."), "{error}");
    double.run_batch(&["CREATE TABLE own (a int)", "SELECT count(*) FROM own"]).await;
}
