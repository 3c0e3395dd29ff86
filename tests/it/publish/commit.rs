//! The answer to COMMIT is lost: what the ledger says is what the publish says.

use std::time::Duration;

use barncat::{
    error::{Class, Failure},
    warehouse::{PublishKind, Warehouse},
};
use tokio_postgres::Client;

use crate::support::{
    proxy::{Proxy, Trick},
    warehouse::{Database, Load, warehouse_at},
};

/// A database with one published load, and the next one of it.
async fn one_load() -> (Database, Load) {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,old\n"]);
    database.publish(&first).await.unwrap();
    (database, Load::after(&first, "01B", &["1,1,new\n2,2,new\n"]))
}

/// The database as it is reached over a network that plays a trick.
async fn over(mut database: Database, trick: Trick) -> (Database, Proxy) {
    let (proxy, url) = Proxy::before(&database.url(), trick).await;
    database.warehouse = warehouse_at(&url);
    (database, proxy)
}

async fn notes(database: &Database) -> String {
    database.text("SELECT string_agg(note, ',') FROM raw.orders").await
}

/// Makes each COMMIT that wrote to the ledger wait for a lock, which the answered session holds.
async fn slow_commits(database: &Database) -> Client {
    database
        .run(
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
                 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON barncat.loads DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION public.wait()",
        )
        .await;
    let holder = database.connect().await;
    holder.batch_execute("SELECT pg_advisory_lock(7)").await.unwrap();
    holder
}

/// Waits until as many sessions of the database wait for a lock of this kind.
async fn until_waiting(database: &Database, kind: &str) {
    let sql = format!(
        "SELECT count(*)::text FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = '{kind}'"
    );
    let waiting = async {
        while database.text(&sql).await != "1" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("a session waits");
}

#[tokio::test]
async fn a_commit_that_is_still_under_way_is_waited_for() {
    let (database, second) = one_load().await;
    let holder = slow_commits(&database).await;
    let (database, proxy) = over(database, Trick::CutAtCommit).await;
    let staging = database.fill(&second).await.unwrap();
    let publish = tokio::spawn(staging.publish(second.publication()));
    proxy.played().await;
    until_waiting(&database, "advisory").await;
    // The question waits for the transaction that commits, where a plain read sees nothing.
    until_waiting(&database, "transactionid").await;
    assert_eq!(database.text("SELECT load FROM barncat.loads").await, "01A");
    holder.batch_execute("SELECT pg_advisory_unlock(7)").await.unwrap();
    publish.await.unwrap().unwrap();
    assert_eq!(notes(&database).await, "new,new");
}

#[tokio::test]
async fn a_commit_that_takes_longer_than_anybody_waits_is_told_as_unknown() {
    let (database, second) = one_load().await;
    let holder = slow_commits(&database).await;
    let (database, _proxy) = over(database, Trick::CutAtCommit).await;
    let second = Load { change: |it| it.lock_wait = Duration::from_millis(300), ..second };
    let error = database.publish(&second).await.unwrap_err();
    assert_eq!(error.class(), Class::Passing);
    assert_eq!(
        error.to_string(),
        "whether load 01B of raw.orders was published is not known: the answer to its COMMIT was lost"
    );
    // It was; who asks later learns it.
    let asked = tokio::spawn(async move {
        let published = database.warehouse.is_published("01B").await.unwrap();
        (published, notes(&database).await)
    });
    holder.batch_execute("SELECT pg_advisory_unlock(7)").await.unwrap();
    assert_eq!(asked.await.unwrap(), (true, "new,new".to_owned()));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_for_a_moment_is_asked_again() {
    let (database, second) = one_load().await;
    let (database, proxy) = over(database, Trick::LoseAnswer).await;
    let staging = database.fill(&second).await.unwrap();
    proxy.refuse(true);
    let publish = tokio::spawn(staging.publish(second.publication()));
    proxy.played().await;
    proxy.refused().await;
    proxy.refuse(false);
    publish.await.unwrap().unwrap();
    assert_eq!(notes(&database).await, "new,new");
}

#[tokio::test]
async fn a_commit_that_fails_after_the_connection_broke_is_no_publish() {
    let (database, second) = one_load().await;
    let holder = slow_commits(&database).await;
    database
        .run(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
             CREATE CONSTRAINT TRIGGER \"wait no more\" AFTER INSERT ON barncat.loads
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse()",
        )
        .await;
    let (database, proxy) = over(database, Trick::CutAtCommit).await;
    let staging = database.fill(&second).await.unwrap();
    let publish = tokio::spawn(staging.publish(second.publication()));
    proxy.played().await;
    until_waiting(&database, "transactionid").await;
    holder.batch_execute("SELECT pg_advisory_unlock(7)").await.unwrap();
    assert_eq!(publish.await.unwrap().unwrap_err().class(), Class::Passing);
    assert_eq!(notes(&database).await, "old");
    assert!(!database.warehouse.is_published("01B").await.unwrap());
}

#[tokio::test]
async fn a_session_that_is_ended_in_its_commit_leaves_the_answer_to_the_ledger() {
    let (database, second) = one_load().await;
    let _holder = slow_commits(&database).await;
    let staging = database.fill(&second).await.unwrap();
    let publish = tokio::spawn(staging.publish(second.publication()));
    until_waiting(&database, "advisory").await;
    let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event = 'advisory'";
    assert_eq!(database.text(end).await, "true");
    assert_eq!(publish.await.unwrap().unwrap_err().class(), Class::Passing);
    assert_eq!(notes(&database).await, "old");
    assert_eq!(database.text("SELECT load FROM barncat.loads").await, "01A");
}

#[tokio::test]
async fn a_commit_that_the_server_refuses_is_told_as_it_is() {
    let (database, second) = one_load().await;
    database
        .run("ALTER TABLE raw.orders ADD CONSTRAINT one_note UNIQUE (note) DEFERRABLE INITIALLY DEFERRED")
        .await;
    let second = Load { kind: PublishKind::Replace, ..second };
    let error = database.publish(&second).await.unwrap_err();
    assert_eq!(error.class(), Class::Lasting);
    let message = Failure::of(error.as_ref()).message;
    assert!(message.contains("\"one_note\" (23505)") && !message.contains("(new)"), "{message}");
    assert_eq!(notes(&database).await, "old");
}
