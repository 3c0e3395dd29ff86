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

/// Exclusive locks on what readers read, held by sessions other than this one: the publisher's.
const HELD: &str = "
    SELECT c.relname::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND c.relnamespace = 'raw'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY 1";

/// Readers lock a view before what it reads. Who locks the other way round kills some of them.
#[tokio::test]
async fn views_are_locked_before_what_they_read() {
    let database = Database::new().await;
    let mut last = Load::new("01A", &["1,1,old\n"]);
    database.publish(&last).await.unwrap();
    database
        .run(
            "SET ROLE barncat_warehouse; CREATE VIEW raw.inner AS SELECT note FROM raw.orders;
             CREATE VIEW raw.middle AS SELECT note FROM raw.inner;
             CREATE VIEW raw.outer AS SELECT m.note FROM raw.middle m JOIN raw.orders USING (note)",
        )
        .await;
    let held: [(&str, &[&str]); 3] =
        [("outer", &[]), ("middle", &["outer"]), ("inner", &["middle", "outer"])];
    for (number, (view, before)) in held.iter().enumerate() {
        let holder = database.connect().await;
        // The view alone: LOCK TABLE and SELECT would lock what it reads too.
        let hold = format!("BEGIN; ALTER VIEW raw.{view} OWNER TO barncat_warehouse");
        holder.batch_execute(&hold).await.unwrap();
        // Long enough to look at.
        let change = |publication: &mut barncat::warehouse::Publication| {
            publication.lock_timeout = Duration::from_secs(20)
        };
        let next = Load { change, ..Load::after(&last, &format!("01B{number}"), &["2,2,new\n"]) };
        let staging = database.fill(&next).await.unwrap();
        let publish = tokio::spawn(staging.publish(next.publication()));
        let waiting = format!(
            "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = 'raw.{view}'::regclass"
        );
        while database.text(&waiting).await == "0" {
            tokio::task::yield_now().await;
        }
        let mut seen = crate::support::warehouse::texts(&holder, HELD).await;
        seen.retain(|name| name != view);
        assert_eq!(seen, *before, "while {view} is waited for");
        holder.batch_execute("COMMIT").await.unwrap();
        publish.await.unwrap().unwrap();
        last = next;
    }
}
