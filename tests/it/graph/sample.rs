//! `--sample`: few rows of each table, which still match.

use super::{model, status};
use crate::support::{
    connect,
    ground::{Ground, Scene, on_each_ground},
    project::{Project, on_primary, task},
};

/// Tables that refer to each other in all ways: by one column and two, to themselves, in a circle, where
/// NULL may stand; without a key; of partitions; and a view.
const SOURCE: &str = "
    CREATE TABLE cities (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO cities SELECT n, 'city ' || n FROM generate_series(1, 60) n;
    CREATE TABLE customers (id int PRIMARY KEY, city_id int NOT NULL REFERENCES cities, referred_by int REFERENCES customers);
    INSERT INTO customers SELECT n, 1 + n * 7 % 60, nullif(n * 11 % 100, 0) FROM generate_series(1, 99) n;
    CREATE TABLE riders (id int PRIMARY KEY, city_id int REFERENCES cities, details json);
    INSERT INTO riders SELECT n, CASE WHEN n % 3 > 0 THEN 1 + n * 13 % 60 END, '{}' FROM generate_series(1, 80) n;
    CREATE TABLE orders (id int PRIMARY KEY, rider_id int REFERENCES riders, customer_id int NOT NULL REFERENCES customers, at timestamptz NOT NULL);
    INSERT INTO orders SELECT n, CASE WHEN n % 4 > 0 THEN 1 + n * 31 % 80 END, 1 + n * 17 % 99, '2026-01-01Z'::timestamptz + n * INTERVAL '1 s' FROM generate_series(1, 400) n;
    CREATE INDEX ON orders (at);
    CREATE TABLE items (order_id int REFERENCES orders, line int, PRIMARY KEY (order_id, line));
    INSERT INTO items SELECT n, l FROM generate_series(1, 400) n, generate_series(1, 3) l;
    CREATE TABLE complaints (order_id int NOT NULL, line int NOT NULL, words text, FOREIGN KEY (order_id, line) REFERENCES items);
    INSERT INTO complaints SELECT n, 2, 'cold ' || n FROM generate_series(1, 400) n;
    CREATE TABLE events (id int, at timestamptz, order_id int NOT NULL REFERENCES orders, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z');
    CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01Z') TO ('2026-03-01Z');
    INSERT INTO events SELECT n, '2026-01-20Z'::timestamptz + n * INTERVAL '1 h', 401 - n FROM generate_series(1, 400) n;
    CREATE TABLE heads (id int PRIMARY KEY, tail_id int);
    CREATE TABLE tails (id int PRIMARY KEY, head_id int NOT NULL REFERENCES heads);
    INSERT INTO heads SELECT n, n FROM generate_series(1, 50) n;
    INSERT INTO tails SELECT n, n FROM generate_series(1, 50) n;
    ALTER TABLE heads ADD FOREIGN KEY (tail_id) REFERENCES tails;
    CREATE VIEW busy AS SELECT customer_id, count(*) AS orders FROM orders GROUP BY 1;";

const LOADERS: &str = "[tables]\n\"*\" = \"full\"\norders = { strategy = \"merge\", cursor = \"at\", where = \"id > 20 -- late\" }\n";

const JOINED: &str = "select i.order_id, i.line, c.id as customer_id, t.name from items i
    join orders o on o.id = i.order_id join customers c on c.id = o.customer_id join cities t on t.id = c.city_id
    left join riders r on r.id = o.rider_id where o.rider_id is null or r.id is not null";

async fn count(project: &Project, of: &str) -> i64 {
    let text = project.database.text(&format!("SELECT count(*)::text FROM {of}")).await;
    text.parse().expect("a number")
}

on_each_ground![
    a_sample_is_small_and_each_of_its_rows_finds_those_that_it_refers_to,
    a_model_of_a_sample_says_so_and_is_made_whole_again,
];

async fn a_sample_is_small_and_each_of_its_rows_finds_those_that_it_refers_to(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let project: &Project = &scene;
    model(project, "joined", JOINED);
    let outcome = project.run(&["--mode", "test", "--sample", "8"]).await;
    assert_eq!(outcome["status"], "succeeded", "{outcome:#}");
    let lost = |child: &str, columns: &str, parent: &str, keys: &str, first: &str| {
        format!(
            "raw_test_ci.{child} c LEFT JOIN raw_test_ci.{parent} p ON ({columns}) = ({keys}) WHERE p.{first} IS NULL AND ({columns}) IS NOT NULL"
        )
    };
    for (child, columns, parent, keys, first) in [
        ("customers", "c.city_id", "cities", "p.id", "id"),
        ("riders", "c.city_id", "cities", "p.id", "id"),
        ("orders", "c.rider_id", "riders", "p.id", "id"),
        ("orders", "c.customer_id", "customers", "p.id", "id"),
        ("items", "c.order_id", "orders", "p.id", "id"),
        ("complaints", "c.order_id, c.line", "items", "p.order_id, p.line", "line"),
        ("events", "c.order_id", "orders", "p.id", "id"),
        ("heads", "c.tail_id", "tails", "p.id", "id"),
    ] {
        let lost = count(project, &lost(child, columns, parent, keys, first)).await;
        assert_eq!(lost, 0, "{child} refers to {parent}");
    }
    // Eight, and of parents at most so many more for each table that refers to them.
    for (table, least, most) in [
        ("cities", 8, 40),
        ("customers", 8, 24),
        ("riders", 8, 24),
        ("orders", 8, 24),
        ("items", 8, 16),
        ("complaints", 1, 8),
        ("events", 8, 8),
        ("heads", 8, 16),
        ("tails", 8, 8),
        ("busy", 8, 8),
    ] {
        let rows = count(project, &format!("raw_test_ci.{table}")).await;
        assert!((least..=most).contains(&rows), "{table}: {rows}");
    }
    let joined = count(project, "raw_test_ci.joined").await;
    assert_eq!(joined, count(project, "raw_test_ci.items").await, "no row is lost by a join");

    let primary = connect("BARNCAT_REPLICA_ADMIN_URL").await;
    let first = format!(
        "SELECT string_agg(id::text, ' ' ORDER BY id) FROM (SELECT id FROM {0}.orders WHERE id > 20 AND customer_id IN (SELECT id FROM {0}.customers WHERE city_id <= 8 ORDER BY id LIMIT 8) ORDER BY id LIMIT 8) o",
        project.source.name()
    );
    let first: String = primary.query_one(&first, &[]).await.expect("it is valid").get(0);
    let found =
        project.database.text("SELECT string_agg(id::text, ' ' ORDER BY id) FROM raw_test_ci.orders").await;
    let found: Vec<&str> = found.split(' ').collect();
    assert!(first.split(' ').all(|id| found.contains(&id)), "{first} is among {found:?}");
    assert!(
        found.iter().all(|id| id.parse::<i64>().expect("a number") > 20),
        "`where` still holds: {found:?}"
    );

    let orders = task(&outcome, "raw_test_ci.orders");
    let reason = orders["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("a sample of 8 rows a table; "), "{outcome:#}");
    let noted = project
        .database
        .texts("SELECT DISTINCT state::jsonb->>'sample' FROM barncat_test.loads WHERE source <> ''")
        .await;
    assert_eq!(noted, ["8"], "the ledger says it");
    let again = project.run(&["--mode", "test", "--sample", "8"]).await;
    for task in again["tasks"].as_array().expect("a run has tasks") {
        assert_eq!(task["status"], "unchanged", "the same rows each time: {again:#}");
    }

    // All of it again, by the loader's own strategy.
    let outcome = project.run(&["--mode", "test"]).await;
    assert_eq!(status(&outcome, "orders"), "succeeded", "{outcome:#}");
    assert_eq!(count(project, "raw_test_ci.orders").await, 380);
    on_primary(project, "UPDATE orders SET at = at + INTERVAL '1 day' WHERE id = 400").await;
    let outcome = project.run(&["--mode", "test", "orders"]).await;
    assert_eq!(task(&outcome, "raw_test_ci.orders")["publish"], "merge", "{outcome:#}");
    assert_eq!(project.database.text("SELECT (to_regclass('raw.orders') IS NULL)::text").await, "true");
}

async fn a_model_of_a_sample_says_so_and_is_made_whole_again(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let project: &Project = &scene;
    model(project, "riding", "/* barncat\ndescription = \"Who rides\"\n*/ select id, city_id from riders");
    model(project, "seen", "/* barncat\nkind = \"view\"\n*/ select id from riding");
    let grown = "/* barncat\nkind = \"incremental\"\nkey = [\"id\"]\ncursor = \"id\"\nsince = \"0\"\n*/ select id from riding where id > :since";
    model(project, "grown", grown);
    let select = ["+riding", "seen", "grown"];
    let outcome = project.run(&[&["--mode", "test", "--sample", "8"], &select[..]].concat()).await;
    for name in ["riders", "riding", "seen", "grown"] {
        assert_eq!(task(&outcome, &format!("raw_test_ci.{name}"))["sample"], 8, "{outcome:#}");
    }
    let reason = &task(&outcome, "raw_test_ci.riding")["reason"];
    assert_eq!(reason, "of a sample of 8 rows a table; first time", "{outcome:#}");
    let noted = |name: &str| {
        format!(
            "SELECT coalesce(state::jsonb->>'sample', 'none') FROM barncat_test.loads WHERE table_name = '{name}' ORDER BY load DESC LIMIT 1"
        )
    };
    let comment =
        |name: &str| format!("SELECT coalesce(obj_description('raw_test_ci.{name}'::regclass), '')");
    assert_eq!(project.database.text(&noted("riding")).await, "8");
    assert_eq!(
        project.database.text(&comment("riding")).await,
        "Who rides\nMade of a sample of 8 rows a table."
    );
    assert_eq!(
        project.database.text(&noted("seen")).await,
        "none",
        "a view shows what is there when it is read"
    );

    // Rows that the sample left out lie below the watermark of what grows.
    let outcome = project.run(&[&["--mode", "test"], &select[..]].concat()).await;
    for name in ["riding", "grown"] {
        let task = task(&outcome, &format!("raw_test_ci.{name}"));
        assert_eq!(
            (&task["sample"], &task["status"]),
            (&serde_json::Value::Null, &"succeeded".into()),
            "{outcome:#}"
        );
        assert_eq!(count(project, &format!("raw_test_ci.{name}")).await, 80);
        assert_eq!(project.database.text(&noted(name)).await, "none");
    }
    assert_eq!(project.database.text(&comment("riding")).await, "Who rides");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_planned_and_never_one_of_production() {
    let project = Project::new(SOURCE, LOADERS).await;
    for command in ["run", "plan"] {
        let output = project.barncat(&[command, "--sample", "5"], &[]).await;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("`--sample` is for test mode"), "{stderr}");
    }
    let output = project.barncat(&["plan", "--mode", "test", "--sample", "5", "--output", "json"], &[]).await;
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON object");
    assert_eq!(output.status.code(), Some(0), "{plan:#}");
    let noted = |table: &str| {
        let task = task(&plan, &format!("raw_test_ci.{table}"));
        (task["reason"].as_str().unwrap_or_default().to_owned(), task["notes"].to_string())
    };
    assert!(noted("orders").0.starts_with("a sample of 5 rows a table"), "{plan:#}");
    assert!(noted("complaints").1.contains("the table has no primary key"), "{plan:#}");
    assert!(noted("customers").1.contains("(referred_by) to"), "{plan:#}");
    assert!(noted("customers").1.contains("leads in a circle"), "{plan:#}");
    assert!(!noted("items").1.contains("circle"), "{plan:#}");
}
