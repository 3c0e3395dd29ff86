//! One change among ten thousand rows is found, whatever it is; and nothing where there is none.

use barncat::compare::Detail;

use super::*;
use crate::support::project::INTO;

/// Ten thousand rows of types whose text depends on the session, or is easily changed on its way.
const WIDE: &str = "
    CREATE TYPE mood AS ENUM ('calm', 'it''s \"cross\", (very)');
    CREATE DOMAIN cents AS numeric(12,2);
    CREATE TYPE place AS (x int, y text);
    CREATE TABLE wide (
        region char(4) NOT NULL, id bigint NOT NULL, PRIMARY KEY (region, id), f8 float8, f4 real, n numeric, fee numeric(9,2),
        price money, m mood, c cents, p place, note text, tags text[], b bytea, j jsonb, js json, x xml, d date,
        at timestamptz, local timestamp, span interval, u uuid, r int4range, ms mood[]);
    INSERT INTO wide SELECT 'r' || n % 3, n, CASE n % 4 WHEN 0 THEN '-0'::float8 ELSE n / 7.0 END, n / 3.0::real, n / 8.0, n,
        n::numeric::money, (ARRAY['calm', 'it''s \"cross\", (very)'])[1 + n % 2]::mood, n / 10.0, ROW(n, 'a \"b\", ' || n)::place,
        CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE E'tab\\t, \"q\" \\\\ ' || n || '🦉' END,
        ARRAY['a,b', NULL, '', n::text], decode(lpad(to_hex(n), 8, '0'), 'hex'), jsonb_build_object('n', n / 4.0),
        ('{\"n\":  ' || n || '}')::json, ('<?xml version=\"1.0\"?><n>' || n || '</n>')::xml, DATE '2024-01-01' + n,
        TIMESTAMPTZ '2024-03-31 01:30:00.5 Europe/Berlin' + n * INTERVAL '1 hour', TIMESTAMP 'infinity',
        n * INTERVAL '1 day -1 second', md5(n::text)::uuid, int4range(n, n + 1), ARRAY['calm', NULL]::mood[]
      FROM generate_series(1, 10000) n;";

async fn wide() -> Project {
    let project = Project::new(WIDE, "[tables]\nwide = \"full\"\n").await;
    project.run(&[]).await;
    project
}

#[tokio::test]
async fn equal_tables_are_equal() {
    let project = wide().await;
    let found = compared(&project, "wide").await;
    assert_eq!((found.source_rows, found.warehouse_rows), (10_000, 10_000));
    assert!(found.differences.is_none(), "{:?}", found.differences);
}

/// What is planted, and the column that it is found in.
const CHANGES: &[(&str, &str)] = &[
    ("f8 = nextafter", "f8"),
    ("f8 = '-0'", "f8"),
    ("n = trim_scale(n)", "n"),
    ("note = ''", "note"),
    ("note = NULL", "note"),
    ("x = '<n>4242</n>'", "x"),
    ("js = '{\"n\": 4242}'", "js"),
    ("tags[2] = ''", "tags"),
    ("at = at + INTERVAL '1 microsecond'", "at"),
    ("ms = '{calm}'", "ms"),
];

/// A planted change, ready for SQL, in a row where it makes a difference.
fn planted(change: &str) -> (String, u32) {
    match change {
        // The neighbour of a double: its last bit.
        "f8 = nextafter" => ("f8 = f8 + 1.2e-13".to_owned(), 4243),
        "f8 = '-0'" => ("f8 = 0".to_owned(), 4244),
        // NULL in the source.
        "note = ''" => ("note = ''".to_owned(), 4242),
        // '' in the source.
        "note = NULL" => ("note = NULL".to_owned(), 4243),
        other => (other.to_owned(), 4242),
    }
}

#[tokio::test]
async fn a_single_changed_value_is_found_with_its_key_and_its_column() {
    let project = wide().await;
    let snapshot = snapshot_at(&variable("BARNCAT_REPLICA_URL")).await;
    for (change, column) in CHANGES {
        let (set, id) = planted(change);
        project
            .database
            .run(&format!("CREATE TABLE kept AS SELECT * FROM {INTO}.wide WHERE id = {id}"))
            .await;
        project.database.run(&format!("UPDATE {INTO}.wide SET {set} WHERE id = {id}")).await;
        let (shape, found) = compared_in(&*snapshot, &project, "wide").await.expect("both sides answer");
        assert_eq!(counts(&found), [0, 0, 1, 0], "{change}");
        assert_eq!(texts(&found.differences.different_keys), [[format!("r{}  ", id % 3), id.to_string()]]);
        let row = shape.columns.iter().filter(|column| !shape.key.contains(&column.name));
        let changed: Vec<&str> = row
            .zip(&found.differences.differing)
            .filter_map(|(column, rows)| (*rows > 0).then_some(column.name.as_str()))
            .collect();
        assert_eq!(changed, [*column], "{change}");
        project
            .database
            .run(&format!(
                "DELETE FROM {INTO}.wide WHERE id = {id}; INSERT INTO {INTO}.wide SELECT * FROM kept; DROP TABLE kept"
            ))
            .await;
    }
    let (_, found) = compared_in(&*snapshot, &project, "wide").await.expect("both sides answer");
    assert!(found.differences.is_none(), "{:?}", found.differences);
}

