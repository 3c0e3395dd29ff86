//! The old table out, the new one in.

use barncat::warehouse::Warehouse;

use crate::support::warehouse::{Database, Load, column};

/// What a load must never leave behind.
async fn assert_nothing_is_left(database: &Database) {
    let left = database
        .texts("SELECT relname::text FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace")
        .await;
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn a_table_is_created_then_swapped() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,2.50,one\n2,,\n", "3,0.10,\"a, \"\"b\"\"\nc\"\n"]);
    // The quoted newline makes one row of two lines.
    let first = Load { parts: vec![first.parts[0].clone(), "3,0.10,\"a, \"\"b\"\"\"\n".into()], ..first };
    database.publish(&first).await.unwrap();
    let sql = "SELECT id || ':' || coalesce(fee::text, '-') || ':' || coalesce(note, '-') FROM raw.orders ORDER BY id";
    assert_eq!(database.texts(sql).await, ["1:2.50:one", "2:-:-", "3:0.10:a, \"b\""]);
    let second = Load::after(&first, "01B", &["7,1,seven\n"]);
    database.publish(&second).await.unwrap();
    assert_eq!(database.texts(sql).await, ["7:1.00:seven"]);
    let key = "SELECT conname::text FROM pg_constraint WHERE conrelid = 'raw.orders'::regclass";
    assert_eq!(database.texts(key).await, ["orders_pkey"]);
    assert_nothing_is_left(&database).await;
}

#[tokio::test]
async fn columns_change_with_the_source() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,2.50,one\n"]);
    database.publish(&first).await.unwrap();
    let columns = vec![column("id", "bigint", false), column("tip", "text", true)];
    let second = Load { columns, ..Load::after(&first, "01B", &["1,much\n"]) };
    database.publish(&second).await.unwrap();
    let live = database.warehouse.live(&first.table).await.unwrap().expect("it is there");
    assert_eq!(live.columns, second.columns);
    assert_eq!(live.obstacles, Vec::<String>::new());
}

#[tokio::test]
async fn a_load_that_is_given_up_leaves_nothing() {
    let database = Database::new().await;
    let staging = database.fill(&Load::new("01A", &["1,1,a\n"])).await.unwrap();
    staging.discard().await;
    assert_nothing_is_left(&database).await;
    drop(database.fill(&Load::new("01B", &["1,1,a\n"])).await.unwrap());
    barncat::pg::settle(std::time::Duration::from_secs(5)).await;
    assert_nothing_is_left(&database).await;
    assert_eq!(database.texts("SELECT load FROM barncat.loads").await, Vec::<String>::new());
}
