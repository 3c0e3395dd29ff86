//! What a standby does to those who read it: conflicts, restarts, lag. Each on servers of its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use barncat::{
    compare::{Hash, Look},
    error::Class,
    source::{Snapshot, Source},
    sql::TableName,
};
use serde_json::Value;

use super::{class, extraction, lines, options, source};
use crate::support::{
    project::{INTO, Project},
    replica::Replica,
};

const TABLE: &str = "
    CREATE TABLE t (id int PRIMARY KEY, pad text);
    INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 40000) n;
    GRANT SELECT ON t TO barncat_source;";

fn name() -> TableName {
    TableName::new("public", "t")
}

async fn with_table() -> Replica {
    let replica = Replica::start().await;
    replica.write(&[TABLE]).await;
    replica.catch_up().await;
    replica
}

async fn open(replica: &Replica) -> Arc<dyn Snapshot> {
    source(options(replica.url("BARNCAT_REPLICA_URL")))
        .open_snapshot(barncat::event::Tier::Optional)
        .await
        .expect("the standby answers")
}

/// One part, far larger than what sockets hold.
const WHOLE: u64 = 1 << 30;

/// Replay waits for nobody, and the primary does not know what is read.
const IMPATIENT: &[&str] = &["hot_standby_feedback = off", "max_standby_streaming_delay = 0"];

