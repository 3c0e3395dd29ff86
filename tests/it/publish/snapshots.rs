//! Readers whose snapshots are older than the rows that are published.

use std::time::Duration;

use barncat::{error::Class, warehouse::PublishKind};
use tokio_postgres::Client;

use crate::support::warehouse::{Database, Load, column};

const COUNT: &str = "SELECT count(*) FROM raw.orders";

async fn count(client: &Client) -> i64 {
    client.query_one(COUNT, &[]).await.expect("the table can be read").get(0)
}

/// Takes its snapshot, and has not touched the table yet.
async fn old_reader(database: &Database) -> Client {
    let reader = database.connect().await;
    reader
        .batch_execute(
            "SET application_name = 'quarterly report'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1",
        )
        .await
        .expect("a transaction begins");
    reader
}

/// A table of one row, and its next load of three by two connections.
async fn one_row(database: &Database) -> Load {
    let first = Load { fill_jobs: 2, ..Load::new("01A", &["1,1,a\n"]) };
    database.publish(&first).await.unwrap();
    Load::after(&first, "01B", &["1,1,b\n", "2,2,b\n", "3,3,b\n"])
}

#[tokio::test]
async fn frozen_rows_are_seen_by_older_snapshots() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,a\n"]);
    database.publish(&first).await.unwrap();
    let reader = old_reader(&database).await;
    database.publish(&Load::after(&first, "01B", &["1,1,b\n2,2,b\n3,3,b\n"])).await.unwrap();
    assert_eq!(count(&reader).await, 3);
}

#[tokio::test]
async fn several_connections_fill_and_the_swap_waits_for_older_snapshots() {
    let database = Database::new().await;
    let second = one_row(&database).await;
    let reader = old_reader(&database).await;
    let publish = database.publish(&second);
    let read = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(count(&reader).await, 1, "the swap came before the reader had ended");
        reader.batch_execute("COMMIT").await.expect("the transaction ends");
    };
    let (published, ()) = tokio::join!(publish, read);
    let published = published.unwrap();
    assert_eq!((published.kind, published.warnings), (PublishKind::Swap, Vec::new()));
    assert_eq!(count(&reader).await, 3);
    let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace";
    assert_eq!(database.texts(left).await, Vec::<String>::new());
}

#[tokio::test]
async fn past_the_wait_a_small_table_is_replaced_in_place() {
    let database = Database::new().await;
    let second = one_row(&database).await;
    let reader = old_reader(&database).await;
    let second =
        Load { change: |publication| publication.snapshot_wait = Duration::from_millis(200), ..second };
    let published = database.publish(&second).await.unwrap();
    assert_eq!(published.kind, PublishKind::Replace);
    assert!(published.warnings[0].contains("quarterly report"), "{published:?}");
    assert_eq!(count(&reader).await, 1, "the reader's snapshot shows the old rows");
    assert_eq!(count(&database.connect().await).await, 3);
    assert_eq!(database.text("SELECT publish FROM barncat.loads WHERE load = '01B'").await, "replace");
}

#[tokio::test]
async fn a_table_that_cannot_be_replaced_keeps_its_rows_until_the_readers_have_ended() {
    let database = Database::new().await;
    let second = one_row(&database).await;
    let reader = old_reader(&database).await;
    let columns = vec![column("id", "bigint", false), column("tip", "text", true)];
    let second = Load {
        columns,
        parts: vec!["1,much\n".into(), "2,\n".into()],
        change: |publication| publication.snapshot_wait = Duration::from_millis(200),
        ..second
    };
    let error = database.publish(&second).await.expect_err("a reader is in the way");
    assert_eq!(error.class(), Class::Passing);
    assert!(error.to_string().contains("quarterly report"), "{error}");
    assert_eq!(count(&database.connect().await).await, 1);
    let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace";
    assert_eq!(database.texts(left).await, Vec::<String>::new());
    // A deadline comes before a reader.
    let second = Load {
        change: |publication| {
            publication.snapshot_wait = Duration::from_millis(200);
            publication.deadline_near = true;
        },
        ..second
    };
    let published = database.publish(&second).await.unwrap();
    assert!(published.warnings[0].contains("quarterly report"), "{published:?}");
    assert_eq!(count(&database.connect().await).await, 2);
    drop(reader);
}

#[tokio::test]
async fn an_old_writer_does_not_make_new_readers_old() {
    let database = Database::new().await;
    let second = one_row(&database).await;
    database.run("CREATE TABLE public.other (id int)").await;
    let writer = database.connect().await;
    writer.batch_execute("BEGIN; INSERT INTO public.other VALUES (1)").await.expect("it writes");
    // Each of these has an xmin as old as the writer, and sees the new rows.
    let reader = database.connect().await;
    let reading = async {
        loop {
            reader.batch_execute("BEGIN; SELECT pg_sleep(0.05); COMMIT").await.expect("it reads");
        }
    };
    let published = tokio::select! {
        published = database.publish(&second) => published.unwrap(),
        () = reading => unreachable!("it never ends"),
    };
    assert_eq!((published.kind, published.warnings), (PublishKind::Swap, Vec::new()));
}
