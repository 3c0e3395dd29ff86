//! An autovacuum of the table: the server ends it for whoever waits for longer than
//! `deadlock_timeout`, and for nobody else.

use std::time::Duration;

use barncat::warehouse::PublishKind::{Replace, Swap};
use tokio_postgres::Client;

use crate::support::warehouse::{Database, Load};

const STAGING: &str = "barncat_staging.\"01B_orders\"";

/// Lets a vacuum give way as an autovacuum does. Readers are not held up meanwhile.
async fn give_way(database: &Database, vacuum: i32, table: &str) {
    let waiters = format!(
        "SELECT count(*)::text FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted
         AND waitstart < clock_timestamp() - current_setting('deadlock_timeout')::interval"
    );
    let reader = database.connect().await;
    reader.batch_execute("SET lock_timeout = '200ms'").await.unwrap();
    let gives_way = async {
        while database.text(&waiters).await == "0" {
            reader.batch_execute("SELECT id FROM raw.orders").await.expect("readers are not held up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gives_way).await.expect("somebody waits for long enough");
    database.run(&format!("SELECT pg_terminate_backend({vacuum})")).await;
}

async fn pid(session: &Client) -> i32 {
    session.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}

/// A session that holds the lock of a vacuum.
async fn vacuum(database: &Database, table: &str) -> Client {
    let session = database.connect().await;
    let sql = format!("BEGIN; LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE");
    session.batch_execute(&sql).await.unwrap();
    session
}

#[tokio::test]
async fn an_autovacuum_gives_way_to_a_publish() {
    for (kind, fill_jobs) in [(Swap, 1), (Swap, 2), (Replace, 1)] {
        let database = Database::new().await;
        let first = Load::new("01A", &["1,1,old\n"]);
        database.publish(&first).await.unwrap();
        let second = Load { kind, fill_jobs, ..Load::after(&first, "01B", &["1,1,new\n"]) };
        let staging = database.fill(&second).await.unwrap();
        let session = vacuum(&database, "raw.orders").await;
        let publish = tokio::spawn(staging.publish(second.publication()));
        give_way(&database, pid(&session).await, "raw.orders").await;
        publish.await.unwrap().unwrap();
        assert_eq!(database.text("SELECT note FROM raw.orders").await, "new");
    }
}

#[tokio::test]
async fn an_autovacuum_of_a_staging_table_that_is_committed_gives_way() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,old\n"]);
    database.publish(&first).await.unwrap();
    let second = Load { fill_jobs: 2, ..Load::after(&first, "01B", &["1,1,new\n"]) };
    let staging = database.fill(&second).await.unwrap();
    let session = vacuum(&database, STAGING).await;
    let publish = tokio::spawn(staging.publish(second.publication()));
    give_way(&database, pid(&session).await, STAGING).await;
    publish.await.unwrap().unwrap();
    assert_eq!(database.text("SELECT note FROM raw.orders").await, "new");
}

#[tokio::test]
async fn an_autovacuum_of_long_texts_alone_gives_way_too() {
    let database = Database::new().await;
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{seed:020}")
    };
    let long: String = (0..50_000).map(|_| next()).collect();
    let first = Load::new("01A", &[&format!("1,1,{long}\n")]);
    database.publish(&first).await.unwrap();
    let toast = "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'raw.orders'::regclass";
    let toast = database.text(toast).await;
    let second = Load::after(&first, "01B", &["1,1,new\n"]);
    let staging = database.fill(&second).await.unwrap();
    // Slow enough that it lasts until it is ended.
    let session = database.connect().await;
    session.batch_execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1").await.unwrap();
    let (vacuum, sql) = (pid(&session).await, format!("VACUUM {toast}"));
    let vacuuming = tokio::spawn(async move { session.batch_execute(&sql).await });
    let locked = format!(
        "SELECT count(*)::text FROM pg_locks WHERE relation = '{toast}'::regclass AND granted AND pid = {vacuum}"
    );
    while database.text(&locked).await == "0" {
        tokio::task::yield_now().await;
    }
    let publish = tokio::spawn(staging.publish(second.publication()));
    give_way(&database, vacuum, &toast).await;
    assert!(vacuuming.await.unwrap().is_err(), "it was ended");
    publish.await.unwrap().unwrap();
    assert_eq!(database.text("SELECT note FROM raw.orders").await, "new");
}
