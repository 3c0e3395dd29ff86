//! Views that are bound to a table: left where they are in place, made anew by a swap, or named.

use serde_json::Value;

use crate::support::{
    project::{INTO, on_primary, task},
    redshift::OnRedshift,
};

const SOURCE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, fee integer, note varchar(10));
    INSERT INTO orders SELECT n, n * 2, 'n' || n FROM generate_series(1, 100) n;";

const LOADERS: &str = "[tables]\norders = \"full\"\n";

/// A view upon a view, one that is bound to nothing, and what hangs on them.
const VIEWS: [&str; 6] = [
    "CREATE SCHEMA bi",
    "CREATE VIEW bi.fees AS SELECT id, fee AS pence FROM \"raw\".orders WHERE note <> 'n1'",
    "CREATE VIEW bi.net AS SELECT f.id, f.pence, o.note FROM bi.fees f JOIN \"raw\".orders o ON o.id = f.id",
    "CREATE VIEW bi.late AS SELECT id FROM \"raw\".orders WITH NO SCHEMA BINDING",
    "GRANT SELECT ON bi.fees TO GROUP readers",
    "COMMENT ON VIEW bi.fees IS 'what we owe'",
];

async fn with_views() -> OnRedshift {
    let on = OnRedshift::new(SOURCE, LOADERS).await;
    on.project.run(&[]).await;
    on.project
        .database
        .run("DO $$ BEGIN CREATE ROLE readers; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
        .await;
    let views: Vec<String> = VIEWS.iter().map(|sql| (*sql).to_owned()).collect();
    on.cluster().await.batch(&views).await.expect("the views are made");
    on
}

/// What hangs on the views, and whether they read the table of that name.
const KEPT: &str = "
    SELECT (SELECT count(*) FROM bi.fees) || ' ' || (SELECT count(*) FROM bi.net) || ' ' || (SELECT count(*) FROM bi.late)
        || ' ' || has_table_privilege('readers', 'bi.fees', 'SELECT') || ' ' || obj_description('bi.fees'::regclass)
        || ' ' || (SELECT count(DISTINCT d.refobjid) FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
                   WHERE r.ev_class IN ('bi.fees'::regclass, 'bi.net'::regclass) AND d.refobjid = 'raw.orders'::regclass)
        || ' ' || (SELECT count(*) FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r')";

async fn change(on: &OnRedshift, sql: &str) -> Value {
    on_primary(&on.project, sql).await;
    let outcome = on.project.run(&[]).await;
    task(&outcome, "raw.orders").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_place_while_the_columns_are_the_same_and_made_anew_where_they_change() {
    let on = with_views().await;
    assert_eq!(on.text(KEPT).await, "99 99 100 true what we owe 1 1");
    let done = change(&on, "INSERT INTO orders VALUES (101, 1, 'new')").await;
    assert_eq!(done["publish"], "replace", "{done:#}");
    assert_eq!(on.text(KEPT).await, "100 100 101 true what we owe 1 1");
    // No view needs it: they are replaced where they are.
    let before = on.text("SELECT 'bi.fees'::regclass::oid::text").await;
    let done = change(&on, "ALTER TABLE orders ADD COLUMN tip integer DEFAULT 5").await;
    assert_eq!(done["publish"], "swap", "{done:#}");
    assert_eq!(on.text(KEPT).await, "100 100 101 true what we owe 1 1");
    assert_eq!(on.text("SELECT 'bi.fees'::regclass::oid::text").await, before);
    // Another type: a view's columns keep theirs, so the views are dropped and made.
    let done = change(&on, "ALTER TABLE orders ALTER COLUMN fee TYPE bigint").await;
    assert_eq!(done["publish"], "swap", "{done:#}");
    assert_eq!(on.text(KEPT).await, "100 100 101 true what we owe 1 1");
    let type_of = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'bi.net'::regclass AND attname = 'pence'";
    assert_eq!(on.text(type_of).await, "bigint");
    // Whoever asks for a swap gets it.
    on.project.write_loaders("[tables]\norders = { strategy = \"full\", publish = \"swap\" }\n");
    let done = change(&on, "INSERT INTO orders VALUES (102, 1, 'new')").await;
    assert_eq!(done["publish"], "swap", "{done:#}");
    assert_eq!(on.text(KEPT).await, "101 101 102 true what we owe 1 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_whose_column_goes_are_named_and_dropped_only_if_they_may_be() {
    let on = with_views().await;
    on.project.database.run("CREATE VIEW bi.ids AS SELECT id FROM raw.orders").await;
    on_primary(&on.project, "ALTER TABLE orders DROP COLUMN fee").await;
    let (status, outcome) = on.project.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let message = task(&outcome, "raw.orders")["error"]["message"].to_string();
    assert!(message.contains("the new columns of raw.orders break bi.net, bi.fees"), "{message}");
    assert_eq!(on.text(KEPT).await, "99 99 100 true what we owe 1 1");
    on.project.write_loaders("[tables]\norders = { strategy = \"full\", on_broken_view = \"drop\" }\n");
    let outcome = on.project.run(&[]).await;
    let warnings = task(&outcome, "raw.orders")["warnings"].to_string();
    assert!(warnings.contains("dropped view bi.fees"), "{outcome:#}");
    let left = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
                WHERE relnamespace = 'bi'::regnamespace AND relkind = 'v'";
    assert_eq!(on.text(left).await, "ids late");
    assert_eq!(on.text("SELECT count(*)::text FROM bi.ids").await, "100");
    on.project.assert_equal(&["orders"]).await;
    assert_eq!(on.text(&format!("SELECT count(*)::text FROM {INTO}.orders")).await, "100");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_only_others_can_make_keep_the_table_where_it_is() {
    let on = with_views().await;
    on.project
        .database
        .run(
            "DO $$ BEGIN CREATE ROLE analyst; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
             GRANT ALL ON SCHEMA bi TO analyst; ALTER VIEW bi.net OWNER TO analyst",
        )
        .await;
    let done = change(&on, "INSERT INTO orders VALUES (101, 1, 'new')").await;
    assert_eq!(done["publish"], "replace", "{done:#}");
    on_primary(&on.project, "ALTER TABLE orders ADD COLUMN tip integer").await;
    let (status, outcome) = on.project.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let message = task(&outcome, "raw.orders")["error"]["message"].to_string();
    assert!(message.contains("a swap would lose the view bi.net, which belongs to analyst"), "{message}");
}
