//! Servers that are set up differently, tables of every kind, and files that change meanwhile.

use barncat::{
    compare::{Detail, Look},
    error::{Class, Fault},
    sql::TableName,
};

use super::*;
use crate::support::{self, Schema, project::INTO, warehouse::warehouse_at};

const TIMES: &str = "
    CREATE TABLE times (id int PRIMARY KEY, at timestamptz, f float8, d date, i interval, b bytea);
    INSERT INTO times SELECT n, now() + n * INTERVAL '1 hour', n / 7.0, DATE '2024-02-28' + n, n * INTERVAL '1 hour',
        decode(lpad(to_hex(n), 8, '0'), 'hex') FROM generate_series(1, 10000) n;";

#[tokio::test]
async fn a_source_with_other_settings_gives_the_same_text() {
    let project = Project::new(TIMES, "[tables]\ntimes = \"full\"\n").await;
    project.run(&[]).await;
    let role = support::new_name();
    project
        .source
        .run_on_primary(&format!(
            "CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'only-a-test'; ALTER ROLE {role} SET TimeZone = 'Asia/Kolkata';
             ALTER ROLE {role} SET DateStyle = 'German'; ALTER ROLE {role} SET extra_float_digits = -5;
             ALTER ROLE {role} SET IntervalStyle = 'sql_standard'; ALTER ROLE {role} SET bytea_output = 'escape'"
        ))
        .await;
    let url = variable("BARNCAT_REPLICA_URL");
    let (_, place) = url.split_once('@').expect("the address names a role");
    let snapshot = snapshot_at(&format!("postgres://{role}:only-a-test@{place}")).await;
    let (_, found) = compared_in(&*snapshot, &project, "times").await.expect("both sides answer");
    assert!(found.differences.is_none(), "{:?}", found.differences);
    let drop = format!("DROP ROLE {role}");
    drop_role(snapshot, &project, &drop).await;
}

async fn drop_role(snapshot: Arc<dyn Snapshot>, project: &Project, sql: &str) {
    std::mem::drop(snapshot);
    project.source.run_on_primary(sql).await;
}

/// Text in another encoding has other bytes: both sides then hash it as UTF-8.
#[tokio::test]
async fn a_warehouse_in_another_encoding_is_compared_all_the_same() {
    let text = "SELECT n AS id, 'naïve ' || n AS note FROM generate_series(1, 10000) n";
    let schema = Schema::on_standby(&format!("CREATE TABLE t AS {text}")).await;
    let name = support::new_name();
    let admin = support::connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let make = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    admin.batch_execute(&make).await.expect("a database is made");
    let url = variable("BARNCAT_WAREHOUSE_ADMIN_URL");
    let (server, _) = url.rsplit_once('/').expect("an address ends in its database's name");
    let url = format!("{server}/{name}");
    let there = support::connect_to(&url).await;
    there.batch_execute(&format!("CREATE TABLE t AS {text}")).await.expect("a table is made");

    let snapshot = snapshot_at(&variable("BARNCAT_REPLICA_URL")).await;
    let look = |schema: &str| Look {
        table: TableName::new(schema, "t"),
        key: vec!["id".into()],
        row: vec!["note".into()],
        condition: None,
        newer: None,
    };
    let looks = Looks { source: look(schema.name()), warehouse: look("public") };
    let warehouse = warehouse_at(&url);
    let found = compare(&*snapshot, &warehouse, &looks, Detail::Row, 9).await.expect("both sides answer");
    assert_eq!((found.source_rows, counts(&found)), (10_000, [0; 4]));
    there.batch_execute("UPDATE t SET note = 'naive 77' WHERE id = 77").await.expect("it is planted");
    let found = compare(&*snapshot, &warehouse, &looks, Detail::Row, 9).await.expect("both sides answer");
    assert_eq!(counts(&found), [0, 0, 1, 0]);
    assert_eq!(texts(&found.differences.different_keys), [["77"]]);
}

