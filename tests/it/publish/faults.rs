//! What happens to a load whose warehouse or network fails, and to what it leaves behind.

use std::time::Duration;

use barncat::{
    error::{Class, Failure},
    warehouse::Warehouse,
};

use crate::support::{
    proxy::{Proxy, Trick},
    warehouse::{Database, Load, column, warehouse_at},
};

const LEFT: &str = "SELECT relname::text FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace AND relkind = 'r'";

/// Waits until the server has ended all sessions of loads; those at rest do nothing.
async fn until_quiet(database: &Database) {
    let sql = "SELECT count(*)::text FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE 'barncat %'
                   AND application_name NOT LIKE '% resting'";
    let quiet = async {
        while database.text(sql).await != "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), quiet).await.expect("the sessions end");
}

/// More text than a connection holds on its way, of random digits, so that it stays large.
fn many_rows() -> String {
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed
    };
    (0..40_000).map(|id| format!("{id},{}.00,{:020}{:020}\n", id % 1000, next(), next())).collect()
}

async fn refused(database: &Database, load: &Load) -> (Class, String, Option<String>) {
    let error = match database.fill(load).await {
        Err(error) => error,
        Ok(staging) => staging.publish(load.publication()).await.expect_err("it cannot be published"),
    };
    (error.class(), Failure::of(error.as_ref()).message, error.hint())
}

#[tokio::test]
async fn a_value_that_the_table_cannot_hold_is_told_by_its_column_and_never_shown() {
    let database = Database::new().await;
    for (sql_type, value, code) in [
        ("integer", "99999999999", "22003"),
        ("integer", "s3cret", "22P02"),
        ("varchar(3)", "s3cret", "22001"),
        ("date", "2026-02-31", "22008"),
    ] {
        for fill_jobs in [1, 2] {
            let columns = vec![column("id", "bigint", false), column("fee", sql_type, true)];
            let part = format!("1,\n2,{value}\n");
            let load = Load { columns, fill_jobs, ..Load::new(&format!("01{code}{fill_jobs}"), &[&part]) };
            let (class, message, hint) = refused(&database, &load).await;
            assert_eq!(class, Class::Lasting, "{message}");
            assert!(message.contains("raw.orders") && message.contains("line 2, column fee"), "{message}");
            assert!(message.contains(code) && !message.contains(value), "{message}");
            assert!(hint.is_some_and(|hint| hint.contains("exclude")), "{message}");
        }
    }
    let columns = vec![column("id", "bigint", false), column("fee", "text", false)];
    let load = Load { columns, ..Load::new("01A", &["1,a\n2,\n"]) };
    let (class, message, _) = refused(&database, &load).await;
    assert_eq!(class, Class::Lasting);
    assert!(message.contains("\"fee\"") && message.contains("23502"), "{message}");
}

#[tokio::test]
async fn keys_that_are_not_unique_are_refused_and_the_old_rows_stay() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,a\n"]);
    database.publish(&first).await.unwrap();
    let (class, message, _) =
        refused(&database, &Load::after(&first, "01B", &["7654,1,b\n7654,2,b\n"])).await;
    assert_eq!(class, Class::Lasting, "{message}");
    assert_eq!(message, "raw.orders: the source has several rows of the same key (id)");
    assert_eq!(database.text("SELECT note FROM raw.orders").await, "a");
}

#[tokio::test]
async fn a_unique_index_that_the_rows_break_is_called_by_its_own_name() {
    for index in [
        "CREATE UNIQUE INDEX by_note ON raw.orders (note)",
        "ALTER TABLE raw.orders ADD CONSTRAINT by_note UNIQUE (note)",
    ] {
        let database = Database::new().await;
        let first = Load::new("01A", &["1,1,a\n"]);
        database.publish(&first).await.unwrap();
        database.run(&format!("SET ROLE barncat_warehouse; {index}")).await;
        let (class, message, hint) =
            refused(&database, &Load::after(&first, "01B", &["1,1,c\n2,2,c\n"])).await;
        assert_eq!(class, Class::Lasting, "{message}");
        let object = if index.starts_with("ALTER") { "constraint by_note" } else { "index by_note" };
        assert_eq!(
            message,
            format!(
                "raw.orders: the source has several rows of the same values where {object} of the table allows one"
            )
        );
        assert!(hint.is_some_and(|hint| hint.contains(object)), "the hint names it");
        assert_eq!(database.text("SELECT note FROM raw.orders").await, "a");
    }
}

