//! Whole loads and loads of new rows.

use serde_json::json;

use crate::support::{project::INTO, redshift::OnRedshift};

const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, fee numeric(9,2), note text, ordered_at timestamptz, ok boolean);
    INSERT INTO orders SELECT n, n / 8.0, nullif(repeat('x', n % 3), ''), '2026-01-01Z'::timestamptz + n * INTERVAL '1 s', n % 2 = 0
        FROM generate_series(1, 5000) n;
    UPDATE orders SET note = '' WHERE id % 7 = 0; UPDATE orders SET note = E'a,\"b\"\\n\\\\N' WHERE id % 11 = 0;";

const DIGEST: &str = "SELECT id || ' ' || fee || ' ' || coalesce('<' || note || '>', '-') || ' '
    || extract(epoch FROM ordered_at) || ' ' || ok FROM {t} ORDER BY id";

async fn assert_nothing_else(on: &OnRedshift) {
    let others = format!(
        "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE nspname = '{INTO}' AND relkind = 'r' AND relname <> 'orders'"
    );
    assert_eq!(on.text(&others).await, "", "staging and old tables are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_load_is_published_and_the_next_one_finds_it_unchanged() {
    let on = OnRedshift::new(SOURCE, "[tables]\norders = \"full\"\n").await;
    let outcome = on.project.run(&[]).await;
    let task = &outcome["tasks"][0];
    assert_eq!(
        (&task["status"], &task["rows"], &task["publish"]),
        (&json!("succeeded"), &json!(5000), &json!("swap"))
    );
    on.assert_same("orders", DIGEST).await;
    let outcome = on.project.run(&[]).await;
    assert_eq!(outcome["tasks"][0]["status"], "unchanged", "{outcome:#}");
    // Somebody else takes rows out of the warehouse.
    on.project.database.run(&format!("DELETE FROM {INTO}.orders WHERE id < 10")).await;
    let outcome = on.project.run(&[]).await;
    assert_eq!(outcome["tasks"][0]["status"], "succeeded", "{outcome:#}");
    on.assert_same("orders", DIGEST).await;
    on.project
        .source
        .run_on_primary(&format!("DELETE FROM {}.orders WHERE id < 10", on.project.source.name()))
        .await;
    on.project.run(&[]).await;
    on.assert_same("orders", DIGEST).await;
    assert_nothing_else(&on).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rows_are_merged_and_rows_that_are_gone_go() {
    let loaders =
        "[tables]\norders = { strategy = \"merge\", cursor = \"ordered_at\", deletes = \"detect\" }\n";
    let on = OnRedshift::new(SOURCE, loaders).await;
    on.project.run(&[]).await;
    let schema = on.project.source.name();
    on.project
        .source
        .run_on_primary(&format!(
            "INSERT INTO {schema}.orders VALUES (9000, 1, 'new', '2026-01-02Z', true);
             UPDATE {schema}.orders SET note = 'changed', ordered_at = '2026-01-02Z' WHERE id = 1;
             DELETE FROM {schema}.orders WHERE id IN (2, 3)"
        ))
        .await;
    let outcome = on.project.run(&[]).await;
    let task = &outcome["tasks"][0];
    assert_eq!(task["publish"], "merge", "{outcome:#}");
    let counts = "SELECT table_rows || ' ' || deleted_rows || ' ' || late_rows FROM barncat.loads ORDER BY load DESC LIMIT 1";
    assert_eq!(on.text(counts).await, "4999 2 0");
    on.assert_same("orders", DIGEST).await;
    assert_nothing_else(&on).await;
}