#[tokio::test]
async fn lost_and_added_rows_are_found_by_their_keys() {
    let project = wide().await;
    let sql = format!(
        "DELETE FROM {INTO}.wide WHERE id IN (7, 4242);
         INSERT INTO {INTO}.wide (region, id) VALUES ('r0', 20000);
         UPDATE {INTO}.wide SET region = 'new' WHERE id = 5000"
    );
    project.database.run(&sql).await;
    let found = compared(&project, "wide").await;
    assert_eq!((found.source_rows, found.warehouse_rows), (10_000, 9_999));
    assert_eq!(counts(&found), [3, 2, 0, 0]);
    let mut missing = texts(&found.differences.missing_keys);
    missing.sort();
    assert_eq!(missing, [["r0  ", "4242"], ["r1  ", "7"], ["r2  ", "5000"]]);
    let mut extra = texts(&found.differences.extra_keys);
    extra.sort();
    assert_eq!(extra, [["new ", "5000"], ["r0  ", "20000"]]);
}

/// The sums over all rows stay as they are where two rows swap their values, unless the key is in them.
#[tokio::test]
async fn rows_that_swapped_their_values_are_two_differences() {
    let project = Project::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' || n FROM generate_series(1, 10000) n;",
        "[tables]\nt = \"full\"\n",
    )
    .await;
    project.run(&[]).await;
    let swap = format!("UPDATE {INTO}.t SET v = 'v' || (9999 - id) WHERE id IN (4000, 5999)");
    project.database.run(&swap).await;
    assert_eq!(counts(&compared(&project, "t").await), [0, 0, 2, 0]);
}

#[tokio::test]
async fn rows_without_a_key_are_compared_as_often_as_they_are_there() {
    let project = Project::new(
        "CREATE TABLE log (a int, b text);
         INSERT INTO log SELECT n % 500, CASE WHEN n % 2 = 0 THEN 'even' END FROM generate_series(1, 10000) n;",
        "[tables]\nlog = \"full\"\n",
    )
    .await;
    project.run(&[]).await;
    assert!(compared(&project, "log").await.differences.is_none());
    let doubled = format!(
        "INSERT INTO {INTO}.log VALUES (7, NULL);
         DELETE FROM {INTO}.log WHERE ctid = (SELECT min(ctid) FROM {INTO}.log WHERE a = 8);
         UPDATE {INTO}.log SET b = '' WHERE ctid = (SELECT min(ctid) FROM {INTO}.log WHERE a = 9)"
    );
    project.database.run(&doubled).await;
    let found = compared(&project, "log").await;
    // The changed row is one that is missing (a doubled one: others like it are there) and a new one.
    assert_eq!(counts(&found), [2, 2, 0, 3]);
    let mut extra = texts(&found.differences.extra_keys);
    extra.sort();
    assert_eq!(extra, [["7", "NULL"], ["9", ""]]);
}

#[tokio::test]
async fn keys_of_any_text_come_back_as_they_are() {
    let nasty = [
        "",
        " ",
        "a,b",
        "(c)",
        "\"",
        "\\",
        "\\\"",
        "it's",
        "NULL",
        "tab\there",
        "line\nbreak",
        "🦉",
        "naïve",
        "{}",
    ];
    let quoted: Vec<String> = nasty.iter().map(|text| barncat::sql::quote_literal(text)).collect();
    let project = Project::new(
        &format!(
            "CREATE TABLE t (k text, more text, PRIMARY KEY (k, more));
             INSERT INTO t SELECT k, 'x' FROM unnest(ARRAY[{}]) k;
             INSERT INTO t SELECT 'more ' || n, '' FROM generate_series(1, 10000) n;",
            quoted.join(", ")
        ),
        "[tables]\nt = \"full\"\n",
    )
    .await;
    project.run(&[]).await;
    assert!(compared(&project, "t").await.differences.is_none());
    project.database.run(&format!("DELETE FROM {INTO}.t WHERE more = 'x'")).await;
    let found = compared(&project, "t").await;
    let mut keys: Vec<String> =
        texts(&found.differences.missing_keys).into_iter().map(|values| values[0].clone()).collect();
    keys.sort();
    let mut expected = nasty.map(str::to_owned);
    expected.sort();
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn keys_alone_or_with_a_cursor_leave_the_rest_unread() {
    let project = wide().await;
    project
        .database
        .run(&format!(
            "UPDATE {INTO}.wide SET note = 'other' WHERE id = 1; UPDATE {INTO}.wide SET at = NULL WHERE id = 2;
             DELETE FROM {INTO}.wide WHERE id = 3"
        ))
        .await;
    let snapshot = snapshot_at(&variable("BARNCAT_REPLICA_URL")).await;
    let (spec, warehouse) = (spec(&project, "wide"), &project.database.warehouse);
    let shape = shape_of(&spec, &*snapshot, warehouse).await;
    for (columns, expected) in [(vec![], [1, 0, 0, 0]), (vec!["at".to_owned()], [1, 0, 1, 0])] {
        let mut looks = Looks::keys(&spec, &shape, None, &columns);
        let found = compare(&*snapshot, warehouse, &looks, Detail::Row, 9).await.expect("both sides answer");
        assert_eq!(counts(&found), expected);
        looks.source.condition = Some("id > 3 -- these".to_owned());
        looks.warehouse.condition = Some("id > 3".to_owned());
        let found = compare(&*snapshot, warehouse, &looks, Detail::Row, 9).await.expect("both sides answer");
        assert_eq!((found.source_rows, counts(&found)), (9_997, [0; 4]));
    }
}