#[tokio::test]
async fn a_session_that_the_server_ends_in_mid_fill_is_a_passing_error() {
    let rows = many_rows();
    for fill_jobs in [1, 3] {
        let mut database = Database::new().await;
        let first = Load::new("01A", &["1,1,a\n"]);
        database.publish(&first).await.unwrap();
        // The network stands still in mid-COPY, so that the session is surely there to be ended.
        let (proxy, url) = Proxy::before(&database.url(), Trick::StallAfter(500_000)).await;
        database.warehouse = warehouse_at(&url);
        let load = Load { fill_jobs, ..Load::after(&first, "01B", &[&rows, "70000,1,x\n"]) };
        let end = async {
            proxy.played().await;
            let sql = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                       WHERE datname = current_database() AND query LIKE 'COPY%'";
            assert!(database.texts(sql).await.contains(&"true".to_owned()));
            proxy.cut();
        };
        let (filled, ()) = tokio::join!(database.fill(&load), end);
        let error = filled.err().expect("the session is gone");
        assert_eq!(error.class(), Class::Passing, "{error}");
        until_quiet(&database).await;
        assert_eq!(database.text("SELECT note FROM raw.orders").await, "a");
        // The next load needs no hand.
        database.warehouse.sweep(&|load| load == "01B").await.unwrap();
        assert_eq!(database.texts(LEFT).await, Vec::<String>::new());
        database.publish(&Load { id: "01C".into(), ..load }).await.unwrap();
        assert_eq!(database.text("SELECT count(*)::text FROM raw.orders").await, "40001");
    }
}

#[tokio::test]
async fn a_network_that_is_cut_in_mid_fill_is_no_end_of_the_data() {
    let rows = many_rows();
    for fill_jobs in [1, 3] {
        let mut database = Database::new().await;
        let (_proxy, url) = Proxy::before(&database.url(), Trick::CutAfter(500_000)).await;
        database.warehouse = warehouse_at(&url);
        let load = Load { fill_jobs, ..Load::new("01A", &[&rows]) };
        let error = database.fill(&load).await.err().expect("the connection is gone");
        assert_eq!(error.class(), Class::Passing, "{error}");
        assert!(error.to_string().contains("cannot fill raw.orders: the connection to"), "{error}");
        until_quiet(&database).await;
        let left = database.texts(LEFT).await;
        assert_eq!(left.is_empty(), fill_jobs == 1, "a crash leaves nothing of a frozen load: {left:?}");
    }
}

#[tokio::test]
async fn a_load_that_is_given_up_while_the_network_stands_still_leaves_nothing() {
    let rows = many_rows();
    let mut database = Database::new().await;
    let (proxy, url) = Proxy::before(&database.url(), Trick::StallAfter(500_000)).await;
    database.warehouse = warehouse_at(&url);
    let load = Load::new("01A", &[&rows]);
    tokio::select! {
        _ = database.fill(&load) => panic!("the network stands still"),
        () = proxy.played() => {}
    }
    // The request to cancel takes a connection of its own.
    barncat::pg::settle(Duration::from_secs(5)).await;
    proxy.cut();
    until_quiet(&database).await;
    assert_eq!(database.texts(LEFT).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_full_disk_of_the_warehouse_says_so() {
    let database = Database::new().await;
    // What the server says when it cannot extend a file.
    database
        .run(
            "CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN RAISE disk_full USING MESSAGE = ''could not extend file: No space left on device''; END';
             CREATE TRIGGER full_disk BEFORE INSERT ON barncat.loads
                 FOR EACH ROW EXECUTE FUNCTION public.full_disk()",
        )
        .await;
    let (class, message, hint) = refused(&database, &Load::new("01A", &["1,1,a\n"])).await;
    assert_eq!(class, Class::Lasting, "{message}");
    assert!(message.contains("53100"), "{message}");
    assert!(hint.is_some_and(|hint| hint.contains("disk is full")));
    assert_eq!(database.texts(LEFT).await, Vec::<String>::new());
}
