//! Distribution, sort key, encodings and backups: kept as they are, or as the loader says.

use serde_json::Value;

use crate::support::{
    project::{on_primary, task},
    redshift::OnRedshift,
};

const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, rider integer, note varchar(10), at timestamptz NOT NULL, doc jsonb);
    INSERT INTO orders SELECT n, n % 7, 'n' || n, '2026-01-01Z'::timestamptz + n * INTERVAL '1 s' FROM generate_series(1, 100) n;";

fn loaders(more: &str) -> String {
    format!("[tables]\norders = {{ strategy = \"full\"{more} }}\n")
}

async fn loaded(more: &str) -> OnRedshift {
    let on = OnRedshift::new(SOURCE, &loaders(more)).await;
    on.project.run(&[]).await;
    on
}

/// Distribution, sort key, encoding of `note`, backups.
async fn layout(on: &OnRedshift) -> String {
    on.text(
        "SELECT concat_ws(' ', t.diststyle, (SELECT attname FROM pg_attribute WHERE attrelid = t.relid AND attnum = t.distkey),
            (SELECT '(' || string_agg(a.attname, ',' ORDER BY n) || ')' FROM unnest(t.sortkey) WITH ORDINALITY AS s(at, n)
                JOIN pg_attribute a ON a.attrelid = t.relid AND a.attnum = s.at),
            CASE WHEN t.interleaved THEN 'interleaved' END,
            (SELECT encoding FROM redshift_double.columns c JOIN pg_attribute a ON a.attrelid = c.relid AND a.attnum = c.attnum
                WHERE c.relid = t.relid AND a.attname = 'note'),
            CASE WHEN NOT t.backup THEN 'no backup' END)
         FROM redshift_double.tables t WHERE t.relid = 'raw.orders'::regclass",
    )
    .await
}

async fn planned(on: &OnRedshift) -> Value {
    let output = on.project.barncat(&["plan", "--output", "json"], &[]).await;
    let plan: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    task(&plan, "raw.orders").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_chose_stays_when_the_columns_change() {
    let on = loaded("").await;
    assert_eq!(layout(&on).await, "auto lzo");
    let remade = "CREATE TABLE \"raw\".mine (id bigint NOT NULL, rider integer, note varchar(40) ENCODE zstd, \
                  at timestamptz NOT NULL, doc super) DISTSTYLE KEY DISTKEY (rider) INTERLEAVED SORTKEY (at, rider, id)";
    let swap = [
        "ALTER TABLE \"raw\".orders RENAME TO theirs",
        "ALTER TABLE \"raw\".mine RENAME TO orders",
        "DROP TABLE \"raw\".theirs",
    ];
    let statements: Vec<String> = [remade].into_iter().chain(swap).map(str::to_owned).collect();
    on.cluster().await.batch(&statements).await.expect("somebody lays it out");
    let chosen = "key rider (at,rider,id) interleaved zstd";
    assert_eq!(layout(&on).await, chosen);
    on_primary(&on.project, "DELETE FROM orders WHERE id = 1").await;
    on.project.run(&[]).await;
    assert_eq!(layout(&on).await, chosen, "by LIKE");
    on_primary(&on.project, "ALTER TABLE orders ADD COLUMN tip integer").await;
    on.project.run(&[]).await;
    assert_eq!(layout(&on).await, chosen, "with another column");
    on_primary(&on.project, "ALTER TABLE orders DROP COLUMN rider").await;
    on.project.run(&[]).await;
    assert_eq!(layout(&on).await, "auto (at,id) interleaved zstd", "as far as its columns are there");
    assert_eq!(on.text("SELECT count(*)::text FROM raw.orders").await, "99");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_loader_says_comes_with_the_next_whole_load() {
    let on = loaded("").await;
    let said = ", redshift = { dist = \"key(rider)\", sort = [\"at\", \"id\"], encode = { note = \"zstd\" }, backup = false }";
    on.project.write_loaders(&loaders(said));
    let plan = planned(&on).await;
    let notes = plan["notes"].to_string();
    let differences = "its distribution becomes key(rider) instead of auto, its sort key becomes (at, id) instead of \
                       auto, the encoding of `note` becomes zstd instead of lzo";
    assert!(notes.contains(differences), "{notes}");
    // The same rows, and yet they are published.
    let outcome = on.project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.orders")["publish"], "swap", "{outcome:#}");
    assert_eq!(layout(&on).await, "key rider (at,id) zstd no backup");
    assert_eq!(task(&on.project.run(&[]).await, "raw.orders")["status"], "unchanged");
    assert_eq!(planned(&on).await["notes"].to_string().matches("becomes").count(), 0);
    // A view that is bound goes along.
    on.project.database.run("CREATE VIEW raw.ids AS SELECT id FROM raw.orders").await;
    on.project.write_loaders(&loaders(
        ", redshift = { dist = \"all\", sort = { interleaved = [\"id\", \"rider\"] } }",
    ));
    on.project.run(&[]).await;
    assert_eq!(layout(&on).await, "all (id,rider) interleaved zstd");
    assert_eq!(on.text("SELECT count(*)::text FROM raw.ids").await, "100");
    // Loads of new rows leave it as it is.
    on.project.write_loaders(
        "[tables]\norders = { strategy = \"merge\", cursor = \"at\", redshift = { dist = \"even\" } }\n",
    );
    on.project.run(&["--full"]).await;
    assert_eq!(layout(&on).await, "even (id,rider) interleaved zstd");
    on.project.write_loaders(
        "[tables]\norders = { strategy = \"merge\", cursor = \"at\", redshift = { dist = \"all\" } }\n",
    );
    on_primary(&on.project, "INSERT INTO orders VALUES (200, 1, 'new', '2026-02-01Z')").await;
    let waits = "its distribution becomes all instead of even: waits for a whole load, `barncat run --full raw.orders`";
    assert!(planned(&on).await["notes"].to_string().contains(waits));
    let outcome = on.project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.orders")["publish"], "merge", "{outcome:#}");
    assert_eq!(layout(&on).await, "even (id,rider) interleaved zstd");
    assert_eq!(on.text("SELECT count(*)::text FROM raw.orders").await, "101");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_cannot_be_are_told_before_anything_is_loaded() {
    let cases = [
        ("dist = \"key(ridr)\"", "`redshift` names the column `ridr`, which is not loaded"),
        ("sort = [\"doc\"]", "arrives as SUPER, by which Redshift neither distributes nor sorts"),
        ("encode = { nope = \"zstd\" }", "`redshift` names the column `nope`, which is not loaded"),
    ];
    let on = OnRedshift::new(SOURCE, &loaders("")).await;
    for (said, words) in cases {
        on.project.write_loaders(&loaders(&format!(", redshift = {{ {said} }}")));
        let plan = planned(&on).await.to_string();
        assert!(plan.contains(words), "{said}: {plan}");
    }
}
