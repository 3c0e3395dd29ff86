//! The locks of a swap: short, and given up rather than queued upon.

use std::time::Duration;

use barncat::error::Class;

use crate::support::warehouse::{Database, Load};

#[tokio::test]
async fn who_holds_the_lock_is_named_and_the_next_try_publishes() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,old\n"]);
    database.publish(&first).await.unwrap();
    database.run("SET ROLE barncat_warehouse; CREATE VIEW raw.notes AS SELECT note FROM raw.orders").await;
    let reader = database.connect().await;
    reader
        .batch_execute("SET application_name = 'weekly report'; BEGIN; SELECT * FROM raw.orders")
        .await
        .unwrap();
    let pid: i32 = reader.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let change = |publication: &mut barncat::warehouse::Publication| {
        publication.lock_timeout = Duration::from_millis(50);
        publication.lock_wait = Duration::from_millis(500);
    };
    let second = Load { change, ..Load::after(&first, "01B", &["2,2,new\n"]) };
    let error = database.publish(&second).await.unwrap_err();
    assert_eq!(error.class(), Class::Passing);
    let message = error.to_string();
    let blocker = format!("session {pid} of postgres (weekly report), idle in transaction for ");
    assert!(message.contains("raw.orders and its views could not be locked together within "), "{message}");
    assert!(message.contains(&blocker), "{message}");
    reader.batch_execute("COMMIT").await.unwrap();
    let third = Load { id: "01C".into(), ..second };
    database.publish(&third).await.unwrap();
    assert_eq!(database.text("SELECT note FROM raw.notes").await, "new");
}

#[tokio::test]
async fn a_lock_that_comes_free_within_the_wait_costs_no_second_fill() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,old\n"]);
    database.publish(&first).await.unwrap();
    let (reader, old) = (database.connect().await, database.connect().await);
    reader.batch_execute("BEGIN; SELECT * FROM raw.orders").await.unwrap();
    // Its snapshot is older than the load: it sees the new rows only as long as they are frozen.
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    let change = |publication: &mut barncat::warehouse::Publication| {
        publication.lock_timeout = Duration::from_millis(50);
    };
    let second = Load { change, ..Load::after(&first, "01B", &["2,2,new\n"]) };
    let staging = database.fill(&second).await.unwrap();
    let publish = tokio::spawn(staging.publish(second.publication()));
    // The reader lets go after a try has waited for it and given up.
    let waiting =
        "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = 'raw.orders'::regclass";
    for state in ["1", "0"] {
        while database.text(waiting).await != state {
            tokio::task::yield_now().await;
        }
    }
    reader.batch_execute("COMMIT").await.unwrap();
    publish.await.unwrap().unwrap();
    let seen = old.query_one("SELECT note FROM raw.orders", &[]).await.unwrap();
    assert_eq!(seen.get::<_, String>(0), "new");
}