#[tokio::test]
async fn tables_of_every_kind_are_read_as_they_were_loaded() {
    let wide: Vec<String> = (1..=1600).map(|n| format!("c{n} int DEFAULT {n}")).collect();
    let sql = format!(
        "CREATE TABLE wide ({}); INSERT INTO wide DEFAULT VALUES; INSERT INTO wide (c1) VALUES (NULL);
         CREATE TABLE sales (id int, region text) PARTITION BY LIST (region);
         CREATE TABLE sales_north PARTITION OF sales FOR VALUES IN ('north') PARTITION BY RANGE (id);
         CREATE TABLE sales_north_1 PARTITION OF sales_north DEFAULT;
         CREATE TABLE sales_rest PARTITION OF sales DEFAULT;
         INSERT INTO sales SELECT n, (ARRAY['north', 'south'])[1 + n % 2] FROM generate_series(1, 1000) n;
         CREATE TABLE vehicles (id int); CREATE TABLE cars (doors int) INHERITS (vehicles);
         INSERT INTO vehicles VALUES (1); INSERT INTO cars VALUES (2, 4);
         CREATE VIEW seen AS SELECT * FROM sales WHERE id > 10;
         CREATE MATERIALIZED VIEW stored AS SELECT * FROM sales;
         CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;
         CREATE TABLE no_rows (id int PRIMARY KEY);
         CREATE TABLE few (id int PRIMARY KEY, secret text, more text); INSERT INTO few SELECT n, 's' || n, NULL FROM generate_series(1, 100) n;
         REVOKE SELECT ON few FROM barncat_source; GRANT SELECT (id, secret) ON few TO barncat_source;",
        wide.join(", ")
    );
    let project = Project::new(
        &sql,
        "[tables]\n\"*\" = \"full\"\nfew = { strategy = \"full\", where = \"id > 50 -- newer\", hash = [\"secret\"], exclude = [\"more\"] }\n",
    )
    .await;
    project.run(&[]).await;
    let rows = [
        ("sales", 1000),
        ("vehicles", 1),
        ("cars", 1),
        ("seen", 990),
        ("stored", 1000),
        ("no_columns", 1),
        ("no_rows", 0),
        ("few", 50),
        ("wide", 2),
    ];
    for (table, rows) in rows {
        let found = compared(&project, table).await;
        assert_eq!((found.source_rows, found.warehouse_rows), (rows, rows), "{table}");
        assert!(found.differences.is_none(), "{table}: {:?}", found.differences);
    }
}

/// A rewrite under the snapshot makes a table look empty, without an error of the server's.
#[tokio::test]
async fn a_table_rewritten_under_the_snapshot_is_an_error() {
    let project = Project::new(TIMES, "[tables]\ntimes = \"full\"\n").await;
    project.run(&[]).await;
    let keeper = support::connect("BARNCAT_PRIMARY_ADMIN_URL").await;
    keeper.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.expect("it begins");
    support::wait_until_replayed().await;
    let snapshot = snapshot_at(&variable("BARNCAT_REPLICA_URL")).await;
    let truncate = format!("TRUNCATE {}.times", project.source.name());
    project.source.run_on_primary(&truncate).await;
    let error = compared_in(&*snapshot, &project, "times").await.expect_err("its rows are gone");
    assert_eq!(error.class(), Class::Passing);
    assert!(error.to_string().contains("was rewritten"), "{error}");
}

#[tokio::test]
async fn a_table_that_is_not_in_the_warehouse_is_an_error_that_names_it() {
    let project = Project::new(TIMES, "[tables]\ntimes = \"full\"\n").await;
    let snapshot = snapshot_at(&variable("BARNCAT_REPLICA_URL")).await;
    let error = compared_in(&*snapshot, &project, "times").await.expect_err("nothing was loaded");
    assert!(error.to_string().contains(&format!("{INTO}.times")), "{error}");
    assert_eq!(error.class(), Class::Lasting);
}
