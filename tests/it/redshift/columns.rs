//! The columns of live tables: texts as large as their values are, and widened where they are.

use crate::support::{
    project::{INTO, on_primary},
    redshift::OnRedshift,
};

const SOURCE: &str = "
    CREATE TABLE notes (id bigint PRIMARY KEY, note text, at timestamptz NOT NULL);
    INSERT INTO notes SELECT n, repeat('x', 10), '2026-01-01Z'::timestamptz + n * INTERVAL '1 s' FROM generate_series(1, 50) n;
    CREATE TABLE seen AS SELECT id, note FROM notes;";

const LOADERS: &str = "[defaults]\nvarchar = \"measured\"\n\n[tables]
    notes = { strategy = \"merge\", cursor = \"at\" }
    seen = \"full\"\n";

async fn sizes(on: &OnRedshift) -> String {
    on.text(&format!(
        "SELECT string_agg(relname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY relname)
         FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
         WHERE attname = 'note' AND relkind = 'r' AND relnamespace = '{INTO}'::regnamespace"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_are_measured_and_widened_where_they_are() {
    let on = OnRedshift::new(SOURCE, LOADERS).await;
    on.project.run(&[]).await;
    assert_eq!(sizes(&on).await, "notes character varying(64), seen character varying(64)");
    // By a bound view the table keeps its place.
    on.project.database.run(&format!("CREATE VIEW {INTO}.ids AS SELECT id FROM {INTO}.seen")).await;
    on_primary(
        &on.project,
        "INSERT INTO notes VALUES (51, repeat('y', 100), '2026-01-02Z'); INSERT INTO seen VALUES (51, repeat('y', 300))",
    )
    .await;
    let outcome = on.project.run(&[]).await;
    let published: Vec<_> =
        outcome["tasks"].as_array().expect("tasks").iter().map(|task| task["publish"].clone()).collect();
    assert!(published.contains(&"merge".into()) && published.contains(&"replace".into()), "{outcome:#}");
    assert_eq!(sizes(&on).await, "notes character varying(128), seen character varying(512)");
    on.project.assert_equal(&["notes", "seen"]).await;
    // A restored state does not make them smaller, and what is in the way is said.
    let first = on.text("SELECT min(load) FROM barncat.loads WHERE table_name = 'seen'").await;
    let output = on.project.barncat(&["restore", "seen", "--load", &first, "--yes"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(on.text(&format!("SELECT count(*)::text FROM {INTO}.ids")).await, "50");
    on.project
        .database
        .run("UPDATE redshift_double.columns SET encoding = 'bytedict' WHERE relid = 'raw.notes'::regclass")
        .await;
    on_primary(&on.project, "INSERT INTO notes VALUES (52, repeat('z', 1000), '2026-01-03Z')").await;
    let (status, outcome) = on.project.try_run(&["notes"]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let error = &outcome["tasks"][0]["error"];
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("cannot change the columns of raw.notes: "), "{message}");
    let hint = error["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("`barncat run --full raw.notes`"), "{hint}");
    on.project.run(&["--full", "notes"]).await;
    on.project.assert_equal(&["notes"]).await;
}
