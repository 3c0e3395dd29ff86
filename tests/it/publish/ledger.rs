//! The ledger: what is written, and who comes second.

use barncat::{
    error::{Class, Failure},
    sql::TableName,
    warehouse::Warehouse,
};

use crate::support::warehouse::{Database, Load, warehouse_at};

#[tokio::test]
async fn preparing_twice_and_at_once_does_no_harm() {
    let database = Database::new().await;
    database.run("DROP SCHEMA barncat CASCADE; DROP SCHEMA barncat_staging CASCADE").await;
    let (one, two) = (warehouse_at(&database.url()), warehouse_at(&database.url()));
    let (one, two) = tokio::join!(one.prepare(), two.prepare());
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    database.warehouse.prepare().await.unwrap();
}

#[tokio::test]
async fn a_publish_writes_the_row_that_the_next_load_reads() {
    let database = Database::new().await;
    let load = Load::new("01A", &["1,2.50,a\n"]);
    let published = database.publish(&load).await.unwrap();
    let mut expected = load.ledger_row();
    expected.published_at = Some(published.at);
    let found = database.warehouse.last_load(&load.table).await.unwrap();
    assert_eq!(found.as_ref(), Some(&expected));
    let second = Load::after(&load, "01B", &["1,2.50,a\n"]);
    database.publish(&second).await.unwrap();
    let all = database.warehouse.last_loads().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[&load.table].load, "01B");
    let among = database.warehouse.published_among(&["01A".into(), "01Z".into()]).await.unwrap();
    assert_eq!(among.into_iter().collect::<Vec<_>>(), ["01A"]);
    assert!(database.warehouse.is_published("01A").await.unwrap());
    assert!(!database.warehouse.is_published("01Z").await.unwrap());
    assert_eq!(database.text("SELECT load || ' ' || lsn::text FROM barncat.tables").await, "01B 0/3000060");
}

#[tokio::test]
async fn who_decided_on_the_same_load_and_comes_second_publishes_nothing() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,first\n"]);
    database.publish(&first).await.unwrap();
    let (left, right) =
        (Load::after(&first, "01B", &["1,1,left\n"]), Load::after(&first, "01C", &["1,1,right\n"]));
    let (left, right) = tokio::join!(database.publish(&left), database.publish(&right));
    let (winner, loser) = match (left, right) {
        (Ok(_), Err(error)) => ("left", error),
        (Err(error), Ok(_)) => ("right", error),
        other => panic!("one of two must win: {other:?}"),
    };
    assert_eq!(loser.class(), Class::Passing);
    assert!(Failure::of(loser.as_ref()).message.contains("superseded"), "{loser}");
    assert_eq!(database.text("SELECT note FROM raw.orders").await, winner);
    // A decision upon a load that is not there is no better.
    let stray = Load { previous: Some("01X".into()), ..Load::after(&first, "01D", &["1,1,stray\n"]) };
    assert!(database.publish(&stray).await.unwrap_err().to_string().contains("superseded"));
    assert_eq!(database.text("SELECT note FROM raw.orders").await, winner);
}

#[tokio::test]
async fn the_same_load_published_twice_is_published_once() {
    let database = Database::new().await;
    let load = Load::new("01A", &["1,1,a\n"]);
    let first = database.publish(&load).await.unwrap();
    let second = database.publish(&load).await.unwrap();
    assert_eq!(first.at, second.at);
    assert_eq!(database.text("SELECT count(*)::text FROM barncat.loads").await, "1");
}

#[tokio::test]
async fn a_table_of_somebody_elses_is_left_alone() {
    let database = Database::new().await;
    database.run("CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO barncat_warehouse; CREATE TABLE raw.orders (theirs int)").await;
    let error = database.publish(&Load::new("01A", &["1,1,a\n"])).await.unwrap_err();
    assert_eq!(error.to_string(), "raw.orders is there already, neither created nor adopted by barncat");
    assert_eq!(error.class(), Class::Lasting);
    assert_eq!(database.texts("SELECT theirs::text FROM raw.orders").await, Vec::<String>::new());
    assert_eq!(database.warehouse.last_load(&TableName::new("raw", "orders")).await.unwrap(), None);
}
