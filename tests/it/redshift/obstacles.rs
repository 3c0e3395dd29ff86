//! What a swap would lose: found, named by `plan`, and left alone.

use serde_json::Value;

use crate::support::{
    project::{on_primary, task},
    redshift::OnRedshift,
};

const SOURCE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'n' || n FROM generate_series(1, 100) n;";

async fn loaded() -> OnRedshift {
    let on = OnRedshift::new(SOURCE, "[tables]\norders = \"full\"\n").await;
    on.project.run(&[]).await;
    on
}

async fn planned(on: &OnRedshift) -> Value {
    let output = on.project.barncat(&["plan", "--output", "json"], &[]).await;
    let plan: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    task(&plan, "raw.orders").clone()
}

const OBSTACLES: [(&str, &str, &str); 4] = [
    (
        "INSERT INTO redshift_double.svv_rls_attached_policy (relschema, relname, relkind, polname, grantee)
             VALUES ('raw', 'orders', 'table', 'own_rows', 'analyst'), ('raw', 'orders', 'table', 'own_rows', 'bi'),
                    ('raw', 'other', 'table', 'elsewhere', 'bi')",
        "DELETE FROM redshift_double.svv_rls_attached_policy",
        "the row-level security policy own_rows on raw.orders",
    ),
    (
        "INSERT INTO redshift_double.svv_attached_masking_policy (policy_name, schema_name, table_name, grantee)
             VALUES ('hide_note', 'raw', 'orders', 'bi')",
        "DELETE FROM redshift_double.svv_attached_masking_policy",
        "the masking policy hide_note on raw.orders",
    ),
    (
        "INSERT INTO redshift_double.svv_datashare_objects (share_type, share_name, object_type, object_name)
             VALUES ('OUTBOUND', 'partners', 'table', 'raw.orders'), ('INBOUND', 'theirs', 'table', 'raw.orders')",
        "DELETE FROM redshift_double.svv_datashare_objects",
        "the place of raw.orders in datashare partners",
    ),
    (
        "CREATE MATERIALIZED VIEW raw.totals AS SELECT count(*) AS n FROM raw.orders",
        "DROP MATERIALIZED VIEW raw.totals",
        "the materialized view raw.totals",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_on_a_table_keeps_it_where_it_is_and_is_named() {
    let on = loaded().await;
    for (number, (make, end, words)) in OBSTACLES.into_iter().enumerate() {
        on.project.database.run(make).await;
        let plan = planned(&on).await;
        assert_eq!(plan["publish"], "replace", "{plan:#}");
        let notes = plan["notes"].to_string();
        assert!(notes.contains(&format!("\"a swap would lose {words}\"")), "{words}: {notes}");
        on_primary(&on.project, &format!("INSERT INTO orders VALUES ({}, 'new')", 1000 + number)).await;
        let outcome = on.project.run(&[]).await;
        assert_eq!(task(&outcome, "raw.orders")["publish"], "replace", "{outcome:#}");
        // By a swap it is not published at all.
        on.project.write_loaders("[tables]\norders = { strategy = \"full\", publish = \"swap\" }\n");
        on_primary(&on.project, "DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (1, 'again')")
            .await;
        let (status, outcome) = on.project.try_run(&[]).await;
        assert_eq!(status, Some(1), "{outcome:#}");
        let error = task(&outcome, "raw.orders")["error"].to_string();
        assert!(error.contains(&format!("a swap of raw.orders would lose {words}")), "{error}");
        on.project.write_loaders("[tables]\norders = \"full\"\n");
        on.project.database.run(end).await;
    }
    assert_eq!(planned(&on).await["publish"], "swap");
    on.project.run(&[]).await;
    on.project.assert_equal(&["orders"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_read_stops_nobody_and_doctor_tells_it() {
    let on = loaded().await;
    let hide = "DROP TABLE redshift_double.svv_rls_attached_policy; DROP VIEW redshift_double.svv_table_info;
                INSERT INTO redshift_double.svv_attached_masking_policy (policy_name, schema_name, table_name)
                    VALUES ('hide_note', 'raw', 'orders')";
    on.project.database.run(hide).await;
    // What can be read is read.
    let plan = planned(&on).await;
    assert!(plan["notes"].to_string().contains("the masking policy hide_note on raw.orders"), "{plan:#}");
    on.project.database.run("DELETE FROM redshift_double.svv_attached_masking_policy").await;
    on_primary(&on.project, "INSERT INTO orders VALUES (1000, 'new')").await;
    let outcome = on.project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.orders")["publish"], "swap", "{outcome:#}");
    on.project.assert_equal(&["orders"]).await;
    let output = on.project.barncat(&["doctor", "--output", "json"], &[]).await;
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let found = report["tests"].as_array().expect("a list").iter().find(|test| test["test"] == "policies");
    let found = found.expect("policies are tested");
    assert_eq!(found["status"], "warn", "{found:#}");
    assert!(found["message"].to_string().contains("svv_rls_attached_policy"), "{found:#}");
}