async fn make_impatient(replica: &Replica) {
    replica.set_on_standby(IMPATIENT).await;
    let primary = replica.primary().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let kept = "SELECT count(*) FROM pg_replication_slots WHERE xmin IS NOT NULL";
    while primary.query_one(kept, &[]).await.expect("it answers").get::<_, i64>(0) > 0 {
        assert!(Instant::now() < deadline, "the standby still gives feedback");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a snapshot knows that it has ended.
async fn is_over(snapshot: &dyn Snapshot) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while snapshot.is_alive() {
        assert!(Instant::now() < deadline, "the snapshot still takes itself for alive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_recovery_conflict_passes_and_ends_the_whole_snapshot() {
    let replica = with_table().await;
    make_impatient(&replica).await;
    let snapshot = open(&replica).await;
    let mut columns = extraction(&name(), &["id", "pad"]);
    columns.part_bytes = WHOLE;
    let parts = snapshot.plan_parts(&columns).await.expect("it can be planned");
    let mut stream = snapshot.read(&parts[0]).await.expect("it begins");
    replica.write(&["DELETE FROM t WHERE id < 30000", "VACUUM t"]).await;
    let error = loop {
        match stream.next().await {
            // Slowly, so that the COPY is still under way when this is replayed; but a server that waits
            // for its client would not hear of the conflict.
            Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Ok(None) => panic!("the rows were taken away below it"),
            Err(error) => break error,
        }
    };
    assert_eq!(class(&error), Class::Passing, "{error}");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("hot_standby_feedback") && hint.contains("max_standby_streaming_delay"), "{hint}");
    // Whoever comes later is told the same, not that this is a balanced endpoint.
    let error = lines(&*snapshot, &parts[0]).await.expect_err("its snapshot is gone");
    assert_eq!(class(&error), Class::Passing, "{error}");
    is_over(&*snapshot).await;
    let error = snapshot.describe(&name()).await.expect_err("its session is gone");
    assert_eq!(class(&error), Class::Passing, "{error}");
    replica.catch_up().await;
    assert_eq!(rows(&*open(&replica).await).await, 10_001);
}

/// A comparison keeps its session between its questions: what ends it passes as well.
#[tokio::test]
async fn a_recovery_conflict_ends_a_comparison_and_passes() {
    let replica = with_table().await;
    make_impatient(&replica).await;
    let snapshot = open(&replica).await;
    let look =
        Look { table: name(), key: vec!["id".into()], row: vec!["pad".into()], condition: None, newer: None };
    let mut side = snapshot.look(look.clone()).await.expect("it can be looked at");
    assert_eq!(side.total(Hash::Extended).await.expect("nothing is in its way").rows, 40_000);
    replica.write(&["DELETE FROM t WHERE id < 30000", "VACUUM t"]).await;
    replica.catch_up().await;
    let error = side.buckets(Hash::Extended, 16).await.expect_err("its rows are gone");
    assert_eq!(class(&error), Class::Passing, "{error}");
    drop(side);
    let Err(error) = snapshot.look(look.clone()).await else { panic!("its snapshot is gone") };
    assert_eq!(class(&error), Class::Passing, "{error}");
    let mut side = open(&replica).await.look(look).await.expect("it can be looked at");
    assert_eq!(side.total(Hash::Md5).await.expect("nothing is in its way").rows, 10_001);
}

async fn rows(snapshot: &dyn Snapshot) -> usize {
    super::all_lines(snapshot, &extraction(&name(), &["id"])).await.expect("it can be read").len()
}

#[tokio::test]
async fn a_standby_restarted_in_mid_read_passes() {
    let replica = with_table().await;
    let snapshot = open(&replica).await;
    let mut columns = extraction(&name(), &["id", "pad"]);
    columns.part_bytes = WHOLE;
    let parts = snapshot.plan_parts(&columns).await.expect("it can be planned");
    let mut stream = snapshot.read(&parts[0]).await.expect("it begins");
    stream.next().await.expect("the first rows come").expect("there are rows");
    replica.servers(&["restart", "standby", "--immediate"]).await;
    let error = loop {
        match stream.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a broken connection was taken for the end"),
            Err(error) => break error,
        }
    };
    assert_eq!(class(&error), Class::Passing, "{error}");
    // The next part reaches a server that has never heard of the snapshot.
    let error = lines(&*snapshot, &parts[0]).await.expect_err("its snapshot is gone");
    assert_eq!(class(&error), Class::Passing, "{error}");
    is_over(&*snapshot).await;
    // After a crash it may stand behind where it stood.
    replica.catch_up().await;
    assert_eq!(rows(&*open(&replica).await).await, 40_000);
}

/// Replay stops for as long as the holder of a snapshot keeps a page of the catalog to itself.
#[tokio::test]
async fn an_idle_snapshot_does_not_stop_the_replay() {
    let replica = with_table().await;
    // Old versions of rows in the catalog, on the pages that are read for the table.
    for _ in 0..5 {
        replica
            .write(&["ALTER TABLE t ALTER pad SET STATISTICS 50", "ALTER TABLE t SET (fillfactor = 90)"])
            .await;
        replica
            .write(&["ALTER TABLE t ALTER pad SET STATISTICS 60", "ALTER TABLE t RESET (fillfactor)"])
            .await;
    }
    replica.catch_up().await;
    let snapshot = open(&replica).await;
    snapshot.describe(&name()).await.expect("it is there");
    snapshot.plan_parts(&extraction(&name(), &["id"])).await.expect("it can be planned");
    replica
        .write(&["VACUUM pg_class", "VACUUM pg_attribute", "VACUUM pg_namespace", "VACUUM pg_index"])
        .await;
    let caught_up = tokio::time::timeout(Duration::from_secs(10), replica.catch_up()).await;
    assert!(caught_up.is_ok(), "the standby waits for the snapshot's holder");
    assert!(snapshot.is_alive());
}

#[tokio::test]
async fn lag_is_what_is_not_replayed_not_how_long_nothing_happened() {
    let replica = with_table().await;
    let limited = |seconds: u64| {
        let mut options = options(replica.url("BARNCAT_REPLICA_URL"));
        options.max_lag = Some(Duration::from_secs(seconds));
        source(options)
    };
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let idle =
        limited(1).open_snapshot(barncat::event::Tier::Optional).await.expect("an idle primary is no lag");
    assert_eq!(idle.position().lag_seconds, Some(0.0));
    replica.standby().await.batch_execute("SELECT pg_wal_replay_pause()").await.expect("it may");
    replica.write(&["INSERT INTO t VALUES (0)"]).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let Err(error) = limited(1).open_snapshot(barncat::event::Tier::Optional).await else {
        panic!("it is behind by more than a second")
    };
    assert_eq!(class(&error), Class::Passing, "{error}");
    assert!(error.to_string().contains("at most 1 s are allowed"), "{error}");
    let allowed =
        limited(600).open_snapshot(barncat::event::Tier::Optional).await.expect("this far behind is allowed");
    assert!(allowed.position().lag_seconds.is_some_and(|lag| lag > 1.0), "{:?}", allowed.position());
}

/// A project that reads `schema` of these servers.
async fn project(replica: &Replica, sql: &str, loaders: &str, source: &str) -> Project {
    let project = Project::new("", loaders).await;
    let schema = project.source.name();
    replica
        .write(&[&format!(
            "CREATE SCHEMA {schema}; SET search_path = {schema}; GRANT USAGE ON SCHEMA {schema} TO barncat_source;
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO barncat_source; {sql}"
        )])
        .await;
    replica.catch_up().await;
    read_from(&project, replica.url("BARNCAT_REPLICA_URL"), source);
    project
}

/// Writes the project's settings: another address of its source.
fn read_from(project: &Project, url: &str, source: &str) {
    project.write(
        "barncat.toml",
        &format!(
            "[project]\nname = \"tests\"\n\n[sources.shop]\nkind = \"postgres\"\nurl = \"{url}\"\n{source}\n\n\
             [stage]\nurl = \"file:./stage\"\n\n\
             [warehouse]\nkind = \"postgres\"\nurl = \"${{WAREHOUSE_URL}}\"\nschema = \"{INTO}\"\n"
        ),
    );
}

fn task<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    let tasks = outcome["tasks"].as_array().expect("tasks");
    tasks.iter().find(|task| task["task"] == format!("{INTO}.{name}")).expect("the task is there")
}

