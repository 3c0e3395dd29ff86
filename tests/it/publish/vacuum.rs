//! An autovacuum of the table: the server ends it for whoever waits for longer than
//! `deadlock_timeout`, and for nobody else.

use std::time::Duration;

use barncat::warehouse::PublishKind::{Replace, Swap};
use tokio_postgres::Client;

use crate::support::warehouse::{Database, Load};

const STAGING: &str = "barncat_staging.\"01B_orders\"";

/// Lets a vacuum give way as an autovacuum does. Readers are not held up meanwhile.
async fn give_way(database: &Database, vacuum: &Client, table: &str) {
    let waiters = format!(
        "SELECT count(*)::text FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted
         AND waitstart < clock_timestamp() - current_setting('deadlock_timeout')::interval"
    );
    let reader = database.connect().await;
    reader.batch_execute("SET lock_timeout = '200ms'").await.unwrap();
    let gives_way = async {
        while database.text(&waiters).await == "0" {
            reader.batch_execute("SELECT * FROM raw.orders").await.expect("readers are not held up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gives_way).await.expect("somebody waits for long enough");
    vacuum.batch_execute("ROLLBACK").await.unwrap();
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
        give_way(&database, &session, "raw.orders").await;
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
    give_way(&database, &session, STAGING).await;
    publish.await.unwrap().unwrap();
    assert_eq!(database.text("SELECT note FROM raw.orders").await, "new");
}
