//! Rows that stay when the source has them no more, and are marked: `deletes = "mark"`.

use serde_json::Value;

use crate::support::project::{INTO, Project, on_primary, task};

pub(crate) const SOURCE: &str = "
    CREATE TABLE log (id bigint PRIMARY KEY, note text);
    INSERT INTO log SELECT n, 'is ' || n FROM generate_series(1, 200) n;
    CREATE TABLE orders (id int PRIMARY KEY, status text, updated_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO orders SELECT n, 'new', now() - interval '2 days' FROM generate_series(1, 200) n;
    CREATE INDEX ON orders (updated_at);";

pub(crate) const LOADERS: &str = "[tables]
    log = { strategy = \"append\", cursor = \"id\", deletes = { mark = \"gone_at\" } }
    orders = { strategy = \"merge\", cursor = \"updated_at\", deletes = \"mark\" }\n";

async fn project() -> Project {
    let stage = "url = \"file:./stage\"\nkeep = { loads = 9, days = 9 }";
    let project = Project::with_stage(SOURCE, LOADERS, stage, &[]).await;
    project.run(&[]).await;
    assert_are_right(&project, &[], &[]).await;
    project
}

async fn in_warehouse(project: &Project, sql: &str) {
    project.database.run(&format!("SET search_path = {INTO}; {sql}")).await;
}

async fn refused(project: &Project, arguments: &[&str], name: &str) -> (String, String) {
    let (status, outcome) = project.try_run(arguments).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let error = &task(&outcome, name)["error"];
    (
        error["message"].as_str().expect("it says").to_owned(),
        error["hint"].as_str().expect("it helps").to_owned(),
    )
}

/// The keys of marked rows.
async fn marked(project: &Project, table: &str, mark: &str) -> Vec<i32> {
    let sql = format!("SELECT id::text FROM {INTO}.{table} WHERE {mark} IS NOT NULL ORDER BY {table}.id");
    project.database.texts(&sql).await.iter().map(|id| id.parse().expect("a number")).collect()
}

/// These rows are marked, all others are those of the source, and the ledger counts these.
async fn assert_are_right(project: &Project, log: &[i32], orders: &[i32]) {
    for (table, mark, gone) in [("log", "gone_at", log), ("orders", "deleted_at", orders)] {
        assert_eq!(marked(project, table, mark).await, gone, "{table}");
        assert_unmarked_are_the_sources(project, table, mark).await;
        let of = |what| format!("SELECT {what} FROM barncat.tables WHERE table_name = '{table}'");
        let there = format!("SELECT count(*)::text FROM {INTO}.{table} WHERE {mark} IS NULL");
        let counted = project.database.text(&of("table_rows::text")).await;
        assert_eq!(counted, project.database.text(&there).await, "{table}");
    }
}

async fn assert_unmarked_are_the_sources(project: &Project, table: &str, mark: &str) {
    let view = format!(
        "DO $$ BEGIN EXECUTE (SELECT format('CREATE OR REPLACE TEMP VIEW here AS SELECT %s FROM {INTO}.{table}
             WHERE {mark} IS NULL', string_agg(quote_ident(attname), ', ' ORDER BY attnum))
         FROM pg_attribute WHERE attrelid = '{INTO}.{table}'::regclass AND attnum > 0 AND NOT attisdropped
             AND attname <> '{mark}'); END $$"
    );
    let client = project.database.connect().await;
    client.batch_execute(&view).await.expect("a view is made");
    let digest =
        "SELECT count(*) || ' rows ' || coalesce(md5(string_agg(r, E'\\n' ORDER BY r COLLATE \"C\")), '')
                  FROM (SELECT t::text AS r FROM here t) AS rows";
    let here: String = client.query_one(digest, &[]).await.expect("it is read").get(0);
    assert_eq!(Some(here), project.in_source(table).await, "{table}");
}

#[tokio::test]
async fn rows_that_go_are_marked_once_and_those_that_come_again_are_rows_like_others() {
    marked_once(&project().await).await;
}

pub(crate) async fn marked_once(project: &Project) {
    on_primary(project, "DELETE FROM log WHERE id IN (3, 4); DELETE FROM orders WHERE id IN (5, 6)").await;
    let outcome = project.run(&[]).await;
    for name in ["raw.log", "raw.orders"] {
        assert_eq!(
            (&task(&outcome, name)["rows"], &task(&outcome, name)["late_rows"]),
            (&0.into(), &0.into())
        );
    }
    assert_are_right(project, &[3, 4], &[5, 6]).await;
    let since = format!(
        "SELECT bool_and(deleted_at = published_at AND deleted_rows = 2)::text FROM {INTO}.orders, barncat.loads
         WHERE deleted_at IS NOT NULL AND load = (SELECT max(load) FROM barncat.loads WHERE table_name = 'orders')"
    );
    assert_eq!(project.database.text(&since).await, "true");
    let marks = format!("SELECT string_agg(gone_at::text, ' ' ORDER BY id) FROM {INTO}.log");
    let before = project.database.text(&marks).await;

    // Nothing changed, then something else: those that are marked are left as they are.
    let again = project.run(&[]).await;
    assert_eq!(task(&again, "raw.orders")["status"], "unchanged", "{again:#}");
    on_primary(project, "DELETE FROM log WHERE id = 9; INSERT INTO log VALUES (3, 'again'), (201, 'new')")
        .await;
    on_primary(
        project,
        "INSERT INTO orders VALUES (5, 'new', now() - interval '2 days'), (6, 'other', now()); DELETE FROM orders WHERE id = 9",
    )
    .await;
    let outcome = project.run(&[]).await;
    assert_are_right(project, &[4, 9], &[9]).await;
    assert!(before.contains(&project.database.text(&format!("{marks} WHERE id = 4")).await));
    let log = task(&outcome, "raw.log");
    assert_eq!((&log["rows"], &log["late_rows"]), (&2.into(), &1.into()), "{log:#}");
    let deleted =
        "SELECT string_agg(table_name || ' ' || deleted_rows, ', ' ORDER BY table_name) FROM barncat.loads l
        WHERE load IN (SELECT load FROM barncat.tables)";
    assert_eq!(project.database.text(deleted).await, "log 1, orders 1");
}

#[tokio::test]
async fn marks_are_held_to_the_limit_of_deletes_and_it_counts_no_marked_row() {
    let project = project().await;
    on_primary(&project, "DELETE FROM orders WHERE id <= 9").await;
    project.run(&["orders"]).await;
    on_primary(&project, "DELETE FROM orders WHERE id <= 30").await;
    let (message, _) = refused(&project, &["orders"], "raw.orders").await;
    let words =
        "raw.orders had 191 rows and the source has 170 left: more vanished than `shrink_limit` allows";
    assert_eq!(message, words);
    let (message, _) = refused(&project, &["--full", "orders"], "raw.orders").await;
    assert_eq!(message, words);
    let outcome = project.run(&["--full", "--accept-shrink", "orders"]).await;
    assert_eq!(task(&outcome, "raw.orders")["publish"], "replace", "{outcome:#}");
    assert_are_right(&project, &[], &(1..=30).collect::<Vec<i32>>()).await;
}

#[tokio::test]
async fn a_load_of_the_whole_table_leaves_marked_rows_and_marks_what_is_gone() {
    whole_with_marks(&project().await).await;
}

pub(crate) async fn whole_with_marks(project: &Project) {
    on_primary(project, "DELETE FROM log WHERE id = 3; DELETE FROM orders WHERE id = 5").await;
    project.run(&[]).await;
    in_warehouse(project, "CREATE VIEW seen AS SELECT * FROM orders").await;
    project.write_loaders(&LOADERS.replace("\"updated_at\"", "\"updated_at\", fill_jobs = 2"));
    on_primary(
        project,
        "DELETE FROM log WHERE id = 4; INSERT INTO orders VALUES (5, 'again'); DELETE FROM orders WHERE id = 6;
         UPDATE orders SET status = 'unseen' WHERE id = 7",
    )
    .await;
    let outcome = project.run(&["--full"]).await;
    let orders = task(&outcome, "raw.orders");
    assert_eq!((&orders["publish"], &orders["rows"]), (&"replace".into(), &199.into()), "{orders:#}");
    assert_are_right(project, &[3, 4], &[6]).await;
    // So it goes on from there.
    on_primary(project, "DELETE FROM orders WHERE id = 8; INSERT INTO log VALUES (4, 'again')").await;
    project.run(&[]).await;
    assert_are_right(project, &[3], &[6, 8]).await;
}

#[tokio::test]
async fn new_columns_come_in_place_and_what_would_take_another_table_is_refused() {
    let project = project().await;
    on_primary(&project, "DELETE FROM orders WHERE id = 5; ALTER TABLE orders ADD COLUMN tip int").await;
    on_primary(&project, "INSERT INTO orders VALUES (201, 'new', now(), 7)").await;
    let outcome = project.run(&["orders"]).await;
    assert_eq!(task(&outcome, "raw.orders")["publish"], "merge", "{outcome:#}");
    assert_are_right(&project, &[], &[5]).await;
    // The watermark moved: the same rows are read twice from here on.
    project.run(&["orders"]).await;
    let unchanged = project.run(&["orders"]).await;
    assert_eq!(task(&unchanged, "raw.orders")["status"], "unchanged", "{unchanged:#}");

    on_primary(&project, "ALTER TABLE orders DROP COLUMN status, ALTER tip TYPE bigint").await;
    let (message, _) = refused(&project, &["orders"], "raw.orders").await;
    assert!(message.contains("cannot be added in place"), "{message}");
    let (message, hint) = refused(&project, &["--full", "orders"], "raw.orders").await;
    assert_eq!(message, "raw.orders must be made anew, and rows that are marked as deleted are nowhere else");
    let sql = hint.strip_prefix("make it fit: ").and_then(|hint| hint.split_once(';')).expect("it is SQL").0;
    assert_eq!(
        sql,
        "ALTER TABLE \"raw\".\"orders\" DROP COLUMN \"status\", ALTER COLUMN \"tip\" TYPE bigint USING \"tip\"::bigint"
    );
    in_warehouse(&project, sql).await;
    project.run(&["--full", "orders"]).await;
    assert_are_right(&project, &[], &[5]).await;
    in_warehouse(&project, "ALTER TABLE orders DROP CONSTRAINT orders_pkey").await;
    let (_, hint) = refused(&project, &["orders"], "raw.orders").await;
    assert!(
        hint.starts_with("make it fit: ALTER TABLE \"raw\".\"orders\" ADD UNIQUE (\"id\"); then"),
        "{hint}"
    );
}

#[tokio::test]
async fn marking_begins_in_place_and_ends_only_when_it_is_asked_for() {
    let project = Project::new(SOURCE, &LOADERS.replace("deletes", "exclude = [], deletes")).await;
    let plain = "[tables]\nlog = { strategy = \"append\", cursor = \"id\" }\n\
                 orders = { strategy = \"merge\", cursor = \"updated_at\" }\n";
    project.write_loaders(plain);
    project.run(&[]).await;
    on_primary(&project, "DELETE FROM log WHERE id = 3; DELETE FROM orders WHERE id = 5").await;
    project.run(&[]).await;
    project.write_loaders(LOADERS);
    let outcome = project.run(&[]).await;
    assert_eq!(
        task(&outcome, "raw.log")["reason"],
        "new rows, and all keys compared; rows that are gone are marked in `gone_at` from now on"
    );
    assert_eq!(task(&outcome, "raw.log")["publish"], "insert");
    assert_are_right(&project, &[3], &[5]).await;

    project.write_loaders(plain);
    let (message, hint) = refused(&project, &["log"], "raw.log").await;
    assert_eq!(
        message,
        "raw.log has rows that are marked as deleted in `gone_at`, and its loader marks none there any more"
    );
    assert!(
        hint.starts_with("`deletes = { mark = \"gone_at\" }` keeps them; `barncat run --full raw.log`"),
        "{hint}"
    );
    assert_eq!(marked(&project, "log", "gone_at").await, [3]);
    project.run(&["--full"]).await;
    project.assert_equal(&["log", "orders"]).await;
    project.run(&[]).await;
}

#[tokio::test]
async fn a_column_of_the_sources_own_is_not_written_over() {
    let project = project().await;
    on_primary(&project, "ALTER TABLE orders ADD COLUMN deleted_at timestamptz").await;
    let (message, hint) = refused(&project, &["orders"], "raw.orders").await;
    let source = project.source.name();
    let words = format!(
        "loaders/shop.toml:6:5: {source}.orders has a column `deleted_at` of its own, where `deletes` would mark rows"
    );
    assert_eq!((message, hint.as_str()), (words, "`deletes = { mark = \"…\" }` gives it another name"));
    project.write_loaders(&LOADERS.replace("\"updated_at\"", "\"updated_at\", exclude = [\"deleted_at\"]"));
    project.run(&[]).await;
    assert_eq!(marked(&project, "orders", "deleted_at").await, Vec::<i32>::new());
}

async fn verify(project: &Project, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = project.barncat(&[&["verify", "--output", "json"], arguments].concat(), &[]).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("stdout is one JSON object"))
}

#[tokio::test]
async fn a_marked_row_is_a_fault_only_where_the_source_has_it() {
    verified_with_marks(&project().await).await;
}

pub(crate) async fn verified_with_marks(project: &Project) {
    on_primary(project, "DELETE FROM log WHERE id = 3; DELETE FROM orders WHERE id = 5").await;
    project.run(&[]).await;
    let (status, outcome) = verify(project, &["--as-is"]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    assert_eq!(task(&outcome, "raw.log")["reason"], "equal", "{outcome:#}");

    in_warehouse(
        project,
        "UPDATE orders SET deleted_at = now() WHERE id = 7; UPDATE orders SET deleted_at = NULL WHERE id = 5",
    )
    .await;
    let (status, outcome) = verify(project, &["--as-is", "orders"]).await;
    assert_eq!(status, Some(1));
    let words = "1 row is missing from the warehouse; 1 row is only in the warehouse";
    assert_eq!(task(&outcome, "raw.orders")["error"]["message"], words, "{outcome:#}");
    // A load would mend it too; this one does not compare.
    let seldom = LOADERS.replace("deletes", "compare_every = \"off\", deletes");
    project.write_loaders(&seldom);
    let (status, outcome) = verify(project, &["--repair", "orders"]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    assert_are_right(project, &[3], &[5]).await;
}

#[tokio::test]
async fn a_backfill_marks_what_is_gone_and_takes_marks_from_what_is_not() {
    backfilled_with_marks(&project().await).await;
}

pub(crate) async fn backfilled_with_marks(project: &Project) {
    on_primary(project, "DELETE FROM log WHERE id IN (3, 4)").await;
    project.run(&[]).await;
    on_primary(project, "INSERT INTO log VALUES (3, 'again'); DELETE FROM log WHERE id = 150").await;
    let planned = project.barncat(&["backfill", "log", "--dry-run"], &[]).await;
    let told = String::from_utf8_lossy(&planned.stdout);
    assert!(told.contains("rows that the source does not have are marked as deleted"), "{told}");
    let output = project.barncat(&["backfill", "log", "--chunk", "100", "--output", "json"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON object");
    let done = |chunk: usize, what: &str| outcome["chunks"][chunk]["done"][what].as_u64();
    assert_eq!((done(0, "rows_written"), done(0, "rows_deleted")), (Some(1), Some(0)), "{outcome:#}");
    assert_eq!((done(1, "rows_written"), done(1, "rows_deleted")), (Some(0), Some(1)), "{outcome:#}");
    assert_are_right(project, &[4, 150], &[]).await;
}

async fn load(project: &Project, table: &str) -> String {
    project.database.text(&format!("SELECT load FROM barncat.tables WHERE table_name = '{table}'")).await
}

async fn try_restore(project: &Project, table: &str, load: &str) -> (Option<i32>, String) {
    let output = project.barncat(&["restore", table, "--load", load, "--yes"], &[]).await;
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn an_earlier_state_comes_back_with_its_marks() {
    restored_with_marks(&project().await).await;
}

pub(crate) async fn restored_with_marks(project: &Project) {
    // Of the two one is restored by a swap, the other in place.
    in_warehouse(project, "CREATE MATERIALIZED VIEW notes AS SELECT count(*) FROM log").await;
    let mut states = Vec::new();
    for change in [
        "DELETE FROM orders WHERE id IN (5, 6); DELETE FROM log WHERE id = 3",
        "INSERT INTO orders VALUES (5, 'again'); DELETE FROM orders WHERE id = 7; INSERT INTO log VALUES (3, 'again')",
        "ALTER TABLE orders ADD COLUMN tip int; DELETE FROM orders WHERE id = 8; DELETE FROM log WHERE id = 4",
    ] {
        on_primary(project, change).await;
        project.run(&[]).await;
        for table in ["orders", "log"] {
            states.push((table, load(project, table).await, rows(project, table).await));
        }
    }
    for (table, load, rows_then) in states.iter().rev() {
        let (status, told) = try_restore(project, table, load).await;
        assert_eq!(status, Some(0), "{told}");
        assert_eq!(rows(project, table).await, *rows_then, "{table}");
    }
    let how = "SELECT string_agg(DISTINCT table_name || ' ' || publish, ', ') FROM barncat.loads WHERE strategy = 'restore'";
    assert_eq!(project.database.text(how).await, "log replace, orders swap");
    let output = project.barncat(&["release", "*"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    project.run(&[]).await;
    assert_are_right(project, &[4], &[6, 7, 8]).await;

    // What a load of the whole table left where it was lies nowhere in the stage.
    project.run(&["--full", "orders"]).await;
    let whole = load(project, "orders").await;
    on_primary(project, "DELETE FROM orders WHERE id = 9").await;
    project.run(&["orders"]).await;
    let (status, told) = try_restore(project, "orders", &whole).await;
    assert_eq!(status, Some(1));
    assert!(
        told.contains(&format!("the 3 rows marked as deleted that load {whole} found and left")),
        "{told}"
    );
}

/// All rows with their marks, whatever the order of the columns.
async fn rows(project: &Project, table: &str) -> String {
    let sql = format!("SELECT string_agg(to_jsonb(t)::text, E'\\n' ORDER BY id) FROM {INTO}.{table} t");
    project.database.text(&sql).await
}

#[tokio::test]
async fn a_table_is_taken_over_with_its_marks_or_without() {
    adopted_with_marks(&project().await).await;
}

pub(crate) async fn adopted_with_marks(project: &Project) {
    on_primary(project, "DELETE FROM orders WHERE id = 5").await;
    project.run(&["orders"]).await;
    in_warehouse(project, "DELETE FROM barncat.loads; ALTER TABLE log DROP COLUMN gone_at").await;
    let output = project.barncat(&["adopt", "*", "--yes", "--output", "json"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON object");
    for (name, rows) in [("raw.log", 200), ("raw.orders", 199)] {
        let task = task(&outcome, name);
        assert_eq!(
            (&task["reason"], &task["rows"]),
            (&"taken over, equal to its source".into(), &rows.into())
        );
    }
    on_primary(project, "DELETE FROM log WHERE id = 3; DELETE FROM orders WHERE id = 6").await;
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.orders")["publish"], "merge", "{outcome:#}");
    assert_are_right(project, &[3], &[5, 6]).await;

    in_warehouse(project, "DELETE FROM barncat.loads; ALTER TABLE log ALTER gone_at TYPE date").await;
    let output = project.barncat(&["adopt", "log", "--yes", "--output", "json"], &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("column `gone_at` is date in the warehouse and must be timestamp with time zone"),
        "{told}"
    );
}