#[tokio::test]
async fn after_a_conflict_only_what_was_not_read_is_read_again() {
    let replica = Replica::start().await;
    make_impatient(&replica).await;
    // A view that takes its time, so that the conflict surely meets it, and a table that does not.
    let project = project(
        &replica,
        "CREATE TABLE quick (id int); INSERT INTO quick SELECT generate_series(1, 100);
         CREATE TABLE big (id int, pad text); INSERT INTO big SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n;
         CREATE VIEW slow AS SELECT id, pad, pg_sleep(0.002)::text AS slept FROM big;",
        "[tables]\nquick = \"full\"\nslow = \"full\"\n",
        "",
    )
    .await;
    let outcome = tokio::join!(project.run(&[]), conflict(&project, &replica)).0;
    assert_eq!(outcome["status"], "succeeded", "{outcome:#}");
    let (quick, slow) = (task(&outcome, "quick"), task(&outcome, "slow"));
    assert_eq!((&quick["attempts"], &slow["attempts"]), (&1.into(), &2.into()), "{outcome:#}");
    assert_ne!(quick["snapshot"], slow["snapshot"], "the first one was dead");
    for (table, rows) in [("quick", "100"), ("slow", "500")] {
        let sql = format!("SELECT count(*)::text FROM {INTO}.{table}");
        assert_eq!(project.database.text(&sql).await, rows, "{table}");
    }
}

/// Once `quick` is published and `slow` is being read, takes away what it reads.
async fn conflict(project: &Project, replica: &Replica) {
    let standby = replica.standby().await;
    let reading = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%slow%' AND state = 'active'";
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let slow: i64 = standby.query_one(reading, &[]).await.expect("it answers").get(0);
        if slow > 0 && project.in_warehouse("quick").await.is_some() {
            break;
        }
        assert!(Instant::now() < deadline, "the run does not get there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let schema = project.source.name();
    replica
        .write(&[&format!("DELETE FROM {schema}.big WHERE id > 500"), &format!("VACUUM {schema}.big")])
        .await;
}

/// A failover to a replica that stands further behind must not take rows away.
#[tokio::test]
async fn a_replica_behind_the_last_published_load_is_refused() {
    let replica = Replica::start().await;
    let project = project(
        &replica,
        "CREATE TABLE t (id int); INSERT INTO t VALUES (1)",
        "[defaults]\nattempts = 1\n\n[tables]\nt = \"full\"\n",
        "",
    )
    .await;
    project.run(&[]).await;
    replica.standby().await.batch_execute("SELECT pg_wal_replay_pause()").await.expect("it may");
    replica.write(&[&format!("INSERT INTO {}.t VALUES (2)", project.source.name())]).await;
    read_from(&project, replica.url("BARNCAT_PRIMARY_URL"), "allow_primary = true");
    project.run(&[]).await;
    let rows = format!("SELECT array_agg(id ORDER BY id)::text FROM {INTO}.t");
    assert_eq!(project.database.text(&rows).await, "{1,2}");

    read_from(&project, replica.url("BARNCAT_REPLICA_URL"), "");
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    assert_eq!(task(&outcome, "t")["error"]["class"], "passing", "{outcome:#}");
    assert_eq!(project.database.text(&rows).await, "{1,2}", "the newer rows are still there");

    replica.standby().await.batch_execute("SELECT pg_wal_replay_resume()").await.expect("it may");
    replica.catch_up().await;
    project.run(&[]).await;
    assert_eq!(project.database.text(&rows).await, "{1,2}");
}
